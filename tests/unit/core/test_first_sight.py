"""The first version that is seen of a Deployment: adopted, unless it is known to be a rejected one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from canary.core import effects as fx
from canary.core.decide import decide
from canary.core.observed import Commands
from canary.core.phases import Phase
from canary.core.state import Rejected, State
from tests.property.parts import Pods, revision
from tests.property.world import World
from tests.unit.core.test_hands import outcomes
from tests.unit.core.test_releases import run, settled

LISTED = {"t-bad1": "v-bad1"}
NOTED = (Rejected("t-bad1", "v-bad1", 900.0, "c-bad1", "AnalysisFailed", ("shop/checkout:bad1",)),)


def made(version: str, **fields: object) -> World:
    """A world in which nothing was, and a Deployment is made with this version."""
    world = World(**fields)  # type: ignore[arg-type]  # names are the dataclass's
    world.made(version)
    run(world, 10)
    return world


def stable(world: World) -> str:
    return world.state.stable.template_hash if world.state.stable else ""


def retry(world: World) -> None:
    assert world.state.release is not None
    world.commands = Commands(retry=world.state.release.id)


def test_a_first_deployment_is_adopted():
    world = made("good1")
    assert (world.state.phase, stable(world)) == (Phase.STABLE, "t-good1")


def test_a_rejected_version_that_a_deployment_is_made_with_is_refused_and_nothing_of_it_runs():
    world = made("bad1", listed=dict(LISTED))
    assert world.state.phase is Phase.HELD
    assert (world.state.reason, world.state.stalled) == ("RejectedFirst", True)
    assert (world.held, world.sets, stable(world)) == (True, {}, "")


def test_a_version_that_was_held_for_its_images_alone_is_let_go_and_adopted():
    world = World(listed=dict(LISTED))
    world.made("bad1")
    world.version = world.git_version = "good1"
    run(world, 10)
    assert (world.state.phase, stable(world), world.held) == (Phase.STABLE, "t-good1", False)


def test_the_next_version_is_let_go_where_nothing_has_run_yet():
    world = made("bad1", listed=dict(LISTED))
    world.push("good1")
    run(world, 15)
    assert (world.state.phase, stable(world), world.held) == (Phase.STABLE, "t-good1", False)


def test_a_retry_lets_the_rejected_version_run_adopts_it_and_forgets_that_it_was_rejected():
    world = made("bad1", listed=dict(LISTED))
    retry(world)
    run(world, 15)
    assert (world.state.phase, stable(world)) == (Phase.STABLE, "t-bad1")
    assert world.listed == {}
    assert world.state.rejected == ()


def test_a_retry_means_one_release_only():
    world = made("bad1", listed=dict(LISTED))
    world.commands = Commands(retry="another-1")
    run(world, 15)
    assert world.state.reason == "RejectedFirst"


def test_a_rejected_version_that_only_git_knows_goes_on_serving_and_is_not_adopted():
    world = made("bad1", noted=NOTED)
    assert world.state.phase is Phase.HELD
    assert (world.state.reason, world.state.stalled, stable(world)) == ("RejectedServes", True, "")
    assert world.endpoints() == world.replicas


def test_what_only_git_knows_is_written_on_the_list():
    assert made("bad1", noted=NOTED).listed == LISTED
    assert made("good1", noted=NOTED).listed == LISTED


def test_a_newer_version_is_judged_against_the_rejected_one_that_serves():
    world = made("bad1", noted=NOTED)
    run(world, 10)
    world.push("good1")
    world.settle()
    assert (world.state.phase, stable(world)) == (Phase.STABLE, "t-good1")
    assert outcomes(world) == ["Promoted", "Superseded"]


def test_a_retry_adopts_the_rejected_version_that_serves():
    world = made("bad1", noted=NOTED)
    retry(world)
    run(world, 5)
    assert (world.state.phase, stable(world)) == (Phase.STABLE, "t-bad1")
    assert world.listed == {}


def test_a_version_that_git_notes_as_rejected_is_refused_when_it_comes_later():
    world = made("good0", noted=NOTED)
    world.push("bad1")
    world.settle()
    assert (world.state.phase, world.state.reason) == (Phase.HELD, "Rejected")


def test_nothing_is_adopted_or_let_go_before_gits_notes_were_read():
    world = World(listed=dict(LISTED))
    world.made("bad1")
    world.version = world.git_version = "good1"
    world.operate()
    awaited = replace(world.observed(), notes_awaited=True)
    decision = decide(world.plan, State(), awaited, world.now)
    assert (decision.state.phase, decision.state.reason) == (Phase.PENDING, "ReadingNotes")
    assert not [e for e in decision.effects if isinstance(e, fx.LetGo)]


@pytest.mark.parametrize("seen_gone", [True, False], ids=["the deletion was seen", "the deletion was missed"])
def test_a_deployment_made_anew_with_the_rejected_version_is_refused_and_then_takes_any_other(seen_gone):
    world = settled()
    world.push("bad1")
    world.git_up = False
    run(world, 100, until=Phase.REVERTING)
    world.exists, world.sets = False, {}
    if seen_gone:
        run(world, 3)
    world.made("bad1")
    run(world, 15)
    assert world.held
    assert world.sets == {}
    world.push("good2")
    run(world, 20)
    assert (world.state.phase, stable(world), world.held) == (Phase.STABLE, "t-good2", False)


def test_a_deployment_made_anew_with_another_version_is_adopted():
    world = settled()
    world.exists, world.sets = False, {}
    run(world, 3)
    assert world.state.reason == "WorkloadNotFound"
    world.made("good2")
    run(world, 15)
    assert (world.state.phase, stable(world)) == (Phase.STABLE, "t-good2")


def test_without_policies_a_deployment_made_anew_with_the_rejected_version_is_not_adopted():
    world = settled(policies=False)
    world.push("bad1")
    world.settle()
    world.exists, world.sets, world.held = False, {}, False
    run(world, 3)
    world.made("bad1")
    run(world, 15)
    assert (world.state.phase, world.state.reason) == (Phase.HELD, "RejectedServes")


def test_a_restored_status_whose_stable_version_is_gone_lets_another_version_run():
    world = World()
    world.state = replace(State(), phase=Phase.STABLE, stable=revision("older"))
    world.listed = dict(LISTED)
    world.made("bad1")
    world.version = world.git_version = "good1"
    run(world, 15)
    assert (world.state.phase, stable(world)) == (Phase.STABLE, "t-good1")


def test_a_held_status_that_lost_its_stable_version_sees_what_serves_anew():
    world = settled()
    world.push("good1")
    run(world, 3)
    assert world.state.release is not None
    world.state = replace(world.state, phase=Phase.HELD, stable=None)
    world.settle()
    assert (world.state.phase, stable(world)) == (Phase.STABLE, "t-good1")
    assert outcomes(world)[0] == "Promoted"


def test_a_rollout_that_is_deleted_while_its_first_version_is_refused_leaves_it_held_and_labelled():
    world = made("bad1", listed=dict(LISTED))
    world.deleting = True
    run(world, 5)
    assert (world.finalizer, world.held, world.labelled) == (False, True, True)


def test_a_deployment_whose_pods_are_there_before_its_replica_sets_are_known_was_not_just_made():
    world = settled()
    world.push("good1")
    seen = world.observed()
    assert seen.workload is not None
    unknown = replace(seen, workload=replace(seen.workload, replica_sets=(), pods=4))
    decision = decide(world.plan, world.state, unknown, world.now)
    assert decision.state.stable is not None
    assert not [e for e in decision.effects if isinstance(e, fx.LetGo)]


def test_the_pods_of_a_refused_first_version_may_be_scaled_to_zero_and_back():
    world = made("bad1", noted=NOTED)
    world.replicas = 0
    run(world, 10)
    world.replicas = 4
    run(world, 10)
    assert world.state.phase is Phase.HELD
    assert world.sets["bad1"] == Pods(4, 4)
