"""The Git worker pushes where a binding of the operator's configuration allows it, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from canary.git.clone import GitSettings
from canary.git.credentials import Binding, Bindings
from canary.git.notes import Note
from canary.git.provenance import Provenance
from canary.operator.clock import FakeClock
from canary.operator.git import Job, Reverts
from canary.operator.notes import Notes
from canary.operator.telemetry import Telemetry
from tests.unit.git.world import Server, deployment, provenance, request

V1, V2 = deployment("app:v1"), deployment("app:v2")


@pytest.fixture
def server(tmp_path: Path) -> Server:
    made = Server(tmp_path)
    made.commit({"app/deployment.yaml": V1})
    made.commit({"app/deployment.yaml": V2})
    return made


def _worker(tmp_path: Path, binding: Binding) -> Reverts:
    clock, settings = FakeClock(), GitSettings(tmp_path / "cache")

    def bindings() -> Bindings:
        return Bindings((binding,))

    notes = Notes(clock=clock, wake=lambda key: None, bindings=bindings, settings=settings, random=lambda: 0.0)
    return Reverts(
        clock=clock,
        wake=lambda key: None,
        bindings=bindings,
        settings=settings,
        notes=notes,
        random=lambda: 0.0,
        telemetry=Telemetry(),
    )


def _job(server: Server, where: Provenance | None = None) -> Job:
    asked = request(server.head, rejected=V2, stable=V1)
    note = Note("shop/checkout", "v", "t", asked.verdict_at)
    return Job("t-1", where or provenance(server), asked, note, server.head)


def _binding(server: Server, **changes: Any) -> Binding:
    return replace(Binding("shop", "shop", server.url, paths="app"), **changes)


async def test_a_binding_for_namespace_repository_and_folder_lets_the_revert_in(server: Server, tmp_path: Path):
    bad = server.head
    answer = await _worker(tmp_path, _binding(server))._try(("shop", "checkout"), _job(server))
    assert (answer.reason, answer.culprits, answer.commit) == ("Reverted", (bad,), server.head)


@pytest.mark.parametrize(
    "changes",
    [{"namespaces": "shop-*"}, {"repositories": "file:///elsewhere"}, {"paths": "app/checkout"}, {"paths": "ap"}],
    ids=["namespace", "repository", "a-folder-below", "a-beginning-of-the-name"],
)
async def test_a_binding_for_anything_else_gets_no_push(server: Server, tmp_path: Path, changes: dict[str, str]):
    before = server.head
    answer = await _worker(tmp_path, _binding(server, **changes))._try(("shop", "checkout"), _job(server))
    assert (answer.reason, answer.final) == ("Forbidden", False)
    assert "no Git credential is bound to namespace shop" in answer.message
    assert server.head == before
    assert not (tmp_path / "cache").exists(), "the repository is not even contacted"


@pytest.mark.parametrize("path", ["app/../other", ".."])
async def test_a_path_that_leaves_the_folder_gets_no_push(server: Server, tmp_path: Path, path: str):
    before = server.head
    where = provenance(server, path)
    answer = await _worker(tmp_path, _binding(server))._try(("shop", "checkout"), _job(server, where))
    assert answer.reason == "Forbidden"
    assert server.head == before


async def test_the_namespace_that_counts_is_the_rollouts(server: Server, tmp_path: Path):
    answer = await _worker(tmp_path, _binding(server))._try(("another", "checkout"), _job(server))
    assert answer.reason == "Forbidden"
