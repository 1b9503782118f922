"""The Git worker's try, with real git: the revert is told, then Git is made to remember the version."""

from __future__ import annotations

from pathlib import Path

import pytest

from canary.git.clone import GitSettings
from canary.git.notes import NOTES_REF, Note
from canary.operator.git import Job, Reverts, _Standing
from canary.operator.telemetry import Telemetry
from tests.unit.git.world import VERDICT_AT, deployment, request
from tests.unit.operator.test_notes import KEY, World, until

V1, V2 = deployment("app:v1"), deployment("app:v2")
NOTE = Note("shop/checkout", "v-2", "t-2", VERDICT_AT, "5xx", ("app:v2",))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def tried(world: World, rejected: str = V2, stable: str = V1) -> _Standing:
    reverts = Reverts(
        clock=world.clock,
        wake=world.woken.append,
        bindings=lambda: world.bindings,
        settings=GitSettings(world.server.bare.parent / "reverts"),
        notes=world.notes,
        random=lambda: 0.0,
        telemetry=Telemetry(),
    )
    asked = request(world.bad, rejected=rejected, stable=stable)
    standing = reverts._standing[KEY] = _Standing("r-1", Job("r-1", world.where, asked, NOTE, world.bad))
    await reverts._run(KEY, standing)
    await until(lambda: not world.notes._writes)
    return standing


async def test_a_version_that_was_reverted_is_noted_on_the_commit_that_brought_it(world):
    standing = await tried(world)
    assert standing.revert is not None
    assert (standing.revert.reason, standing.revert.culprits) == ("Reverted", (world.bad,))
    assert world.written() == [NOTE.line()]


async def test_a_version_that_somebody_else_took_out_is_noted_on_the_commit_with_which_it_came(world):
    world.server.commit({"app/deployment.yaml": deployment("app:v3")})
    standing = await tried(world)
    assert standing.revert is not None
    assert standing.revert.reason == "Superseded"
    assert world.written() == [NOTE.line()]


async def test_a_change_that_no_commit_brought_is_not_noted(world):
    restarted = deployment("app:v2", annotations={"kubectl.kubernetes.io/restartedAt": "2026-01-01"})
    standing = await tried(world, rejected=restarted, stable=V2)
    assert standing.revert is not None
    assert standing.revert.reason == "NotFromGit"
    assert not world.server.git("for-each-ref", NOTES_REF, cwd=world.server.bare)
