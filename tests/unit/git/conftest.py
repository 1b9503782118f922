from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.git.world import Operator, Server, provenance


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


@pytest.fixture
def operator(server: Server, tmp_path: Path) -> Operator:
    return Operator(tmp_path / "cache", provenance(server))
