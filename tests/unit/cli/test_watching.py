"""`canary watch`, and the ends that scripts wait for."""

from __future__ import annotations

from typing import Any

import pytest

from canary.cli.awaited import Awaited, Until
from canary.cli.reading import read
from canary.errors import ApiUnavailable, Forbidden
from tests.unit.cli import samples
from tests.unit.cli.conftest import Canary, Time
from tests.unit.cli.fake import FakeCluster
from tests.unit.cli.samples import CANDIDATE, RELEASE_ID, STABLE, past

PROMOTED = past(RELEASE_ID, "Promoted", commit=CANDIDATE["commit"])
ROLLED_BACK = past(RELEASE_ID, "RolledBack", commit=CANDIDATE["commit"], message="Reverted in one commit.")
SUPERSEDED = past(RELEASE_ID, "Superseded", commit=CANDIDATE["commit"])
BEFORE = past("7c9d0e1f2a-2", "Promoted", commit=STABLE["commit"])


def stable_after(*history: Any) -> dict[str, Any]:
    return samples.stable(history=[*history, BEFORE], stable=CANDIDATE)


def test_watch_ends_well_when_the_release_is_promoted(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step())
    cluster.script = [
        lambda: cluster.put(samples.in_step(2, 50)),
        lambda: cluster.put(samples.promoting("Return")),
        lambda: cluster.put(stable_after(PROMOTED)),
    ]
    result = canary("watch", "checkout", "--until", "promoted")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == f"checkout: release {RELEASE_ID} ended as Promoted."


def test_a_release_that_is_rolled_back_ends_the_wait_for_its_promotion_at_once(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step())
    cluster.script = [lambda: cluster.put(samples.awaiting_git(phase="RollingBack", message="5 % errors."))]
    result = canary("watch", "checkout", "--until", "promoted", "--timeout", "1h")
    assert result.exit_code == 5
    assert result.stderr == f"error: checkout: release {RELEASE_ID} is rolled back. 5 % errors\n"


def test_rolled_back_has_come_when_git_is_settled_and_not_before(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.awaiting_git(phase="Reverting"))
    assert canary("watch", "checkout", "--until", "rolledBack", "--timeout", "5s").exit_code == 6
    cluster.script = [lambda: cluster.put(samples.awaiting_git())]
    assert canary("watch", "checkout", "--until", "rolledBack").exit_code == 0


def test_a_promotion_ends_the_wait_for_a_rollback_otherwise(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step())
    cluster.script = [lambda: cluster.put(stable_after(PROMOTED))]
    assert canary("watch", "checkout", "--until", "rolledBack").exit_code == 5


def test_without_a_release_the_next_one_is_waited_for_and_not_an_earlier_one(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.stable())
    assert canary("watch", "checkout", "--until", "promoted", "--timeout", "5s").exit_code == 6
    cluster.script = [lambda: cluster.put(samples.in_step()), lambda: cluster.put(stable_after(PROMOTED))]
    assert canary("watch", "checkout", "--until", "promoted").exit_code == 0


def test_a_release_that_came_and_went_between_two_looks_is_found_in_the_history(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.stable())
    cluster.script = [lambda: cluster.put(stable_after(ROLLED_BACK))]
    assert canary("watch", "checkout", "--until", "promoted").exit_code == 5


def test_a_commit_names_its_release_also_when_it_has_ended(canary: Canary, cluster: FakeCluster):
    cluster.put(stable_after(ROLLED_BACK))
    assert canary("watch", "checkout", "--until", "promoted", "--commit", CANDIDATE["commit"]).exit_code == 5
    assert canary("watch", "checkout", "--until", "rolledBack", "--commit", CANDIDATE["commit"][:8]).exit_code == 0
    assert canary("watch", "checkout", "--until", "promoted", "--commit", STABLE["commit"]).exit_code == 0


def test_a_commit_that_the_history_has_forgotten_is_promoted_when_it_is_stable(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.stable(history=[]))
    assert canary("watch", "checkout", "--until", "promoted", "--commit", STABLE["commit"]).exit_code == 0


def test_stable_is_waited_for_until_the_operator_has_seen_the_latest_spec(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.stable(observedGeneration=0))
    assert canary("watch", "checkout", "--until", "stable", "--timeout", "5s").exit_code == 6
    cluster.put(samples.stable())
    assert canary("watch", "checkout", "--until", "stable").stdout.endswith("checkout is stable.\n")


