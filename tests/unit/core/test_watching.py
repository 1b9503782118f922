"""When a step has been watched for long enough."""

from __future__ import annotations

from dataclasses import replace

from canary.core.decide import decide
from canary.core.phases import Phase
from canary.core.plan import WeightStep
from tests.property.world import World


def test_a_step_is_not_ended_by_a_look_from_before_it():
    # Seen with a Prometheus that hung just after a raise: the step passed at the end of its time by the look before it.
    world = World()
    world.settle()
    world.push("good1")
    for _ in range(200):
        world.kubelet()
        world.controller()
        world.gateway()
        world.operate()
        if world.state.release is not None and world.state.release.step == 1 and world.state.release.in_force_since:
            break
        world.pass_time(1)
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
