"""A value that is compared: the canary's series against stable's, from answers to the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from canary.analysis.metric import Compare, Direction, ValueMetric
from canary.analysis.samples import Series
from canary.analysis.verdict import MetricReading, Outcome, Reason
from canary.metrics.planner import Need, ValueNeed, plan
from canary.metrics.session import AnalysisSession
from canary.metrics.source import Answer, NoData, Sample, Unavailable
from tests.unit.metrics.world import CANARY, STABLE

START = 900.0
MEMORY = ValueMetric(
    "app/memory",
    "main",
    "max by (namespace, pod_template_hash) (memory)",
    Compare(),
    track=CANARY,
    stable_expression="max by (namespace, pod_template_hash) (memory)",
    stable=STABLE,
)
At = Callable[[float], float]


def noisy(mean: float, seed: int) -> At:
    def at(t: float) -> float:
        return mean * (1 + 0.03 * float(np.random.default_rng([seed, int(t)]).normal()))

    return at


def answered(needs: Mapping[str, Need], candidate: At | None, stable: At | None) -> dict[Need, Answer]:
    replies: dict[Need, Answer] = {}
    for need in needs.values():
        assert isinstance(need, ValueNeed)
        value = candidate if need.track == CANARY else stable
        times = np.array(need.times)
        labels = tuple((label.name, label.value) for label in need.track)
        replies[need] = (
            NoData() if value is None else Sample((Series(labels, times, np.array([value(t) for t in need.times])),))
        )
    return replies


def judged(
    candidate: At | None,
    stable: At | None = None,
    *,
    seconds: float = 600,
    every: float = 10,
    judge: Compare | None = None,
    ready_at: Mapping[str, float] | None = None,
) -> tuple[MetricReading, float]:
    metric = replace(MEMORY, judge=judge or Compare())
    session = AnalysisSession.start([metric], started_at=START).with_ready_pods(ready_at or {})
    now = START
    while now < START + seconds and session.judged[0].reading().outcome is not Outcome.FAIL:
        now += every
        session = session.ingest(now, answered(session.judged[0].needs(now), candidate, stable or noisy(100, 2)))
    return session.judged[0].reading(), now - START


def test_one_query_asks_for_both_tracks_of_all_releases():
    session = AnalysisSession.start([MEMORY], started_at=START)
    assert len(plan(session.needs(START + 10)).queries) == 1


def test_twice_the_memory_fails_and_says_both_means():
    reading, seconds = judged(noisy(200, 1))
    assert (reading.outcome, reading.reason) == (Outcome.FAIL, Reason.EVIDENCE_AGAINST)
    assert seconds <= 360
    assert "the canary's value is above 1.5 times stable's" in reading.message
    assert "canary 198, stable 99.83 on average" in reading.message
    assert len(reading.course.values) > 0


def test_as_much_memory_passes():
    reading, _ = judged(noisy(100, 1))
    assert (reading.outcome, reading.reason) == (Outcome.PASS, Reason.EVIDENCE_FOR)


def test_half_the_orders_fail_when_a_decrease_is_bad_and_only_then():
    assert judged(noisy(50, 1), judge=Compare(direction=Direction.DECREASE))[0].outcome is Outcome.FAIL
    assert judged(noisy(50, 1), judge=Compare(direction=Direction.EITHER))[0].outcome is Outcome.FAIL
    assert judged(noisy(50, 1))[0].outcome is Outcome.PASS


def test_nothing_is_said_before_three_minutes():
    assert judged(noisy(500, 1), seconds=170)[0].reason is Reason.NOT_ENOUGH_DATA


def test_missed_looks_change_nothing():
    often, _ = judged(noisy(120, 1), seconds=600)
    rarely, _ = judged(noisy(120, 1), seconds=600, every=200)
    assert rarely.evidence_against == pytest.approx(often.evidence_against)


def test_what_came_while_a_pod_warmed_up_is_left_out():
    def cold(t: float) -> float:
        return 1000.0 if t < START + 40 else noisy(100, 1)(t)

    assert judged(cold, ready_at={"new-1": START + 10})[0].outcome is Outcome.PASS
    assert judged(cold)[0].evidence_against > judged(cold, ready_at={"new-1": START + 10})[0].evidence_against


def test_a_candidate_without_a_value_is_no_data_and_stable_without_one_is_nothing_to_compare_with():
    reading, _ = judged(None, seconds=60)
    assert (reading.outcome, reading.reason) == (Outcome.ERROR, Reason.NO_DATA)
    assert reading.no_data_since is not None
    lonely, _ = judged(noisy(100, 1), lambda _t: np.nan, seconds=60)
    assert (lonely.outcome, lonely.reason) == (Outcome.INCONCLUSIVE, Reason.NOTHING_TO_COMPARE)
    assert lonely.no_data_since is None


def test_no_answer_about_stable_is_an_error_of_the_source():
    session = AnalysisSession.start([MEMORY], started_at=START)
    needs = session.judged[0].needs(START + 10)
    replies = {**answered(needs, noisy(1, 1), noisy(1, 2)), needs["stable"]: Unavailable("timeout")}
    reading = session.ingest(START + 10, replies).judged[0].reading()
    assert reading.reason is Reason.UNAVAILABLE


def test_values_below_nothing_cannot_be_compared_and_say_so():
    reading, _ = judged(lambda _t: -1.0, seconds=60)
    assert (reading.outcome, reading.reason) == (Outcome.ERROR, Reason.QUERY_INVALID)
    assert "values of at least 0; use threshold" in reading.message
