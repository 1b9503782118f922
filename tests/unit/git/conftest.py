from __future__ import annotations

import os
from pathlib import Path

import pytest

from canary.git.kustomize import Kustomize, find_kustomize
from lab import binaries
from tests.unit.git.world import Operator, Server, provenance


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


@pytest.fixture
def operator(server: Server, tmp_path: Path) -> Operator:
    return Operator(tmp_path / "cache", provenance(server))


@pytest.fixture(scope="session")
def kustomize() -> Kustomize:
    """The real program: named by CANARY_KUSTOMIZE, on PATH, or the lab's. In CI it must be there."""
    found = find_kustomize() or find_kustomize(str(binaries.present("kustomize") or ""))
    if found is None:
        said = "no kustomize program: set CANARY_KUSTOMIZE, or run `make programs`"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(said)
    return found
