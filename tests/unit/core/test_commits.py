"""Which Git commits the status tells: stable's, and the one that took a release back."""

from __future__ import annotations

from canary.core.decide import decide
from canary.core.phases import Phase
from tests.unit.core.test_hands import decided, releasing
from tests.unit.core.test_releases import run, settled


def test_what_is_adopted_has_the_commit_that_the_engine_has_applied():
    world = settled()
    assert world.state.stable is not None
    assert world.state.stable.commit == "sha-good0"


def test_what_is_adopted_while_the_engine_still_applies_gets_its_commit_when_that_is_done_and_once():
    world = settled(engine_settled=False)
    assert world.state.stable is not None
    assert world.state.stable.commit == ""
    world.engine_settled = True
    run(world, 1)
    assert world.state.stable.commit == "sha-good0"
    before = world.writes
    run(world, 10)
    assert world.writes == before, "an idle Rollout writes nothing"


def test_a_later_commit_does_not_become_stables_by_itself():
    world = settled()
    following = decided(world, applied="sha-of-another").state
    assert following.stable is not None
    assert following.stable.commit == "sha-good0"


def test_what_serves_while_another_version_is_held_is_not_called_that_versions_commit():
    world = releasing(Phase.STEP)
    world.state = type(world.state)()  # the status is lost, the Deployment stays held
    while world.state.stable is None:
        run(world, 1)
    assert world.state.stable.template_hash == "t-good0"
    assert world.state.stable.commit == ""


def test_the_history_tells_the_commit_that_took_a_release_back():
    world = settled()
    world.push("bad1")
    world.settle()
    assert [(past.outcome, past.revert_commit) for past in world.state.history] == [("RolledBack", "c-t-bad1-1")]


def test_a_revert_that_is_applied_before_its_answer_was_written_down_is_told_all_the_same():
    world = settled()
    world.push("bad1")
    run(world, 200, until=Phase.REVERTING)
    assert world.state.release is not None
    assert world.state.release.revert is None
    world.git()
    world.sync()
    following = decide(world.plan, world.state, world.observed(), world.now).state
    assert following.phase is Phase.STABLE
    assert following.history[0].revert_commit == "c-t-bad1-1"


def test_a_release_that_ends_otherwise_names_no_revert():
    world = settled()
    world.push("good1")
    world.settle()
    assert [(past.outcome, past.revert_commit) for past in world.state.history] == [("Promoted", "")]
