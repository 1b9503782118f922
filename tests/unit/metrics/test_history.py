"""Against history: a canary that no stable version runs beside, and what stable did a week before."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from canary.analysis.metric import Compare
from canary.analysis.verdict import MetricReading, Outcome, Reason
from canary.metrics.planner import CounterNeed, Need, ValueNeed, plan
from canary.metrics.session import AnalysisSession
from canary.metrics.source import Answer, NoData, Partial
from canary.metrics.templates import WEEK_SECONDS, metrics_of
from tests.unit.metrics.test_templates import TRACKS, template
from tests.unit.metrics.test_values import MEMORY, judged, noisy
from tests.unit.metrics.world import CANARY, STABLE, World, constant, errors

AGO = 4000.0
"""Stands for a week: the world keeps each second."""
START = 4900.0
HISTORY = Compare(ago_seconds=AGO)


def two_runs(canary_bad: float, *, stable_lasts: float = 2500.0) -> World:
    """A job that runs, and ran without the canary before."""
    world = World(lasts=7000)
    world.serve(STABLE, 6, constant(180), constant(0.01), dies=stable_lasts)
    world.serve(CANARY, 2, constant(20), constant(canary_bad), born=START - 5)
    return world


def read(world: World, seconds: float = 900.0) -> MetricReading:
    session, now = AnalysisSession.start([errors(HISTORY)], started_at=START), START
    while now < START + seconds:
        now += 10
        session = session.ingest(now, world.reply(session.needs(now)))
    return session.judged[0].reading()


def test_a_canary_with_five_times_the_errors_of_then_fails():
    reading = read(two_runs(0.05))
    assert (reading.outcome, reading.reason) == (Outcome.FAIL, Reason.EVIDENCE_AGAINST)
    assert reading.stable.ratio == pytest.approx(0.01, rel=0.2)


def test_a_canary_like_then_does_not_fail_and_both_sides_are_counted_over_the_same_time():
    reading = read(two_runs(0.01))
    assert reading.outcome is not Outcome.FAIL
    assert reading.canary.count == pytest.approx(20 * 900, rel=0.1)
    assert reading.stable.count == pytest.approx(180 * 900, rel=0.1)


def test_without_a_history_there_is_nothing_to_compare_with():
    assert read(two_runs(0.05, stable_lasts=10.0)).reason is Reason.NOTHING_TO_COMPARE


def test_what_is_wrong_with_one_side_s_answer_is_wrong():
    world = two_runs(0.01)
    session = AnalysisSession.start([errors(HISTORY)], started_at=START)
    needs = list(session.needs(START + 30))

    def earlier(need: Need) -> bool:
        return isinstance(need, CounterNeed) and need.at < START

    partial: dict[Need, Answer] = {need: Partial(("one store is down",)) for need in needs if earlier(need)}
    session = session.ingest(START + 30, {**world.reply(needs), **partial})
    assert session.judged[0].reading().reason is Reason.PARTIAL
    nothing: dict[Need, Answer] = dict.fromkeys(needs, NoData())
    session = session.ingest(START + 40, {**nothing, **dict.fromkeys(session.needs(START + 40), NoData())})
    assert session.judged[0].reading().reason is Reason.NO_DATA


def test_releases_share_both_queries():
    session = AnalysisSession.start([errors(HISTORY)], started_at=START)
    shop = errors(HISTORY)
    other = replace(shop, candidate=(replace(CANARY[0], value="bakery"), CANARY[1]))
    more = AnalysisSession.start([other], started_at=START)
    queries = plan([*session.needs(START + 30), *more.needs(START + 30)]).queries
    assert sorted(query.at for query in queries) == [START + 30 - AGO] * 2 + [START + 30] * 2


def test_a_value_is_compared_with_that_of_then():
    reading, _ = judged(noisy(200, 1), noisy(100, 2), judge=Compare(ago_seconds=600))
    assert reading.outcome is Outcome.FAIL
    (judging,) = AnalysisSession.start([replace(MEMORY, judge=HISTORY)], started_at=START).judged
    value, stable = (judging.needs(START + 10)[role] for role in ("value", "stable"))
    assert isinstance(value, ValueNeed)
    assert isinstance(stable, ValueNeed)
    assert stable.times == tuple(at - AGO for at in value.times)


def test_a_template_says_history_for_a_week():
    labels = [{"name": "job", "stable": "orders", "canary": "orders-canary"}]
    said = {"counter": {"bad": "a", "total": "b"}, "compare": {"against": "history"}, "identity": {"labels": labels}}
    (metric,) = metrics_of(template(said), {}, TRACKS)
    assert isinstance(metric.judge, Compare)
    assert metric.judge.ago_seconds == WEEK_SECONDS == 604_800


def test_stable_cannot_be_told_by_the_hash_that_it_has_now():
    with pytest.raises(ValidationError, match=r"'errors': compare.against: history .* not by \$\{stableHash\}"):
        template({"counter": {"bad": "a", "total": "b"}, "compare": {"against": "history"}})
