"""The life of a release, told in order, in the small world of tests/property."""

from __future__ import annotations

from dataclasses import replace

import pytest

from canary.core import effects as fx
from canary.core.decide import decide
from canary.core.observed import Commands, LoadView
from canary.core.phases import Phase, Stage
from tests.property.parts import APPROVAL_PLAN
from tests.property.world import World


def settled(**fields: object) -> World:
    world = World(**fields)  # type: ignore[arg-type]  # names are the dataclass's
    world.settle()
    return world


def run(world: World, seconds: int, *, until: Phase | None = None) -> None:
    for _ in range(seconds):
        world.kubelet()
        world.controller()
        world.kubelet()
        world.gateway()
        world.git()
        world.operate()
        if until is not None and world.state.phase is until:
            return
        world.pass_time(1)
    assert until is None, world.log[-10:]


def phase(world: World) -> Phase:
    return world.state.phase


def weights(world: World) -> list[str]:
    return [entry.split("weight=")[1].split(",")[0] for entry in world.log if "SetWeight" in entry]


def test_a_rollout_for_an_existing_deployment_adopts_what_serves():
    world = settled()
    assert world.state.phase is Phase.STABLE
    assert world.state.stable is not None
    assert world.state.stable.template_hash == "t-good0"
    assert world.state.history == ()


def test_a_stable_rollout_writes_nothing():
    world = settled()
    before = world.writes
    run(world, 60)
    assert world.writes == before


def test_a_good_version_is_promoted_step_by_step():
    world = settled()
    world.push("good1")
    world.settle()
    assert world.state.phase is Phase.STABLE
    assert world.state.stable is not None
    assert world.state.stable.template_hash == "t-good1"
    assert weights(world) == ["0", "5", "50", "100", "90", "50", "0"]
    assert [p.outcome for p in world.state.history] == ["Promoted"]


def test_a_bad_version_loses_its_traffic_and_is_reverted_in_git():
    world = settled()
    world.push("bad1")
    world.settle()
    assert world.reverted == ["t-bad1-1"]
    assert world.git_version == "good0"
    assert world.state.phase is Phase.STABLE
    assert [p.outcome for p in world.state.history] == ["RolledBack"]
    assert weights(world) == ["0", "5", "0"]


def test_the_revert_carries_the_whole_report_and_the_status_its_sentence():
    world = settled()
    world.push("bad1")
    run(world, 200, until=Phase.REVERTING)
    release = world.state.release
    assert release is not None
    assert release.brief == "http/errors: m"
    assert release.report.startswith("http/errors: m\n\nhttp/errors: Fail (EvidenceAgainst)\n  canary    no requests\n")
    assert "Next: Look at the canary's bad requests" in release.report
    assert world.state.message.startswith("http/errors: m. The canary has no traffic")
    asked = [
        e for e in decide(world.plan, world.state, world.observed(), world.now).effects if isinstance(e, fx.RevertInGit)
    ]
    assert [each.report for each in asked] == [release.report]


def test_traffic_is_taken_away_before_anything_else_is_written_when_the_verdict_is_bad():
    world = settled()
    world.push("bad1")
    run(world, 100, until=Phase.STEP)
    world.log.clear()
    run(world, 100, until=Phase.ROLLING_BACK)
    first = next(entry for entry in world.log if "drained_since" not in entry and "in_force_since" not in entry)
    decisive = [e for e in world.log if "RollingBack" in e or "SetWeight(weight=0" in e]
    assert "SetWeight(weight=0" in decisive[0], first


def test_what_happened_is_told_before_anything_that_could_end_the_pass():
    world = settled()
    world.push("bad1")
    run(world, 200, until=Phase.AWAITING_GIT)
    world.git()
    world.sync()
    decision = decide(world.plan, world.state, world.observed(), world.now)
    kinds = [type(effect) for effect in decision.effects]
    assert decision.state.reason == "RolledBack"
    assert kinds[:2] == [fx.WriteStatus, fx.Emit]
    assert fx.LetGo in kinds[2:]  # fails when the engine writes to the Deployment meanwhile


def test_a_rejected_version_is_refused_when_it_comes_again():
    world = settled()
    world.push("bad1")
    world.settle()
    world.push("bad1")
    world.settle()
    assert world.state.phase is Phase.HELD
    assert world.state.reason == "Rejected"
    assert world.copy is None


def test_a_rejected_version_is_refused_when_only_an_annotation_differs():
    world = settled()
    world.push("bad1")
    world.settle()
    world.push("bad1+")  # another template hash, the same version hash
    world.settle()
    assert world.state.reason == "Rejected"


def test_a_retry_tries_a_rejected_version_again_once():
    world = settled()
    world.push("bad1")
    world.settle()
    world.push("bad1")
    world.settle()
    assert world.state.release is not None
    world.commands = Commands(retry=world.state.release.id)
    run(world, 60, until=Phase.STEP)
    world.settle()
    assert world.reverted == ["t-bad1-1", "t-bad1-3"]
    assert world.state.phase is Phase.STABLE


