"""Real processes and a fake API server: what the tests of the node share."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab.node.containers import BackOff
from lab.node.kubeapi import KubeApi
from lab.node.records import Records
from lab.node.runner import Machine

GO_MODULE = Path(__file__).parents[4] / "lab" / "go"


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with `app` and `load`, built from the tree."""
    directory = tmp_path_factory.mktemp("programs")
    subprocess.run(["go", "build", "-o", str(directory), "./cmd/..."], cwd=GO_MODULE, check=True, timeout=300)
    return directory


class FakeApi:
    """Answers what a node asks about one pod, and remembers it."""

    def __init__(self) -> None:
        self.statuses: list[dict[str, Any]] = []
        self.deleted: list[dict[str, Any]] = []
        self.objects: dict[str, dict[str, Any]] = {}
        self.answers_with: int | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.answers_with is not None:
            return httpx.Response(self.answers_with, json={"message": "told to"})
        body = json.loads(request.content) if request.content else {}
        if request.method == "PATCH":
            self.statuses.append(body["status"])
        elif request.method == "DELETE":
            self.deleted.append(body)
        elif request.method == "GET":
            found = self.objects.get(request.url.path)
            return httpx.Response(200, json=found) if found else httpx.Response(404, json={"message": "not found"})
        return httpx.Response(200, json={})

    @property
    def container(self) -> dict[str, Any]:
        """The first container's newest status; empty before there is one."""
        return self.statuses[-1]["containerStatuses"][0] if self.statuses else {}


@pytest.fixture
def fake() -> FakeApi:
    return FakeApi()


@pytest.fixture
async def machine(fake: FakeApi, programs: Path, tmp_path: Path) -> AsyncIterator[Machine]:
    """A node with its state in a directory of its own; whatever still runs at the end is killed."""
    client = httpx.AsyncClient(transport=httpx.MockTransport(fake), base_url="http://api")
    records = Records(tmp_path / "state")
    yield Machine(
        api=KubeApi(client),
        records=records,
        bin_dir=programs,
        node_name="n1",
        host_ip="127.0.0.1",
        path=f"{programs}:{os.environ['PATH']}",
        back_off=BackOff(0.2, 0.4),
    )
    await client.aclose()
    records.sweep()


async def until(holds: Callable[[], object], what: str, seconds: float = 15.0) -> None:
    """Poll until it holds; the bound is generous, only a failure ever waits for it."""
    limit = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < limit, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(0.01)


def make_pod(*command: str, image: str = "lab/app:v1", uid: str = "u1", **container: Any) -> dict[str, Any]:
    """A bound pod with one container."""
    spec: dict[str, Any] = {"name": "app", "image": image} | container
    if command:
        spec["command"] = list(command)
    return {
        "metadata": {"name": "p", "namespace": "default", "uid": uid, "labels": {"app": "shop"}},
        "spec": {"nodeName": "n1", "containers": [spec], "terminationGracePeriodSeconds": 30},
    }
