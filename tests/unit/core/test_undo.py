"""A commit, or a bad verdict, that comes while the Deployment is already being replaced."""

from __future__ import annotations

from dataclasses import replace

import pytest

from canary.analysis.verdict import Outcome, Reason, Verdict
from canary.core import effects as fx
from canary.core.observed import AnalysisView, Commands
from canary.core.phases import Phase, Stage
from tests.property.world import World
from tests.unit.core.test_hands import decided, outcomes, releasing
from tests.unit.core.test_releases import run


def rolling(*, policies: bool = True) -> World:
    """A world whose Deployment is half replaced."""
    world = releasing(Stage.REPLACE, policies=policies)
    while world.sets["good0"].replicas > world.replicas // 2:
        world.operate()
        world.controller()
        world.kubelet()
        world.gateway()
    assert not world.held
    return world


def abort(world: World) -> None:
    assert world.state.release is not None
    world.commands = Commands(abort=world.state.release.id)


def taken_back(world: World) -> None:
    """Run until traffic leaves the canary; until then it is the canary's, who has the pods for it."""
    while world.weight == 100:
        assert world.copy is not None
        assert world.copy.pods.ready >= world.replicas
        assert world.state.undoing or world.state.phase is Phase.ROLLING_BACK
        world.controller()
        world.kubelet()
        world.gateway()
        world.operate()
        world.pass_time(1)
    assert world.sets["good0"].ready == world.replicas, "traffic went to a half-sized side"
    assert world.pin == "k-good0"
    assert world.sets["good1"].replicas == 0


@pytest.mark.parametrize("policies", [True, False])
def test_a_version_that_is_aborted_while_the_deployment_rolls_is_undone_and_reverted(policies: bool):
    world = rolling(policies=policies)
    abort(world)
    world.operate()
    assert world.state.phase is Phase.ROLLING_BACK
    assert world.state.undoing
    taken_back(world)
    world.settle()
    assert outcomes(world) == ["RolledBack"]
    assert world.git_version == "good0"
    assert world.sets["good0"].replicas == world.replicas
    assert world.held is not policies, "without the policies a Deployment is held while it is stable"


def test_a_verdict_that_fails_while_the_deployment_rolls_holds_it_again_and_raises_nothing():
    world = rolling()
    assert world.state.release is not None
    verdict = Verdict(Outcome.FAIL, True, (), Reason.EVIDENCE_AGAINST, "half of the requests failed", world.now)
    seen = decided(world, analysis=AnalysisView(world.state.release.id, False, verdict, None))
    assert seen.state.reason == "AnalysisFailed"
    assert [r.template_hash for r in seen.state.rejected] == ["t-good1"]
    assert [e for e in seen.effects if isinstance(e, fx.Hold)]
    assert not [e for e in seen.effects if isinstance(e, fx.SetWeight | fx.LetGo | fx.DeleteCopy)]


def test_a_newer_commit_waits_for_the_undo_and_is_released_in_its_turn():
    world = rolling()
    abort(world)
    world.operate()
    world.push("good2")
    taken_back(world)
    world.settle()
    assert outcomes(world) == ["Promoted", "RolledBack"]
    assert world.state.stable is not None
    assert world.state.stable.template_hash == "t-good2"


def test_stable_that_is_pushed_again_in_mid_undo_ends_it():
    world = rolling()
    abort(world)
    world.operate()
    world.push("good0")
    taken_back(world)
    world.settle()
    assert outcomes(world) == ["RolledBack"]
    assert not world.reverted
    assert not world.held


def test_a_verdict_before_anything_rolled_gives_the_traffic_back_at_once():
    world = releasing(Stage.PIN)
    while world.state.release is not None and world.state.release.stage is Stage.PIN:
        world.kubelet()
        world.gateway()
        world.operate(crash_after=1)  # what was decided is in the status, and nothing is let go
        world.pass_time(1)
    assert world.held
    abort(world)
    for _ in range(3):
        world.operate()
    assert world.weight == 0
    world.settle()
    assert outcomes(world) == ["RolledBack"]


def test_a_canary_that_crashes_as_the_deployment_rolls_is_undone_and_ready_pods_serve():
    world = rolling()
    world.crashing.add("good1")
    assert world.copy is not None
    world.copy.pods.ready = 0
    world.operate()
    assert world.state.undoing
    for _ in range(3):
        world.operate()
        assert world.endpoints() > 0
    assert world.weight == 0
    world.settle()
    assert outcomes(world) == ["RolledBack"]
    assert world.sets["good0"].ready == world.replicas


def test_a_rollout_that_is_deleted_in_mid_undo_leaves_stable_at_full_size_and_the_bad_version_held():
    world = rolling()
    abort(world)
    world.operate()
    world.deleting = True
    taken_back(world)
    world.settle()
    assert world.gone
    assert world.held
    assert world.sets["good0"].ready == world.replicas
    assert (world.pin, world.weight, world.copy) == (None, None, None)


def test_an_undo_that_finds_no_room_leaves_traffic_on_the_canary_and_says_so():
    world = rolling()
    abort(world)
    world.operate()
    for _ in range(3):
        world.operate()
        world.controller()  # stable's pods are asked for, and none starts
    world.pass_time(world.plan.progress_deadline_seconds)
    world.operate()
    assert world.state.reason == "RollStuck"
    assert world.state.stalled
    assert world.weight == 100
    world.settle()
    assert outcomes(world) == ["RolledBack"]


def test_without_stables_replica_set_a_roll_is_not_taken_back():
    world = rolling()
    del world.sets["good0"]
    abort(world)
    world.operate()
    assert not world.state.undoing
    world.settle()
    assert outcomes(world) == ["Promoted"]


@pytest.mark.parametrize("stage", [Stage.SHIFT, Stage.BAKE, Stage.PIN])
def test_a_commit_before_the_unpause_supersedes(stage: Stage):
    world = releasing(stage)
    world.push("good2")
    world.settle()
    assert outcomes(world) == ["Promoted", "Superseded"]
    assert "good1" not in world.sets


@pytest.mark.parametrize("newer", ["good2", "bad2"])
@pytest.mark.parametrize("stage", [Stage.REPLACE, Stage.REPIN, Stage.RETURN, Stage.CLEANUP])
def test_a_commit_after_the_unpause_waits_until_the_deployment_runs_what_was_judged(stage: Stage, newer: str):
    world = rolling() if stage is Stage.REPLACE else releasing(stage)
    world.push(newer)
    assert world.held
    while not world.state.history:
        run(world, 1)
    assert outcomes(world) == ["Promoted"]
    assert world.sets["good1"].ready == world.replicas
    assert world.sets["good0"].replicas == 0
    world.settle()
    good = newer.startswith("good")
    assert outcomes(world) == ["Promoted" if good else "RolledBack", "Promoted"]
    assert [v for v, pods in world.sets.items() if pods.replicas] == [newer if good else "good1"]


def test_a_roll_that_was_held_in_the_middle_without_policies_ends_with_one_version_when_stable_comes_back():
    world = rolling(policies=False)
    assert world.state.release is not None
    # The status is lost in mid-roll, and stable is what had more pods when it was looked for.
    world.state = replace(world.state, phase=Phase.STABLE, release=None)
    world.push("good0")
    world.settle()
    assert [v for v, pods in world.sets.items() if pods.replicas] == ["good0"]
