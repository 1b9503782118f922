"""Git's notes at first sight and after a verdict, with real git and a clock of the test's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from canary.git.clone import GitSettings
from canary.git.credentials import Anonymous, Binding, Bindings
from canary.git.notes import NOTES_REF, Note, write_note
from canary.operator.clock import FakeClock
from canary.operator.notes import ORIGIN_SECONDS, Notes, Told
from canary.operator.origin import Origin
from tests.unit.git.world import Operator, Server, deployment, provenance

KEY = ("shop", "checkout")
NOTE = Note("shop/checkout", "v-2", "t-2", 1_790_000_000, "5xx", ("app:v2",), "a" * 40)


class World:
    def __init__(self, root: Path) -> None:
        self.server = Server(root)
        self.server.commit({"app/deployment.yaml": deployment("app:v1")})
        self.bad = self.server.commit({"app/deployment.yaml": deployment("app:v2")})
        self.where = provenance(self.server)
        self.clock = FakeClock()
        self.woken: list[tuple[str, str]] = []
        self.bindings = Bindings((Binding("all", "*", self.server.url, Anonymous()),))
        self.another = Operator(root / "another", self.where)
        self.away = root / "away"
        """While this file is there, no server can be reached."""
        git = root / "git.sh"
        said = "fatal: unable to access: Failed to connect"
        git.write_text(
            f'#!/bin/sh\nif [ -e {self.away} ] && [ "$1" = fetch ]; then echo "{said}" >&2; exit 128; fi\nexec git "$@"\n'
        )
        git.chmod(0o755)
        self.notes = Notes(
            clock=self.clock,
            wake=self.woken.append,
            bindings=lambda: self.bindings,
            settings=GitSettings(root / "cache", program=str(git)),
            random=lambda: 0.0,
        )

    def note(self, note: Note = NOTE) -> None:
        """Another operator has noted something."""
        with self.another.clone() as repository:
            write_note(repository, self.bad, note)

    def look(self, *, owned: bool = True, known: bool = True, key: tuple[str, str] = KEY) -> Told:
        return self.notes.at_first_sight(key, Origin(self.where if known else None), owned=owned)

    async def told(self, key: tuple[str, str] = KEY) -> Told:
        self.look(key=key)
        await until(lambda: not self.look(key=key).awaited)
        return self.look(key=key)

    def written(self) -> list[str]:
        ref = self.server.git("for-each-ref", "--format=%(refname)", NOTES_REF, cwd=self.server.bare)
        return (
            self.server.git("notes", "--ref=canary", "show", self.bad, cwd=self.server.bare).splitlines() if ref else []
        )


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not met():  # noqa: ASYNC110 -- what is waited for happens in a thread
            await asyncio.sleep(0.01)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_what_was_noted_is_told_and_the_rollout_is_woken(world):
    world.note()
    told = await world.told()
    (rejected,) = told.rejected
    assert (rejected.version_hash, rejected.template_hash, rejected.images) == ("v-2", "t-2", ("app:v2",))
    assert (rejected.commit, rejected.at) == (world.bad, 1_790_000_000)
    assert world.woken == [KEY]


async def test_another_rollouts_notes_are_not_told(world):
    world.note(replace(NOTE, rollout="shop/api"))
    assert (await world.told()).rejected == ()


async def test_a_deployment_that_no_engine_applied_waits_for_nothing(world):
    assert world.look(owned=False, known=False) == Told()


async def test_an_engine_that_has_not_said_yet_that_the_deployment_is_its_is_waited_for_but_not_for_long(world):
    assert world.look(known=False) == Told(awaited=True)
    await world.clock.advance(ORIGIN_SECONDS)
    assert world.look(known=False) == Told()


async def test_a_namespace_without_a_binding_is_told_nothing_also_when_another_has_read(world):
    world.note(replace(NOTE, rollout="other/checkout"))
    world.note()
    world.bindings = Bindings((Binding("shop", "shop", world.server.url, Anonymous()),))
    assert (await world.told()).rejected
    assert (await world.told(("other", "checkout"))).rejected == ()


async def test_a_repository_that_cannot_be_read_holds_nothing_up(world):
    world.where = replace(world.where, url="file:///nowhere/at-all.git")
    world.bindings = Bindings((Binding("all", "*", world.where.url, Anonymous()),))
    assert await world.told() == Told()
    assert world.woken == [KEY]


async def test_many_rollouts_of_a_repository_ask_once(world):
    world.note()
    keys = [("shop", f"app-{n}") for n in range(20)]
    for key in keys:
        world.look(key=key)
    await until(lambda: len(world.woken) == 20)
    assert len(world.notes._shared) == 1
    (_, first), *_ = world.notes._shared.values()
    await world.told()
    assert next(iter(world.notes._shared.values()))[1] is first


async def test_a_later_first_sight_reads_again(world):
    assert (await world.told()).rejected == ()
    world.notes.forget(KEY)
    world.note()
    await world.clock.advance(60)
    assert (await world.told()).rejected


async def test_what_was_noted_just_now_is_told_to_a_rollout_that_is_made_anew_at_once(world):
    assert (await world.told()).rejected == ()
    world.notes.forget(KEY)
    world.notes.rejected(KEY, world.where, world.bad, NOTE)
    await until(lambda: not world.notes._writes)
    assert (await world.told()).rejected


async def test_a_rejected_version_is_noted(world):
    world.notes.rejected(KEY, world.where, world.bad, NOTE)
    await until(lambda: world.written() == [NOTE.line()])


async def test_a_retry_is_noted_where_the_rejection_is_and_nowhere_else(world):
    retried = replace(NOTE, retried=True, at=NOTE.at + 60)
    world.notes.retried(KEY, world.where, retried)
    await until(lambda: not world.notes._writes)
    assert world.written() == []
    world.note()
    world.notes.retried(KEY, world.where, retried)
    await until(lambda: len(world.written()) == 2)
    assert (await world.told()).rejected == ()


async def test_a_server_that_takes_no_notes_is_told_in_the_log_and_changes_nothing(world):
    hook = world.server.bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    world.notes.rejected(KEY, world.where, world.bad, NOTE)
    await until(lambda: not world.notes._writes)
    assert world.written() == []


async def test_a_server_that_is_away_for_a_while_gets_its_note_later(world):
    world.away.touch()
    world.notes.rejected(KEY, world.where, world.bad, NOTE)
    await until(lambda: world.clock.waited_for)
    world.away.unlink()
    await world.clock.advance(60)
    await until(lambda: world.written() == [NOTE.line()])