def test_a_crash_looping_canary_rolls_back_without_metrics():
    world = settled(metrics_up=False)
    world.crashing.add("good1")
    world.push("good1")
    world.settle()
    assert world.state.history[0].outcome == "RolledBack"
    assert set(weights(world)) <= {"0"}


def test_silent_metrics_hold_a_release_and_never_fail_it():
    world = settled(metrics_up=False)
    world.push("good1")
    run(world, 600)
    assert world.state.phase is Phase.STEP
    assert world.weight == 5
    assert (world.state.reason, world.state.stalled) == ("NoData", True), "also when the step has lasted its time"
    world.metrics_up = True
    world.settle()
    assert world.state.history[0].outcome == "Promoted"


def test_a_newer_commit_supersedes_before_the_unpause():
    world = settled()
    world.push("good1")
    run(world, 100, until=Phase.STEP)
    world.push("good2")
    world.settle()
    assert [p.outcome for p in world.state.history] == ["Promoted", "Superseded"]
    assert world.version == "good2"


def test_a_newer_commit_during_the_roll_waits_until_the_roll_is_done():
    world = settled()
    world.push("good1")
    for _ in range(300):
        run(world, 1)
        if world.state.release and world.state.release.stage is Stage.REPLACE and not world.held:
            break
    world.controller()
    world.push("good2")
    world.settle()
    assert [p.outcome for p in world.state.history] == ["Promoted", "Promoted"]


def test_a_person_who_reverts_in_mid_release_cancels_it():
    world = settled()
    world.push("good1")
    run(world, 100, until=Phase.STEP)
    world.push("good0")
    world.settle()
    assert world.state.phase is Phase.STABLE
    assert not world.held
    assert world.state.history[0].outcome == "Cancelled"
    assert world.reverted == []


def test_an_approval_step_waits_for_the_command_of_this_release():
    world = settled(plan=APPROVAL_PLAN)
    world.push("good1")
    run(world, 120)
    release = world.state.release
    assert release is not None
    assert (world.state.phase, world.state.reason) == (Phase.STEP, "AwaitingApproval")
    world.commands = Commands(approved="another/1")
    run(world, 20)
    assert world.state.reason == "AwaitingApproval"
    world.commands = Commands(approved=f"{release.id}/1")
    world.settle()
    assert world.state.history[0].outcome == "Promoted"


def test_an_abort_rolls_back_and_reverts():
    world = settled()
    world.push("good1")
    run(world, 100, until=Phase.STEP)
    assert world.state.release is not None
    world.commands = Commands(abort=world.state.release.id)
    world.settle()
    assert world.reverted == ["t-good1-1"]
    assert world.state.rejected[0].reason == "Aborted"


def test_git_that_cannot_be_reached_leaves_traffic_at_zero():
    world = settled(git_up=False)
    world.push("bad1")
    run(world, 300)
    assert phase(world) is Phase.REVERTING
    assert world.weight is None
    assert world.copy is None
    assert world.held
    world.git_up = True
    world.settle()
    assert world.state.phase is Phase.STABLE


def test_rollback_without_git_waits_held():
    world = settled(plan=replace(World().plan, revert=False))
    world.push("bad1")
    world.settle()
    assert (world.state.phase, world.state.reason) == (Phase.AWAITING_GIT, "RevertOff")
    assert world.held


@pytest.mark.parametrize("moment", ["Held", "Starting", "Step", "RollingBack", "AwaitingGit"])
def test_deleting_the_rollout_in_mid_release_leaves_the_deployment_held_and_nothing_else(moment):
    world = settled(git_up=False, plan=replace(World().plan, revert=False))
    world.push("bad1")
    run(world, 200, until=Phase(moment))
    world.deleting = True
    run(world, 100)
    assert not world.finalizer
    assert world.held
    assert (world.copy, world.weight, world.pin) == (None, None, None)


def test_deleting_a_stable_rollout_takes_its_marks_off():
    world = settled()
    world.deleting = True
    run(world, 10)
    assert not (world.labelled or world.service_labelled or world.route_labelled or world.finalizer)


def test_a_rollout_goes_before_its_rejected_versions_are_listed_anew():
    # A namespace that is being deleted has lost the list already, and takes no new objects: asked for first, it would
    # keep the Rollout, and so the namespace, for ever.
    world = settled()
    world.push("bad1")
    world.settle()
    world.deleting = True
    world.listed.clear()
    decision = decide(world.plan, world.state, world.observed(), world.now)
    kinds = [type(effect) for effect in decision.effects]
    assert kinds.index(fx.RemoveFinalizer) < kinds.index(fx.RememberRejected)


