from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from canary.analysis.course import MOST, Course
from canary.analysis.report import report
from canary.analysis.verdict import MetricReading, combine
from canary.core.phases import Phase, Stage
from canary.core.state import Past, Rejected, Release, Revert, Revision, State
from canary.operator.conditions import conditions
from canary.operator.status import Shown, from_status, merge_patch, to_status
from tests.unit.analysis.test_report import FAILED
from tests.unit.operator.fake_api import merged

words = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=20)
hashes = st.text("0123456789abcdef", min_size=1, max_size=40)
times = st.integers(0, 4_000_000_000_000).map(lambda ms: ms / 1000)
revisions = st.builds(Revision, hashes, hashes, st.lists(words, max_size=3).map(tuple), hashes)
reverts = st.builds(Revert, hashes, st.booleans(), hashes, st.lists(hashes, max_size=3).map(tuple), words, times)
releases = st.builds(
    Release,
    id=hashes,
    candidate=revisions,
    attempt=st.integers(1, 99),
    held_at=times,
    step=st.integers(0, 30),
    stage=st.none() | st.sampled_from(Stage),
    since=times,
    in_force_since=st.none() | times,
    analysis_since=st.none() | times,
    unready_since=st.none() | times,
    return_step=st.integers(0, 5),
    blocked=words,
    verdict_at=st.none() | times,
    verdict_reason=words,
    report=words,
    revert=st.none() | reverts,
)
states = st.builds(
    State,
    phase=st.sampled_from(Phase),
    stable=st.none() | revisions,
    release=st.none() | releases,
    rejected=st.lists(st.builds(Rejected, hashes, hashes, times, hashes, words), max_size=3).map(tuple),
    history=st.lists(
        st.builds(
            Past,
            hashes,
            hashes,
            st.lists(words, max_size=2).map(tuple),
            st.sampled_from(["Promoted", "RolledBack", "Superseded", "Cancelled"]),
            times,
            times,
            hashes,
            words,
            hashes,
        ),
        max_size=3,
    ).map(tuple),
    drained_since=st.none() | times,
    attempts=st.integers(0, 99),
    reason=words,
    message=words,
    stalled=st.booleans(),
)


@given(states, times)
def test_a_state_survives_being_written_and_read(state, now):
    status = json.loads(json.dumps(to_status(state, Shown(), 3, {}, now)))
    assert from_status(status) == state


@given(states, states, times)
def test_the_patch_of_one_status_to_another_makes_the_other(one, other, now):
    before = to_status(one, Shown(), 1, {}, now)
    after = to_status(other, Shown(), 2, before, now)
    patch = merge_patch(before, after)
    assert merged(before, patch if patch is not None else {}) == after


@given(states, times, times)
def test_the_same_state_again_writes_nothing(state, now, later):
    before = to_status(state, Shown(), 1, {}, now)
    assert merge_patch(before, to_status(state, Shown(), 1, before, later)) is None


def test_a_rollout_without_status_is_a_rollout_seen_for_the_first_time():
    assert from_status({}) == State()


def test_a_long_message_is_cut_and_never_refused():
    status = to_status(State(message="x" * 5000), Shown(), 1, {}, 0)
    assert len(status["message"]) == 2048


def reported(*readings: MetricReading) -> dict[str, Any]:
    verdict = combine(readings, 160.0)
    shown = to_status(State(), Shown(verdict=verdict), 1, {}, 200.0)["report"]
    assert isinstance(shown, dict)
    return shown


def test_the_report_in_the_status_has_the_text_and_the_figures_behind_it():
    status = reported(FAILED)
    assert status["details"] == report(combine([FAILED], 160.0)).details
    assert status["metrics"] == [
        {
            "name": "http/errors",
            "verdict": "fail",
            "message": FAILED.message,
            "reason": "EvidenceAgainst",
            "canary": {"requests": 1000, "bad": 60},
            "stable": {"requests": 9000, "bad": 90},
            "evidence": {
                "against": 240,
                "inFavour": -300,
                "failsAt": 200,
                "since": "1970-01-01T00:01:40Z",
                "everySeconds": 10,
                "course": [0, 10, 40, 110, 240],
            },
        }
    ]


def test_a_report_of_many_metrics_with_long_words_fits_into_the_status():
    course = Course(0.0, 10.0, (1.0,) * MOST)
    many = [replace(FAILED, metric=f"{'t' * 60}{i}/{'m' * 60}", message="x" * 9000, course=course) for i in range(100)]
    assert len(json.dumps(reported(*many))) < 64 * 3200


def types(state: State) -> dict[str, str]:
    return {c.type.value: c.status.value for c in conditions(state, 1, (), 0.0)}


def test_ready_means_that_one_version_serves_and_it_is_gits():
    assert types(State(phase=Phase.STABLE, reason="Stable")) == {"Ready": "True"}


def test_a_release_under_way_is_reconciling():
    assert types(State(phase=Phase.STEP, reason="Watching")) == {"Ready": "False", "Reconciling": "True"}


def test_what_waits_for_somebody_is_stalled_and_not_reconciling():
    assert types(State(phase=Phase.AWAITING_GIT, stalled=True)) == {"Ready": "False", "Stalled": "True"}


def test_a_deployment_that_still_rolls_is_not_ready():
    assert types(State(phase=Phase.STABLE, reason="Rolling"))["Ready"] == "False"


def test_a_conditions_time_changes_only_with_its_status():
    def at(state: State, before, now):
        made = conditions(state, 1, before, now)
        return [json.loads(c.model_dump_json(by_alias=True)) for c in made]

    first = at(State(phase=Phase.STEP, reason="Watching"), (), 100)
    second = at(State(phase=Phase.STEP, reason="NoData", message="x"), first, 200)
    third = at(State(phase=Phase.STABLE, reason="Promoted"), second, 300)
    assert first[0]["lastTransitionTime"] == second[0]["lastTransitionTime"] == "1970-01-01T00:01:40Z"
    assert third[0]["lastTransitionTime"] == "1970-01-01T00:05:00Z"
