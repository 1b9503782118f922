"""A Deployment that is labelled and that no Rollout asks for is told of, once and until it is mended."""

from __future__ import annotations

from typing import Any

import pytest

from canary.api.names import LABEL_ROLLOUT
from canary.operator import kinds
from canary.operator.cache import Cache
from canary.operator.clock import FakeClock
from canary.operator.orphans import GRACE_SECONDS, REASON, Orphans
from canary.operator.telemetry import Telemetry
from tests.unit.operator.cluster import NS, Cluster, rollout
from tests.unit.operator.fake_api import FakeApi

METRIC = "canary_deployment_without_rollout"
WHERE = {"namespace": NS, "deployment": "checkout"}


class World:
    def __init__(self) -> None:
        self.api, self.cache, self.clock, self.telemetry = FakeApi(), Cache(), FakeClock(), Telemetry()
        self.orphans = Orphans(
            api=self.api, cache=self.cache, clock=self.clock, telemetry=self.telemetry, leads=lambda: True
        )
        self.api.watchers.append(self._seen)
        self.cluster = Cluster(self.api)

    def _seen(self, kind: kinds.Kind, event: str, obj: Any) -> None:
        (self.cache.remove if event == "DELETED" else self.cache.put)(kind, obj)
        if kind is kinds.DEPLOYMENT:
            self.orphans.seen(obj)

    def label(self, name: str | None) -> None:
        deployment = self.cluster.deployment()
        labels = {LABEL_ROLLOUT: name} if name else {}
        self.api.put(kinds.DEPLOYMENT, {**deployment, "metadata": {**deployment["metadata"], "labels": labels}})

    async def after(self, seconds: float) -> None:
        await self.orphans.look()
        await self.clock.advance(seconds)
        await self.orphans.look()

    @property
    def told(self) -> list[Any]:
        return [obj for (plural, _, _), obj in self.api.objects.items() if plural == "events"]

    @property
    def metric(self) -> float | None:
        return self.telemetry.registry.get_sample_value(METRIC, WHERE)


@pytest.fixture
def world() -> World:
    return World()


async def test_it_is_told_on_the_deployment_and_by_a_metric(world):
    world.label("gone")
    await world.after(GRACE_SECONDS)
    (event,) = world.told
    assert (event["reason"], event["type"]) == (REASON, "Warning")
    assert (event["involvedObject"]["kind"], event["involvedObject"]["name"]) == ("Deployment", "checkout")
    assert "canary:break-glass" in event["message"]
    assert world.metric == 1


async def test_it_is_told_once(world):
    world.label("gone")
    await world.after(GRACE_SECONDS)
    writes = len(world.api.log)
    await world.after(3600)
    assert len(world.api.log) == writes


async def test_a_rollout_that_comes_in_time_makes_no_alert(world):
    world.label("checkout")
    await world.after(GRACE_SECONDS - 1)
    world.api.put(kinds.ROLLOUT, rollout())
    await world.after(GRACE_SECONDS)
    assert world.told == []
    assert world.metric is None


@pytest.mark.parametrize("mend", ["rollout", "label"])
async def test_the_metric_goes_when_it_is_mended(world, mend):
    world.label("checkout")
    await world.after(GRACE_SECONDS)
    if mend == "rollout":
        world.api.put(kinds.ROLLOUT, rollout())
    else:
        world.label(None)
    await world.after(0)
    assert world.metric is None


async def test_a_rollout_of_that_name_for_another_deployment_does_not_count(world):
    world.label("checkout")
    world.api.put(kinds.ROLLOUT, rollout(workload={"name": "another"}))
    await world.after(GRACE_SECONDS)
    assert world.metric == 1


async def test_a_rollout_that_is_gone_later_is_noticed(world):
    world.label("checkout")
    world.api.put(kinds.ROLLOUT, rollout())
    await world.after(GRACE_SECONDS)
    await world.api.delete(kinds.ROLLOUT, NS, "checkout")
    await world.after(GRACE_SECONDS)
    assert world.metric == 1


async def test_a_deployment_without_the_label_is_never_looked_at(world):
    await world.after(GRACE_SECONDS)
    assert world.told == []
