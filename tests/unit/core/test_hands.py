"""What others do to a release under way, and what must not come of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from canary.analysis.verdict import MetricReading, Outcome, Reason, Verdict
from canary.core import effects as fx
from canary.core.decide import decide
from canary.core.effects import Decision
from canary.core.observed import Commands, Observed
from canary.core.phases import Phase, Stage
from canary.core.state import State
from tests.property.parts import HALF_AT_ONCE, PLAN, Pods
from tests.property.world import World
from tests.unit.core.test_releases import run, settled


def releasing(until: Phase | Stage, *, version: str = "good1", **fields: object) -> World:
    """A world whose release has come so far."""
    world = settled(**fields)
    world.push(version)
    for _ in range(400):
        run(world, 1)
        release = world.state.release
        if world.state.phase is until or (release is not None and release.stage is until):
            return world
    raise AssertionError(world.log[-5:])


def decided(world: World, **seen: object) -> Decision:
    """What is decided now, of an observation of which something is replaced."""
    observed: Observed = replace(world.observed(), **seen)  # type: ignore[arg-type]  # names are the dataclass's
    return decide(world.plan, world.state, observed, world.now)


def outcomes(world: World) -> list[str]:
    return [past.outcome for past in world.state.history]


# --- the canary's pods -----------------------------------------------------------------------------------------------


def test_a_first_step_that_needs_several_pods_starts():
    world = settled(plan=HALF_AT_ONCE)
    world.push("good1")
    world.settle()
    assert outcomes(world) == ["Promoted"]


def test_a_canary_that_loses_its_pods_while_the_service_is_being_pinned_gives_the_traffic_back():
    world = releasing(Stage.PIN)
    world.kubelet()
    world.operate()
    assert world.copy is not None
    assert world.pin == f"k-copy-{world.copy.release}"
    world.copy.pods.ready = 0
    world.operate()
    assert (world.weight, world.pin) == (0, "k-good0")
    world.settle()
    assert outcomes(world) == ["Promoted"]


def test_the_deployment_is_not_let_go_while_the_canary_has_too_few_pods():
    world = releasing(Stage.PIN)
    world.operate()
    world.pass_time(PLAN.settle_seconds)
    assert [e for e in decided(world).effects if isinstance(e, fx.LetGo)]
    copy = world.observed().copy
    assert copy is not None
    assert not [e for e in decided(world, copy=replace(copy, ready=1)).effects if isinstance(e, fx.LetGo)]


def test_a_canary_that_dies_while_the_deployment_rolls_leaves_the_traffic_to_the_pods_that_are_there():
    world = releasing(Stage.REPLACE)
    while world.held:
        run(world, 1)
    world.controller()
    assert world.copy is not None
    world.copy.pods.ready = 0
    world.operate()
    assert world.weight == 0
    assert world.endpoints() > 0
    world.settle()
    assert outcomes(world) == ["Promoted"]


def test_new_pods_that_die_while_traffic_returns_lose_it_to_the_canary():
    world = releasing(Stage.RETURN)
    run(world, 2)
    assert world.weight == 90
    world.sets["good1"].ready = 0
    world.operate()
    world.operate()
    assert world.weight == 100
    assert world.endpoints() > 0
    world.settle()
    assert outcomes(world) == ["Promoted"]


def test_a_canary_that_dies_while_traffic_returns_loses_the_rest_of_it():
    world = releasing(Stage.RETURN)
    run(world, 2)
    assert world.copy is not None
    world.copy.pods.ready = 0
    world.operate()
    assert world.weight == 0


def test_a_canary_that_was_unready_once_and_is_ready_now_is_not_rolled_back():
    world = releasing(Phase.STEP)
    run(world, 2)
    assert world.copy is not None
    world.copy.pods.ready = 0
    world.operate()
    world.pass_time(31)  # nobody looked, as when the operator is restarted
    world.kubelet()
    world.operate()
    assert world.state.phase is Phase.STEP
    assert world.state.release is not None
    assert world.state.release.unready_since is None


@pytest.mark.parametrize(
    ("reason", "suspicious", "raised"),
    [
        (Reason.NO_CANDIDATE_DATA, False, True),
        (Reason.NO_CANDIDATE_DATA, True, False),
        (Reason.UNAVAILABLE, False, False),
    ],
)
def test_a_canary_whose_pods_are_back_gets_its_weight_again_although_no_request_can_be_measured_without_it(
    reason: Reason, suspicious: bool, raised: bool
):
    world = releasing(Phase.STEP)
    run(world, 2)
    assert world.copy is not None
    world.copy.pods.ready = 0
    world.operate()
    assert world.weight == 0
    world.kubelet()
    view = world.observed().analysis
    assert view is not None
    reading = MetricReading("app/errors", Outcome.ERROR, reason, "compare", critical=True, message="m")
    verdict = Verdict(Outcome.ERROR, suspicious, (reading,), reason, "m", world.now)
    decision = decided(world, analysis=replace(view, verdict=verdict))
    assert [e.weight for e in decision.effects if isinstance(e, fx.SetWeight)] == ([5] if raised else [])


def test_a_canary_is_not_blamed_for_pods_that_an_autoscaler_has_only_just_asked_for():
    world = releasing(Phase.STEP)
    while world.weight != 50:
        run(world, 1)
    world.replicas, world.metrics_up = 8, False
    for _ in range(60):  # the pods that are added take a minute, stable's as well as the canary's
        world.controller()
        world.gateway()
        world.operate()
        world.pass_time(1)
    assert world.state.phase is Phase.STEP
    run(world, 5)
    world.metrics_up = True
    world.settle()
    assert outcomes(world) == ["Promoted"]


def test_a_crashing_pod_that_somebody_edited_into_the_canary_is_not_the_versions_fault():
    world = releasing(Phase.STEP)
    copy = world.observed().copy
    assert copy is not None
    edited = replace(copy, template_hash="t-edited", failure="CrashLoopBackOff: pod x")
    assert decided(world, copy=edited).state.phase is Phase.STEP


# --- time in which nobody looked, or something was missing -----------------------------------------------------------


def test_the_time_before_there_was_a_canary_is_not_held_against_it():
    world = settled()
    world.push("good1")
    world.operate()
    world.operate(crash_after=1)
    assert (world.state.phase, world.copy) == (Phase.STARTING, None)
    world.pass_time(3_600)
    world.settle()
    assert outcomes(world) == ["Promoted"]


@pytest.mark.parametrize("missing", ["service", "route"])
def test_what_is_missing_while_a_canary_starts_is_not_held_against_it(missing):
    world = releasing(Phase.STARTING)
    setattr(world, missing, False)
    world.pin = world.weight = None
    run(world, 700)
    assert (world.state.phase, world.state.stalled) == (Phase.STARTING, True)
    assert world.state.reason == ("ServiceNotFound" if missing == "service" else "RouteNotFound")
    setattr(world, missing, True)
    world.settle()
    assert outcomes(world) == ["Promoted"]


@pytest.mark.parametrize("moment", [Phase.STARTING, Phase.STEP, Stage.SHIFT, Stage.RETURN])
def test_a_gateway_that_refuses_the_route_is_told(moment):
    world = releasing(moment)
    world.gateway_refuses = True
    run(world, 700)
    assert (world.state.stalled, world.state.reason) == (True, "RouteNotAccepted")
    world.gateway_refuses = False
    world.settle()
    assert outcomes(world) == ["Promoted"]


def test_a_raise_that_waits_for_stables_capacity_says_so():
    world = releasing(Phase.STEP)
    world.carries = False
    run(world, 90)
    assert (world.state.stalled, world.state.reason) == (True, "NotRaised")
    assert "autoscaler" in world.state.message
    writes = world.writes
    run(world, 60)
    assert world.writes == writes


# --- the end of the bake ---------------------------------------------------------------------------------------------


def test_the_bake_does_not_end_while_the_metrics_are_silent():
    world = releasing(Stage.BAKE)
    world.metrics_up = False
    run(world, 300)
    assert world.held
    assert (world.state.stalled, world.state.reason) == (True, "BakeHolds")
    world.metrics_up = True
    world.settle()
    assert outcomes(world) == ["Promoted"]


def test_the_bake_does_not_end_under_suspicion():
    world = releasing(Stage.BAKE)
    world.pass_time(PLAN.bake_seconds)
    seen = world.observed().analysis
    assert seen is not None
    assert seen.verdict is not None
    doubted = replace(seen, verdict=replace(seen.verdict, suspicious=True))
    release = decided(world, analysis=doubted).state.release
    assert release is not None
    assert release.stage is Stage.BAKE


def test_the_bake_does_not_end_while_the_weight_is_not_in_force():
    world = releasing(Stage.BAKE)
    world.pass_time(PLAN.bake_seconds)
    world.weight = 0  # by hand; the gateway has not got it yet
    release = decided(world).state.release
    assert release is not None
    assert release.stage is Stage.BAKE


def test_a_bake_that_cannot_give_the_traffic_back_to_a_canary_says_so():
    world = releasing(Stage.BAKE)
    assert world.copy is not None
    world.copy.pods.ready = 0
    world.operate()
    assert world.weight == 0
    world.metrics_up = False
    run(world, 60)
    assert (world.weight, world.state.stalled, world.state.reason) == (0, True, "NotRaised")
    world.metrics_up = True
    world.settle()
    assert outcomes(world) == ["Promoted"]


# --- pins, weights and Services --------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.STEP, Phase.ROLLING_BACK, Phase.REVERTING])
def test_as_long_as_there_is_a_canary_a_service_made_anew_is_pinned_to_stable(phase):
    world = releasing(Phase.STARTING if phase is Phase.STARTING else Phase.STEP, version="bad1", git_up=False)
    while world.copy is None or world.state.phase is not phase:
        world.kubelet()
        world.operate()
        if phase is not Phase.ROLLING_BACK or world.weight:
            world.gateway()
        world.pass_time(1)
    world.pin, world.excused = None, True
    world.operate()
    assert world.pin == "k-good0"


def test_a_pin_that_somebody_takes_while_the_deployment_rolls_is_put_back():
    world = releasing(Stage.REPLACE)
    run(world, 2)
    assert world.copy is not None
    world.pin = None
    world.operate()
    assert world.pin == f"k-copy-{world.copy.release}"


def test_a_weight_that_somebody_sets_while_the_canary_drains_is_taken_back():
    world = releasing(Stage.CLEANUP)
    world.weight = 30
    world.settle()
    assert outcomes(world) == ["Promoted"]


def test_a_canary_drains_in_full_also_when_the_route_goes_right_after_a_raise():
    world = releasing(Phase.STEP)
    assert world.state.release is not None
    assert world.weight == 5
    world.pass_time(3)
    world.route, world.weight = False, None
    world.commands = Commands(abort=world.state.release.id)
    world.operate()
    world.operate()
    world.pass_time(PLAN.drain_seconds - 1)
    world.operate()
    assert world.copy is not None
    assert not world.copy.deleting


def test_a_service_of_a_deployment_that_was_deleted_is_unpinned_at_once():
    world = releasing(Phase.STEP)
    world.exists, world.sets = False, {}
    world.operate()
    assert world.pin is None


def test_a_status_that_is_lost_while_the_deployment_rolls_takes_no_endpoints_away():
    world = releasing(Stage.REPLACE)
    while world.held:
        run(world, 1)
    world.state = State()
    world.settle()
    assert world.state.phase is Phase.STABLE
    assert world.endpoints() > 0


@pytest.mark.parametrize("phase", [Phase.STEP, Phase.PROMOTING, Phase.REVERTING, Phase.AWAITING_GIT])
def test_a_status_without_the_release_that_its_phase_needs_is_gone_on_from(phase):
    world = settled()
    world.push("good1")
    world.state = replace(world.state, phase=phase)
    world.settle()
    assert outcomes(world) == ["Promoted"]


# --- the hold --------------------------------------------------------------------------------------------------------


def test_a_version_let_go_by_hand_in_mid_release_rolls_behind_an_unpinned_service_and_is_adopted():
    world = releasing(Phase.STEP)
    world.held, world.rv = False, world.rv + 1
    world.allowed.add("good1")
    world.operate()
    assert (world.weight, world.pin) == (0, None)
    world.settle()
    assert outcomes(world) == ["Cancelled"]
    assert world.state.stable is not None
    assert world.state.stable.template_hash == "t-good1"


def test_a_version_let_go_by_hand_while_another_is_promoted_is_adopted_and_the_canary_carries_until_then():
    world = releasing(Stage.RETURN)
    world.push("good2")
    world.held, world.rv = False, world.rv + 1
    world.allowed.add("good2")
    world.operate()
    world.operate()
    assert world.weight == 100
    world.settle()
    assert world.state.stable is not None
    assert (world.state.reason, world.state.stable.template_hash) == ("Adopted", "t-good2")


def test_the_wrong_replica_set_keeps_its_ready_pods_until_stables_are_ready():
    world = releasing(Phase.HELD, plan=replace(PLAN, steps=()))
    world.sets["good0"] = Pods(0, 0)
    world.sets["older"] = Pods(4, 4)  # started from zero by the controller while no operator ran
    world.operate()
    assert world.sets["older"].replicas == 4
    assert world.sets["good0"].replicas == 4
    world.sets["good0"].ready = 4
    world.operate()
    assert world.sets["older"].replicas == 0


def test_a_deployment_that_its_owner_paused_and_the_policy_held_is_let_go_when_it_says_stable_again():
    world = settled()
    world.state = replace(world.state, phase=Phase.PAUSED, reason="PausedByOwner", stalled=True)
    world.held = True  # a version came and went while no operator ran; the owner's unpause is put back
    world.settle()
    assert (world.state.phase, world.held) == (Phase.STABLE, False)


def test_without_policies_a_commit_during_the_roll_is_held_and_released_in_its_turn():
    world = releasing(Stage.REPLACE, policies=False)
    while world.held:
        run(world, 1)
    world.controller()
    world.git_version = world.version = "good2"
    world.rv += 1
    world.operate()
    assert world.held
    world.settle()
    assert outcomes(world) == ["Promoted", "Promoted"]


def test_without_policies_the_deployment_is_held_again_as_soon_as_it_has_rolled():
    world = releasing(Stage.RETURN, policies=False)
    assert world.held


def test_without_policies_a_hold_that_somebody_takes_off_is_put_back():
    world = releasing(Phase.STEP, policies=False)
    world.held, world.rv = False, world.rv + 1
    world.operate()
    assert world.held
    assert world.pin == "k-good0"


def test_old_pods_are_not_taken_away_for_a_newer_commit_when_the_canary_is_gone():
    world = releasing(Stage.REPLACE)
    while world.held:
        run(world, 1)
    world.controller()
    world.push("good2")
    world.copy = None
    world.operate()
    assert world.held
    assert world.endpoints() > 0
    world.settle()
    assert outcomes(world) == ["Promoted", "Promoted"]


# --- people's commands -----------------------------------------------------------------------------------------------


def test_a_rollout_that_has_fewer_steps_now_goes_on_with_its_last():
    world = releasing(Phase.STEP)
    while world.weight != 50:
        run(world, 1)
    world.plan = replace(PLAN, steps=PLAN.steps[:1])
    run(world, 2)
    assert world.weight == 5
    world.plan = replace(PLAN, steps=())
    world.settle()
    assert outcomes(world) == ["Promoted"]


def test_a_retry_of_another_annotation_of_a_rejected_version_takes_it_off_the_list():
    world = settled()
    world.push("bad1")
    world.settle()
    world.push("bad1+")
    world.settle()
    assert world.state.release is not None
    assert world.state.reason == "Rejected"
    world.commands = Commands(retry=world.state.release.id)
    run(world, 60, until=Phase.STEP)
    assert world.listed == {}


def test_a_paused_rollout_that_is_deleted_while_traffic_returns_still_goes():
    world = releasing(Stage.RETURN)
    world.commands = Commands(paused=True)
    world.deleting = True
    run(world, 120)
    assert not world.finalizer
