from __future__ import annotations

import os
from pathlib import Path

import pytest

from canary.git.kustomize import Kustomize, find_kustomize
from tests.unit.git.world import Operator, Server, provenance


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


@pytest.fixture
def operator(server: Server, tmp_path: Path) -> Operator:
    return Operator(tmp_path / "cache", provenance(server))


@pytest.fixture(scope="session")
def kustomize() -> Kustomize:
    """The real program: named by CANARY_KUSTOMIZE, on PATH, or in the lab's cache. In CI it must be there."""
    cached = sorted((Path.home() / ".cache/canary-lab").glob("**/kustomize"))
    found = find_kustomize() or find_kustomize(str(cached[-1]) if cached else "")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("no kustomize program: set CANARY_KUSTOMIZE, or let the lab build it")
        pytest.skip("NO KUSTOMIZE PROGRAM: its tests do not run; set CANARY_KUSTOMIZE or run `make lab` once")
    return found
