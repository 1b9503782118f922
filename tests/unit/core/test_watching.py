"""When a step has been watched for long enough."""

from __future__ import annotations

from dataclasses import replace

from canary.core.decide import decide
from canary.core.judging import LOOK_SECONDS
from canary.core.phases import Phase
from canary.core.plan import WeightStep
from tests.property.world import World


def in_step() -> World:
    """A world in which the last step's weight has just come into force."""
    world = World()
    world.settle()
    world.push("good1")
    for _ in range(200):
        world.kubelet()
        world.controller()
        world.gateway()
        world.operate()
        if world.state.release is not None and world.state.release.step == 1 and world.state.release.in_force_since:
            return world
        world.pass_time(1)
    raise AssertionError(world.log[-10:])


def test_a_step_that_is_shorter_than_the_interval_of_its_metrics_waits_for_the_first_look_without_stalling():
    # Seen: Stalled/Inconclusive until the first look came, and Flux's health check of the Rollout failed for a moment.
    world = in_step()
    release, step, seen = world.state.release, world.plan.steps[1], world.observed()
    assert release is not None
    assert release.in_force_since is not None
    assert isinstance(step, WeightStep)
    assert seen.analysis is not None
    over = release.in_force_since + step.at_most_seconds
    first = over + 300
    silent = replace(seen, analysis=replace(seen.analysis, verdict=None, first_look_at=first))
    waits = decide(world.plan, world.state, silent, over + 1)
    assert waits.state.phase is Phase.STEP
    assert not waits.state.stalled
    assert waits.wake_at == first + LOOK_SECONDS
    assert not decide(world.plan, world.state, silent, first + LOOK_SECONDS - 1).state.stalled
    late = decide(world.plan, world.state, silent, first + LOOK_SECONDS)
    assert late.state.stalled
    assert late.state.reason == "Inconclusive"
    # A session that was made anew after a restart has said nothing either: what was told stands.
    assert decide(world.plan, late.state, silent, over + 1).state.stalled


def test_a_step_is_not_ended_by_a_look_from_before_it():
    # Seen with a Prometheus that hung just after a raise: the step passed at the end of its time by the look before it.
    world = in_step()
    release, step = world.state.release, world.plan.steps[1]
    assert world.state.phase is Phase.STEP
    assert release is not None
    assert release.in_force_since is not None
    assert isinstance(step, WeightStep)
    seen = world.observed()
    assert seen.analysis is not None
    assert seen.analysis.verdict is not None
    before = replace(seen.analysis.verdict, at=release.in_force_since - 1)
    late = release.in_force_since + step.at_most_seconds + 60
    stale = replace(seen, analysis=replace(seen.analysis, verdict=before))
    assert decide(world.plan, world.state, stale, late).state.phase is Phase.STEP
    fresh = replace(seen, analysis=replace(seen.analysis, verdict=replace(before, at=late)))
    assert decide(world.plan, world.state, fresh, late).state.phase is Phase.PROMOTING
