from __future__ import annotations

import http.server
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from typing_extensions import override

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


@dataclass
class Exporter:
    """A target that says what the test tells it to; None means that it is down."""

    port: int
    text: str | None = ""
    scrapes: int = field(default=0)


@pytest.fixture(scope="session")
def exporter() -> Iterator[Exporter]:
    state = Exporter(0)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.scrapes += 1
            if state.text is None:
                self.send_error(503)
                return
            body = state.text.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        @override
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer((LOCAL, 0), Handler)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture(scope="session")
def prometheus(exporter: Exporter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real Prometheus that scrapes the exporter every second."""
    binary = binaries.present("prometheus")
    if binary is None:
        said = "no Prometheus: install it, or run `make programs`; its contract is not tested"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(said)
    folder: Path = tmp_path_factory.mktemp("prometheus")
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        f"scrape_configs: [{{job_name: app, static_configs: [{{targets: ['{LOCAL}:{exporter.port}']}}]}}]\n"
    )
    port = free_port()
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [
            binary,
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={LOCAL}:{port}",
            "--query.max-samples=20000",
        ],
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    url = f"http://{LOCAL}:{port}"

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
        log.close()
