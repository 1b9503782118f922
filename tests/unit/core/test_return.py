"""Traffic comes back to the Deployment's new pods: a tenth first, judged, and held while they are worse."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from canary.analysis.verdict import Outcome, Reason, Verdict
from canary.core import effects as fx
from canary.core.decide import decide
from canary.core.observed import Commands
from canary.core.phases import Phase, Stage
from canary.core.promote import RETURN_COOL_DOWN_SECONDS
from canary.core.state import State
from tests.property.world import World
from tests.unit.core.test_releases import run, settled, weights

NEW, COPY = "k-good1", "k-copy-t-good1-1"


def at(stage: Stage, **fields: object) -> World:
    """A world in which the second version has come to a stage of its promotion."""
    world = settled(**fields)
    world.push("good1")
    for _ in range(300):
        run(world, 1)
        if world.state.release and world.state.release.stage is stage:
            return world
    raise AssertionError(world.log[-10:])


def found_worse(world: World) -> None:
    run(world, 20)
    assert world.state.reason == "ReturnWorse"


def test_cold_pods_lose_the_returned_traffic_and_get_it_back_in_steps_when_they_are_warm():
    world = at(Stage.RETURN)
    world.cold_until = world.now + 30
    found_worse(world)
    assert world.weight == 100
    assert world.state.stalled
    world.settle()
    assert world.state.history[0].outcome == "Promoted"
    assert weights(world)[-5:] == ["90", "100", "90", "50", "0"]
    assert world.reverted == []


def test_a_fault_of_new_pods_is_met_by_a_tenth_of_the_traffic_only():
    world = at(Stage.RETURN)
    world.cold_until = world.now + 30
    found_worse(world)
    assert weights(world)[-3:] == ["100", "90", "100"]


def test_clients_of_the_service_are_with_the_canary_while_new_pods_warm_up():
    world = at(Stage.RETURN)
    assert world.pin == NEW
    world.cold_until = world.now + 30
    found_worse(world)
    began = world.now
    assert world.pin == COPY
    while world.state.release and world.state.release.stage is not Stage.RETURN:
        if world.now - began < RETURN_COOL_DOWN_SECONDS - 20:
            assert world.pin == COPY
        run(world, 1)
    assert world.pin == NEW, "the gateway reaches the new pods through the Service"
    assert world.now - began >= RETURN_COOL_DOWN_SECONDS - 20


def test_the_return_holds_while_the_metrics_are_silent_says_so_and_goes_on_when_they_answer():
    world = at(Stage.RETURN)
    world.metrics_up = False
    run(world, 60)
    assert world.weight == 90
    assert not world.state.stalled, "shorter than noDataAfter"
    run(world, int(world.plan.no_data_after_seconds))
    assert world.weight == 90
    assert (world.state.phase, world.state.reason, world.state.stalled) == (Phase.PROMOTING, "NoData", True)
    world.metrics_up = True
    world.settle()
    assert world.state.history[0].outcome == "Promoted"


def test_the_next_step_of_the_return_waits_while_it_is_paused_and_says_so():
    world = at(Stage.RETURN)
    run(world, 5)
    world.commands = Commands(paused=True)
    run(world, 60)
    assert world.weight == 90
    assert (world.state.reason, world.state.stalled) == ("ReturnHolds", True)
    assert "paused" in world.state.message
    world.commands = Commands()
    run(world, 5)
    assert world.weight == 50
    assert not world.state.stalled


def test_with_nothing_left_on_the_canary_the_return_does_not_wait_for_metrics():
    world = at(Stage.RETURN)
    for _ in range(100):
        run(world, 1)
        if world.weight == 0:
            break
    world.metrics_up = False
    world.settle()
    assert world.state.history[0].outcome == "Promoted"


@pytest.mark.parametrize("pods", [{"metrics_up": False}, {"cold_until": math.inf}], ids=["unmeasured", "worse"])
def test_a_rollout_that_is_deleted_while_traffic_returns_waits_for_no_judge(pods):
    world = at(Stage.RETURN)
    for name, value in pods.items():
        setattr(world, name, value)
    run(world, 20)
    world.deleting = True
    run(world, 120)
    assert world.gone


def test_looks_that_come_seldom_are_waited_for_without_a_word():
    world = at(Stage.RETURN)
    run(world, 2)
    world.now += world.plan.no_data_after_seconds + 100
    seen = world.observed()
    analysis = seen.analysis
    assert analysis is not None

    def state_at(first_look: float) -> State:
        look = replace(seen, analysis=replace(analysis, verdict=None, first_look_at=first_look))
        return decide(world.plan, world.state, look, world.now).state

    assert not state_at(world.now + 60).stalled
    assert state_at(world.now - 60).reason == "NoData"


def test_a_look_that_ends_before_the_step_does_is_not_a_look_at_the_step():
    world = at(Stage.RETURN)
    run(world, 2)
    release = world.state.release
    assert release is not None
    assert release.in_force_since is not None
    world.now = release.in_force_since + world.plan.return_seconds + 1
    seen = world.observed()
    analysis = seen.analysis
    assert analysis is not None

    def looked(until: float) -> list[type[fx.Effect]]:
        verdict = Verdict(Outcome.PASS, False, (), Reason.EVIDENCE_FOR, "m", until)
        look = replace(seen, analysis=replace(analysis, verdict=verdict))
        following = decide(world.plan, world.state, look, world.now)
        return [type(effect) for effect in following.effects]

    assert fx.WriteStatus not in looked(release.in_force_since + 5)
    assert fx.WriteStatus in looked(world.now)