def test_scaled_to_zero_and_back_while_held_stable_comes_back():
    world = settled(git_up=False, plan=replace(World().plan, revert=False))
    world.push("bad1")
    world.settle()
    world.replicas = 0
    world.sets["good0"].replicas = world.sets["good0"].ready = 0
    run(world, 5)
    world.sets["other"] = type(world.sets["good0"])(0, 0)  # a newer ReplicaSet that the controller would start
    world.replicas = 4
    world.operate()
    world.controller()
    run(world, 5)
    assert world.sets["good0"].replicas == 4
    assert world.sets["other"].replicas == 0


def test_without_policies_the_operator_holds_by_itself():
    world = settled(policies=False)
    assert world.held
    world.push("good1")
    world.settle()
    assert world.state.history[0].outcome == "Promoted"
    assert world.held


def test_letting_go_carries_the_resource_version_of_what_was_judged():
    world = settled()
    world.push("good1")
    for _ in range(300):
        run(world, 1)
        if world.state.release and world.state.release.stage is Stage.PIN:
            break
    judged = str(world.rv)
    world.log.clear()
    run(world, 20)
    assert any(entry.endswith(str(fx.LetGo(judged))) for entry in world.log)


def test_an_approval_of_another_step_is_not_this_steps_approval():
    world = settled(plan=APPROVAL_PLAN)
    world.push("good1")
    run(world, 120)
    assert world.state.release is not None
    world.commands = Commands(approved=f"{world.state.release.id}/0")
    run(world, 20)
    assert world.state.reason == "AwaitingApproval"


def test_a_pause_keeps_the_weight_and_a_bad_verdict_ends_it_all_the_same():
    world = settled()
    world.push("bad1")
    run(world, 100, until=Phase.STEP)
    world.commands = Commands(paused=True)
    world.settle()
    assert world.reverted == ["t-bad1-1"]


def test_a_deployment_paused_by_its_owner_is_left_alone_until_it_is_unpaused():
    world = World(held=False)
    observed = world.observed()
    assert observed.workload is not None
    paused = replace(observed, workload=replace(observed.workload, paused=True), finalizer=True)
    decision = decide(world.plan, world.state, paused, world.now)
    assert decision.state.phase is Phase.PAUSED
    assert not [e for e in decision.effects if not isinstance(e, fx.WriteStatus | fx.Emit | fx.Label)]
    again = decide(world.plan, decision.state, replace(observed, finalizer=True), world.now)
    assert again.state.phase is Phase.PENDING


def test_a_second_rollout_for_one_deployment_is_refused_and_touches_nothing():
    world = World()
    observed = world.observed()
    assert observed.workload is not None
    taken = replace(observed, workload=replace(observed.workload, other_owner="first"), finalizer=True)
    decision = decide(world.plan, world.state, taken, world.now)
    assert (decision.state.phase, decision.state.reason) == (Phase.PENDING, "AlreadyOwned")
    assert all(isinstance(e, fx.WriteStatus | fx.Emit) for e in decision.effects)


@pytest.mark.parametrize("missing", ["workload", "service", "traffic"])
def test_what_is_missing_is_said_and_heals_when_it_comes(missing):
    world = settled()
    without = replace(world.observed(), **{missing: None})  # type: ignore[arg-type]  # each may be None
    decision = decide(world.plan, world.state, without, world.now)
    assert decision.state.stalled
    assert decision.state.reason.endswith("NotFound")
    healed = decide(world.plan, decision.state, world.observed(), world.now)
    assert not healed.state.stalled


def test_no_release_starts_while_the_history_limit_is_zero():
    world = settled()
    world.push("good1")
    observed = world.observed()
    assert observed.workload is not None
    limited = replace(observed, workload=replace(observed.workload, history_limit=0))
    held = decide(world.plan, world.state, limited, world.now)
    assert decide(world.plan, held.state, limited, world.now).state.reason == "HistoryLimitZero"


def test_the_weight_is_not_raised_while_stable_alone_could_not_carry_the_load():
    world = settled()
    world.push("good1")
    run(world, 100, until=Phase.STEP)
    for _ in range(40):
        world.kubelet()
        world.gateway()
        decision = decide(world.plan, world.state, replace(world.observed(), load=LoadView(enough=False)), world.now)
        assert not [e for e in decision.effects if isinstance(e, fx.SetWeight) and e.weight > 5]
        for effect in decision.effects:
            world.apply(effect)
        world.pass_time(1)


def test_traffic_that_came_while_no_operator_ran_is_judged():
    world = settled()
    world.push("bad1")
    for _ in range(100):
        run(world, 1)
        if world.weight == 5:
            break
    assert world.state.release is not None
    began = world.state.release.since
    world.gateway()
    world.pass_time(30)  # killed right after the weight was written, and started again
    world.operate()
    assert world.state.release.analysis_since == began
    run(world, 1)
    assert world.weight in {0, None}
