"""A release beside an autoscaler that is behind the load, blind, or held up by the canary."""

from __future__ import annotations

from dataclasses import replace

from canary.core import effects as fx
from canary.core.decide import decide
from canary.core.effects import Decision
from canary.core.observed import LoadView
from canary.core.phases import Phase, Stage
from canary.core.promote import AUTOSCALER_SECONDS
from tests.property.world import World

SHORT = LoadView(enough=False, why="the load needs 8 pods, stable has 4 ready", needs=8, canary_at_least=5)
BLIND = LoadView(enough=False, why="HorizontalPodAutoscaler web does not scale now: no metrics")


def world_in(phase: Phase, stage: Stage | None = None) -> World:
    world = World()
    world.settle()
    world.push("good1")
    for _ in range(300):
        world.kubelet()
        world.controller()
        world.gateway()
        world.operate()
        release = world.state.release
        if world.state.phase is phase and (stage is None or (release is not None and release.stage is stage)):
            return world
        world.pass_time(1)
    raise AssertionError(world.log[-10:])


def decided(world: World, load: LoadView, later: float = 0.0) -> Decision:
    return decide(world.plan, world.state, replace(world.observed(), load=load), world.now + later)


def wanted_copy(decision: Decision) -> int | None:
    return next((e.replicas for e in decision.effects if isinstance(e, fx.EnsureCopy)), None)


def test_a_release_does_not_start_while_the_autoscaler_has_stable_to_grow() -> None:
    world = world_in(Phase.HELD)
    waits = decided(world, SHORT)
    assert waits.state.phase is Phase.HELD
    assert waits.state.reason == "StableTooSmall"
    assert not waits.state.stalled
    assert decided(world, BLIND).state.phase is Phase.STARTING, "that is told when traffic would be raised"
    world.state = waits.state
    late = decided(world, SHORT, world.plan.progress_deadline_seconds + 1)
    assert (late.state.reason, late.state.stalled) == ("StableTooSmall", True), "nothing waits for ever in silence"
    assert [e.warning for e in late.effects if isinstance(e, fx.Emit)] == [True], "an Event for whoever is on call"
    world.state = late.state
    again = decided(world, SHORT, world.plan.progress_deadline_seconds + 9)
    assert not [e for e in again.effects if isinstance(e, fx.Emit)], "once"


def test_a_starting_canary_that_blocks_the_autoscaler_goes_and_comes_again() -> None:
    world = world_in(Phase.STARTING)
    assert decided(world, SHORT).state.phase is Phase.STARTING
    back = decided(world, replace(SHORT, blocked=True))
    assert back.state.phase is Phase.HELD
    assert back.state.reason == "StableTooSmall"
    world.state = back.state
    world.settle()
    assert [p.outcome for p in world.state.history] == ["Promoted"]


def test_the_canary_grows_to_the_load_that_doubled_in_the_bake_so_that_the_autoscaler_sees_it() -> None:
    world = world_in(Phase.PROMOTING, Stage.BAKE)
    assert world.observed().workload is not None
    assert wanted_copy(decided(world, LoadView())) is None
    assert wanted_copy(decided(world, SHORT)) == 8
    few = replace(SHORT, needs=5)
    world.pass_time(1)
    assert wanted_copy(decided(world, replace(few, canary_at_least=7))) == 7, "else its average stays in the tolerance"


def test_promotion_is_not_decided_while_stable_could_not_take_the_load_back() -> None:
    world = world_in(Phase.PROMOTING, Stage.BAKE)
    over = world.plan.bake_seconds
    waits = decided(world, SHORT, over + 1)
    assert waits.state.release is not None
    assert waits.state.release.stage is Stage.BAKE
    assert not waits.state.stalled, "an autoscaler takes its time"
    told = decided(world, SHORT, over + AUTOSCALER_SECONDS + 1)
    assert told.state.reason == "BakeHolds"
    assert told.state.stalled
    assert "8 pods" in told.state.message
    world.state = told.state
    world.settle()
    assert [p.outcome for p in world.state.history] == ["Promoted"]


def test_a_raise_that_waits_for_the_autoscaler_says_so_with_its_words() -> None:
    world = world_in(Phase.STEP)
    world.weight = 0  # a raise is still to be made
    for load in (BLIND, SHORT):
        told = decided(world, load, 60)
        assert told.state.reason == "NotRaised"
        assert load.why in told.state.message
        assert any(isinstance(e, fx.Emit) and e.reason == "NotRaised" and e.warning for e in told.effects)
        assert not [e for e in told.effects if isinstance(e, fx.SetWeight) and e.weight > 0]


def test_traffic_returns_to_the_new_pods_only_as_far_as_they_could_carry_it() -> None:
    world = world_in(Phase.PROMOTING, Stage.RETURN)
    world.state = world.state.with_release(return_step=world.plan.return_weights.index(50))
    world.weight = 100
    workload = world.observed().workload
    assert workload is not None
    half = [
        e for e in decided(world, replace(SHORT, needs=2 * workload.replicas)).effects if isinstance(e, fx.SetWeight)
    ]
    assert [e.weight for e in half] == [50], "half of a load that has doubled is what they were made for"
    much = replace(SHORT, needs=2 * workload.replicas + 1)
    assert not [e for e in decided(world, much).effects if isinstance(e, fx.SetWeight)]
