"""A real Prometheus for tests: found, started, waited for, ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from lab import binaries

LOCAL = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as s:
        s.bind((LOCAL, 0))
        return int(s.getsockname()[1])


def wait_for(what: Callable[[], bool], seconds: float, why: str) -> None:
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            pytest.fail(f"not within {seconds:g} s: {why}")
        time.sleep(0.1)


def prometheus_binary() -> Path:
    """The program; without it the test is passed over, and in CI it fails."""
    binary = binaries.present("prometheus")
    if binary is None:
        said = "no Prometheus: install it, or run `make programs`; what needs it is not tested"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(said)
    return binary


@contextmanager
def running_prometheus(folder: Path, config: str, *options: str) -> Iterator[str]:
    """Address of a Prometheus with this configuration, whose data are in `folder/data`."""
    binary = prometheus_binary()
    file = folder / "prometheus.yml"
    file.write_text(config)
    port = free_port()
    url = f"http://{LOCAL}:{port}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                binary,
                f"--config.file={file}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={LOCAL}:{port}",
                *options,
            ],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

        def ready() -> bool:
            if process.poll() is not None:
                pytest.fail(f"Prometheus ended: {(folder / 'log').read_text()[-500:]}")
            try:
                return httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200
            except httpx.TransportError:
                return False

        try:
            wait_for(ready, 30, "Prometheus is ready")
            yield url
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
