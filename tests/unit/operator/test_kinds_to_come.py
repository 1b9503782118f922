"""Kinds that belong to somebody else may come after the operator, and may never come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from canary.errors import NotFound
from canary.operator import kinds
from canary.operator.clock import FakeClock
from canary.operator.config import Config, ConfigFile
from canary.operator.kinds import Kind
from canary.operator.operator import NEW_KINDS_SECONDS, SECOND_LIST_SECONDS, Operator
from canary.operator.telemetry import Telemetry
from tests.unit.operator.fake_api import FakeApi


class World:
    """An operator in a cluster that serves no kind of Argo CD's yet."""

    def __init__(self) -> None:
        self.api, self.clock = FakeApi(), FakeClock()
        self.missing: set[Kind] = {kinds.APPLICATION}
        self.lists: list[Kind] = []
        self.watched: list[frozenset[Kind]] = []
        self.api.fail = self._answer
        config = Config(ConfigFile(identity="test"))
        self.operator = Operator(config, self.api, clock=self.clock, sources={}, telemetry=Telemetry())

    def _answer(self, verb: str, kind: Kind, name: str) -> Exception | None:
        if verb == "list":
            self.lists.append(kind)
        return NotFound(f"no {kind.plural}") if verb == "list" and kind in self.missing else None

    async def later(self, seconds: float) -> None:
        await self.clock.advance(seconds, turns=60)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made, stop = World(), asyncio.Event()
    running = asyncio.create_task(made.operator.run(stop=stop, on_kinds=made.watched.append))
    await made.later(SECOND_LIST_SECONDS + 1)
    yield made
    stop.set()
    await made.later(1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_kind_that_is_not_there_is_not_watched_and_seldom_looked_for(world: World) -> None:
    assert [kinds.APPLICATION in watched for watched in world.watched] == [False]
    world.lists.clear()
    await world.later(5 * NEW_KINDS_SECONDS)
    assert world.lists == [kinds.APPLICATION] * 5


async def test_a_kind_that_comes_later_is_watched_long_before_the_next_complete_listing(world: World) -> None:
    world.missing.clear()
    await world.later(NEW_KINDS_SECONDS + 1)
    assert kinds.APPLICATION in world.watched[-1]
    world.lists.clear()
    await world.later(5 * NEW_KINDS_SECONDS)
    assert world.lists == [], "then there is nothing left to look for"
