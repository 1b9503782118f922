"""Commands that ask the operator for something."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from canary.api import names
from canary.errors import ApiConflict, ApiUnavailable
from tests.unit.cli import samples
from tests.unit.cli.conftest import Canary
from tests.unit.cli.fake import FakeCluster
from tests.unit.cli.samples import RELEASE_ID

NOT_A_STATE_FOR: dict[str, list[Callable[[], dict[str, Any]]]] = {
    "approve": [samples.stable, samples.in_step, samples.awaiting_git, samples.refused],
    "promote": [samples.stable, samples.awaiting_git, samples.refused, lambda: samples.promoting("Bake")],
    "abort": [samples.stable, samples.awaiting_git, samples.refused, lambda: samples.promoting("Repin")],
    "retry": [samples.stable, samples.in_step, lambda: samples.promoting("Bake")],
    "pause": [lambda: samples.promoting("Replace"), lambda: samples.promoting("Return")],
}


def test_approve_names_the_release_and_the_step_that_wait(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.awaiting_approval())
    result = canary("approve", "checkout")
    assert result.exit_code == 0
    assert cluster.annotations("checkout") == {names.ANNOTATION_APPROVED: f"{RELEASE_ID}/3"}
    assert "approved step 4 of 4" in result.stdout


def test_approve_works_also_when_the_spec_is_not_understood(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.awaiting_approval() | {"spec": {"later": {}}})
    assert canary("approve", "checkout").exit_code == 0
    assert cluster.annotations("checkout") == {names.ANNOTATION_APPROVED: f"{RELEASE_ID}/3"}


@pytest.mark.parametrize(
    ("command", "state"),
    [(command, state) for command, states in NOT_A_STATE_FOR.items() for state in states],
)
def test_what_the_state_does_not_allow_is_refused_in_one_sentence_and_not_written(
    command, state, canary: Canary, cluster: FakeCluster
):
    cluster.put(state())
    result = canary(command, "checkout")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: checkout ")
    assert result.stderr.count("\n") == 1
    assert cluster.annotations("checkout") == {}


def test_pause_writes_who_the_api_server_knows_and_when(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step())
    assert canary("pause", "checkout").exit_code == 0
    assert cluster.annotations("checkout") == {names.ANNOTATION_PAUSED: "ada@example.com at 2026-11-21T10:32:00Z"}


def test_a_second_pause_keeps_the_name_of_the_first(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step(annotations={names.ANNOTATION_PAUSED: "bob at 2026-11-21T10:00:00Z"}))
    result = canary("pause", "checkout")
    assert (result.exit_code, result.stdout) == (0, "checkout is paused already, by bob at 2026-11-21T10:00:00Z.\n")


def test_pause_without_a_release_says_that_the_next_one_waits(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.stable())
    assert "the next one will wait" in canary("pause", "checkout").stdout


def test_resume_takes_the_pause_away_and_leaves_other_annotations(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step(annotations={names.ANNOTATION_PAUSED: "bob at ...", "team": "shop"}))
    assert canary("resume", "checkout").exit_code == 0
    assert cluster.annotations("checkout") == {"team": "shop"}


def test_resume_of_what_is_not_paused_is_done_already(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step())
    assert canary("resume", "checkout").stdout == "checkout is not paused.\n"


@pytest.mark.parametrize(
    ("command", "annotation"), [("abort", names.ANNOTATION_ABORT), ("promote", names.ANNOTATION_PROMOTE)]
)
def test_a_grave_command_asks_a_person_and_not_a_script(command, annotation, canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step())
    refused = canary(command, "checkout", answers="n\n")
    assert refused.exit_code == 1
    assert "checkout:v1.5.0" in refused.output
    assert refused.stderr == "error: not confirmed; nothing was done\n"
    assert cluster.annotations("checkout") == {}
    assert canary(command, "checkout", answers="y\n").exit_code == 0
    assert cluster.annotations("checkout") == {annotation: RELEASE_ID}

    cluster.put(samples.in_step())
    assert "?" not in canary(command, "checkout").output
    assert cluster.annotations("checkout") == {annotation: RELEASE_ID}


def test_yes_asks_nothing_at_a_terminal_either(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step())
    assert canary("abort", "checkout", "--yes", answers="").exit_code == 0


def test_abort_says_whether_git_is_reverted_too(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step())
    assert "and revert its commit in Git?" in canary("abort", "checkout", answers="n\n").output
    document = samples.in_step()
    cluster.put(document | {"spec": document["spec"] | {"rollback": {"git": {"mode": "off"}}}})
    assert "Git" not in canary("abort", "checkout", answers="n\n").output


def test_abort_works_until_the_deployment_has_been_replaced(canary: Canary, cluster: FakeCluster):
    for stage in ("Shift", "Bake", "Pin", "Replace"):
        cluster.put(samples.promoting(stage))
        assert canary("abort", "checkout").exit_code == 0, stage
    for stage in ("Repin", "Return", "Cleanup"):
        cluster.put(samples.promoting(stage))
        assert "revert the commit in Git" in canary("abort", "checkout").stderr, stage


@pytest.mark.parametrize(("state", "identity"), [(samples.awaiting_git, RELEASE_ID), (samples.refused, "7c9d0e1f2a-4")])
def test_retry_names_the_release_that_was_rejected(state, identity, canary: Canary, cluster: FakeCluster):
    cluster.put(state())
    assert canary("retry", "checkout").exit_code == 0
    assert cluster.annotations("checkout") == {names.ANNOTATION_RETRY: identity}


def test_a_status_written_in_between_is_looked_at_again(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step())
    cluster.before_patch = [
        lambda: cluster.change("checkout", weight=11),
        lambda: cluster.change("checkout", weight=12),
    ]
    assert canary("promote", "checkout").exit_code == 0
    assert cluster.annotations("checkout") == {names.ANNOTATION_PROMOTE: RELEASE_ID}


def test_a_release_that_ended_in_between_is_not_promoted(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step())
    cluster.before_patch = [lambda: cluster.put(samples.awaiting_git())]
    result = canary("promote", "checkout")
    assert result.exit_code == 1
    assert "it was rolled back" in result.stderr
    assert cluster.annotations("checkout") == {}


def test_somebody_who_always_writes_first_ends_in_exit_code_4(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.in_step())
    cluster.before_patch = [partial(cluster.change, "checkout", weight=n) for n in range(20)]
    result = canary("promote", "checkout")
    assert result.exit_code == ApiConflict("").exit_code == 4


def test_an_api_server_that_is_down_ends_in_exit_code_4(canary: Canary, cluster: FakeCluster):
    cluster.fails_with = ApiUnavailable("the API server at https://a does not answer (connection refused)")
    result = canary("abort", "checkout")
    assert result.exit_code == 4
    assert result.stderr == "error: the API server at https://a does not answer (connection refused)\n"


@pytest.mark.parametrize(
    ("command", "state"),
    [
        ("approve", samples.awaiting_approval),
        ("promote", samples.in_step),
        ("abort", samples.in_step),
        ("retry", samples.refused),
    ],
)
def test_asking_twice_writes_once(command, state, canary: Canary, cluster: FakeCluster):
    cluster.put(state())
    canary(command, "checkout")
    version = cluster.documents["shop", "checkout"]["metadata"]["resourceVersion"]
    again = canary(command, "checkout")
    assert again.exit_code == 0
    assert "already" in again.stdout
    assert cluster.documents["shop", "checkout"]["metadata"]["resourceVersion"] == version
