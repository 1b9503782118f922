"""The operator does not assume that the admission policies hold Deployments: it tries."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest

from canary.api.names import ANNOTATION_HELD, LABEL_ROLLOUT
from canary.errors import ApiUnavailable, SpecInvalid
from canary.operator import kinds
from canary.operator.cache import Cache
from canary.operator.clock import FakeClock
from canary.operator.config import Policies
from canary.operator.policies import AGAIN_SECONDS, Holding
from tests.unit.operator.cluster import Cluster
from tests.unit.operator.fake_api import FakeApi

BINDING = {"metadata": {"name": "canary-hold"}, "spec": {"policyName": "canary-hold"}}


def holds(obj: Any) -> Any:
    held = copy.deepcopy(obj)
    held["spec"]["paused"] = True
    held["metadata"].setdefault("annotations", {})[ANNOTATION_HELD] = "true"
    return held


class World:
    def __init__(self, chosen: Policies = Policies.AUTO) -> None:
        self.api, self.cache, self.clock = FakeApi(), Cache(), FakeClock()
        self.told: list[bool] = []
        self.holding = Holding(api=self.api, cache=self.cache, clock=self.clock, chosen=chosen, tell=self.told.append)
        self.api.watchers.append(self._seen)
        self.cluster = Cluster(self.api)

    def _seen(self, kind: kinds.Kind, event: str, obj: Any) -> None:
        (self.cache.remove if event == "DELETED" else self.cache.put)(kind, obj)
        self.holding.seen(kind, obj)

    def install(self) -> None:
        self.api.put(kinds.POLICY_BINDING, BINDING)

    def label(self) -> None:
        deployment = copy.deepcopy(self.cluster.deployment())
        deployment["metadata"]["labels"] = {LABEL_ROLLOUT: "checkout"}
        self.api.put(kinds.DEPLOYMENT, deployment)

    async def go(self, seconds: float = 0.0) -> None:
        await self.clock.advance(seconds)


@pytest.fixture
async def world():
    world = World()
    running = asyncio.create_task(world.holding.run())
    yield world
    running.cancel()


async def test_without_the_binding_the_operator_holds_itself(world):
    world.label()
    await world.holding.look()
    assert world.told == [False]


async def test_a_policy_that_acts_is_believed(world):
    world.api.admit = holds
    world.label()
    world.install()
    await world.go()
    assert world.told == [True]


async def test_a_policy_that_does_not_act_yet_is_tried_again_until_it_does(world):
    world.label()
    world.install()
    await world.go(3 * AGAIN_SECONDS)
    assert world.told == [False]
    world.api.admit = holds
    await world.go(AGAIN_SECONDS)
    assert world.told == [False, True]


async def test_a_policy_that_is_taken_away_is_noticed_at_once(world):
    world.api.admit = holds
    world.label()
    world.install()
    await world.go()
    await world.api.delete(kinds.POLICY_BINDING, "", "canary-hold")
    await world.go()
    assert world.told == [True, False]


async def test_where_there_is_nothing_to_try_it_on_the_binding_is_believed_until_there_is(world):
    world.install()
    await world.go()
    assert world.told == [True]
    world.label()
    await world.go(AGAIN_SECONDS)
    assert world.told == [True, False]


async def test_what_the_operator_holds_itself_meanwhile_does_not_pass_for_a_policy_that_acts(world):
    world.label()
    world.install()
    await world.go()
    world.api.put(kinds.DEPLOYMENT, holds(world.cluster.deployment()))  # the operator's own hold
    await world.go(10 * AGAIN_SECONDS)
    assert world.told == [False]
    world.api.admit = holds
    await world.go(AGAIN_SECONDS)
    assert world.told == [False, True]


async def test_a_try_that_fails_changes_nothing_that_was_found_out(world):
    world.label()
    world.install()
    await world.go()

    def fail(obj: Any) -> Any:
        raise ApiUnavailable("no answer")

    world.api.admit = fail
    await world.go(10 * AGAIN_SECONDS)
    assert world.told == [False]


async def test_a_webhook_that_refuses_dry_runs_changes_nothing(world):
    def refuse(obj: Any) -> Any:
        raise SpecInvalid("webhook x does not support dry run")

    world.api.admit = refuse
    world.label()
    world.install()
    await world.go()
    assert world.told == [True]


async def test_at_rest_nothing_is_tried_and_a_try_stores_nothing(world):
    world.api.admit = holds
    world.label()
    world.install()
    await world.go()
    before = copy.deepcopy(world.api.objects)
    tries: list[Any] = []

    def count(obj: Any) -> Any:
        tries.append(obj)
        return holds(obj)

    world.api.admit = count
    await world.go(3600)
    world.label()
    await world.go(60)
    assert tries == []
    assert world.api.objects == before


@pytest.mark.parametrize(("chosen", "told"), [(Policies.ON, [True]), (Policies.OFF, [False])])
async def test_what_the_configuration_says_is_not_tried(chosen, told):
    world = World(chosen)
    world.label()
    world.install()
    await world.holding.look()
    assert world.told == told