def test_a_timeout_says_where_it_stands(canary: Canary, cluster: FakeCluster, time: Time):
    cluster.put(samples.in_step())
    result = canary("watch", "checkout", "--until", "promoted", "--timeout", "90s")
    assert result.exit_code == 6
    assert result.stderr == "error: checkout is not promoted in time: it is watched in step 2 of 4 (10 %)\n"
    assert time.passed == pytest.approx(90, abs=1)


def test_a_timeout_without_an_end_to_wait_for_is_no_error(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step())
    assert canary("watch", "checkout", "--timeout", "5s").exit_code == 0


def test_without_a_terminal_each_change_is_one_line(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step())
    cluster.script = [
        lambda: cluster.change("checkout", report=None),
        lambda: cluster.change("checkout", weight=50, message="50 %."),
    ]
    lines = canary("watch", "checkout", "--timeout", "5s").stdout.splitlines()
    assert [line.split()[:5] for line in lines] == [
        ["2026-11-21T10:32:00Z", "Step", "2/4", "10", "%"],
        ["2026-11-21T10:32:00Z", "Step", "2/4", "50", "%"],
    ]


def test_an_api_server_that_is_away_for_a_while_is_waited_for(canary: Canary, cluster: FakeCluster, time: Time):
    cluster.put(samples.in_step())
    outage = ApiUnavailable("the API server does not answer")

    def down() -> None:
        cluster.fails_with = outage

    def sleep(seconds: float) -> None:
        time.passed += seconds
        if time.passed > 3:
            cluster.fails_with = None
            cluster.put(stable_after(PROMOTED))

    time.sleep = sleep  # type: ignore[method-assign]  # the outage ends as time passes
    cluster.script = [down]
    result = canary("watch", "checkout", "--until", "promoted")
    assert result.exit_code == 0
    assert "does not answer; trying again" in result.stdout


def test_an_api_server_that_has_just_come_back_may_refuse_for_a_moment(
    canary: Canary, cluster: FakeCluster, time: Time
):
    cluster.put(samples.in_step())

    def down() -> None:
        cluster.fails_with = ApiUnavailable("the API server does not answer")

    def sleep(seconds: float) -> None:
        time.passed += seconds
        if time.passed > 3:
            cluster.fails_with = None
            cluster.put(stable_after(PROMOTED))
        elif time.passed > 1:
            cluster.fails_with = Forbidden("not allowed: rights are not read yet")

    time.sleep = sleep  # type: ignore[method-assign]  # the outage changes as time passes
    cluster.script = [down]
    result = canary("watch", "checkout", "--until", "promoted")
    assert result.exit_code == 0
    assert "not allowed" in result.stdout


def test_a_right_that_is_taken_away_ends_the_watch(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step())

    def refuse() -> None:
        cluster.fails_with = Forbidden("not allowed: ada may not watch rollouts")

    cluster.script = [refuse]
    result = canary("watch", "checkout")
    assert result.exit_code == 1
    assert "ada may not watch" in result.stderr


def test_a_rollout_that_is_deleted_while_watched_is_not_found(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step())
    cluster.script = [lambda: cluster.delete("checkout")]
    result = canary("watch", "checkout")
    assert result.exit_code == 3
    assert "was deleted" in result.stderr


@pytest.mark.parametrize("timeout", ["10", "-5s", "0s", "1y", "soon"])
def test_a_timeout_that_is_no_duration_is_a_mistake_in_the_command_line(timeout, canary: Canary):
    result = canary("watch", "checkout", f"--timeout={timeout}")
    assert result.exit_code == 2
    assert "must be a duration such as 90s" in result.stderr


def test_a_commit_without_an_end_is_a_mistake_in_the_command_line(canary: Canary):
    assert canary("watch", "checkout", "--commit", "abc").exit_code == 2


@pytest.mark.parametrize("until", [Until.PROMOTED, Until.ROLLED_BACK])
def test_a_release_that_was_superseded_is_neither_promoted_nor_rolled_back(until):
    awaited = Awaited.begin(until, read(samples.in_step()))
    ended = awaited.ended(read(stable_after(SUPERSEDED)))
    assert ended is not None
    assert not ended.well


def test_another_release_than_the_awaited_one_decides_nothing():
    awaited = Awaited.begin(Until.PROMOTED, read(samples.in_step()))
    other = samples.awaiting_git(release=samples.release(id="ffffffffff-9"))
    assert awaited.ended(read(other)) is None
