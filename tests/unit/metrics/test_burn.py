"""How fast an error budget is spent: both windows, few requests, and what a restart sees."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary.analysis.burn import BurnState, check, enough, measure, worst
from canary.analysis.metric import BurnRate, BurnWindow
from canary.analysis.verdict import MetricReading, Outcome, Reason
from canary.errors import SpecInvalid
from canary.metrics.session import AnalysisSession
from tests.unit.metrics.latencies import Latencies, durations
from tests.unit.metrics.world import CANARY, STABLE, Rate, World, constant, errors

START = 900.0
JUDGE = BurnRate(0.99, (BurnWindow(600.0, 60.0, 10.0),))
"""Ten times one per cent: a share of bad requests above 10 %."""


def measured(*shares: float, requests: float = 100.0, judge: BurnRate = JUDGE) -> BurnState:
    """Intervals of 10 s with so many requests each."""
    every = np.full(len(shares), requests)
    return measure(BurnState(), judge, np.array(shares) * requests, every, 10.0)


def test_both_windows_have_to_burn():
    assert measured(*[0.2] * 6).fired
    # A burst that is over: the long window is above, the short one is not any more.
    over = measured(*[0.0] * 40, *[0.09] * 10, *[0.0] * 10)
    assert not over.fired
    # Five bad minutes, after an hour of none, are enough for the long window only when they weigh enough.
    assert not measured(*[0.0] * 60, *[0.5] * 6).fired
    assert measured(*[0.0] * 60, *[0.5] * 30).fired


def test_a_high_window_alone_blocks_and_does_not_fail():
    state = measured(*[0.0] * 60, *[0.5] * 6)
    (burn,) = state.burns
    assert burn.high
    assert not burn.fires
    assert burn.short == pytest.approx(50)
    assert burn.long == pytest.approx(5)


def test_a_few_bad_requests_are_no_burn_whatever_their_share():
    assert not measured(*[0.5] * 6, requests=3).fired  # 9 bad of 18
    assert measured(*[0.5] * 7, requests=3).fired


def test_a_pair_says_nothing_before_its_short_window_is_full():
    early = measured(*[1.0] * 5)
    assert early.burns[0].high
    assert not early.fired
    assert measured(*[1.0] * 6).fired


def test_a_burn_is_final():
    state = measured(*[0.2] * 6)
    later = measure(state, JUDGE, np.zeros(100), np.full(100, 100.0), 10.0)
    assert later == state


def test_it_passes_only_after_the_shortest_window_and_some_requests():
    assert not enough(measured(*[0.0] * 5), JUDGE)
    assert enough(measured(*[0.0] * 6), JUDGE)
    assert not enough(measured(*[0.0] * 60, requests=0.5), JUDGE)


def test_without_requests_nothing_burns():
    state = measured(*[0.0] * 70, requests=0.0)
    assert not state.fired
    found = worst(state)
    assert found is not None
    assert (found.long, found.short) == (None, None)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), min_size=1, max_size=90), st.data())
def test_however_the_looks_are_cut_they_come_to_the_same(pairs: list[tuple[int, int]], data: st.DataObject):
    bad = np.array([float(min(x, n)) for x, n in pairs])
    every = np.array([float(n) for _, n in pairs])
    at_once = measure(BurnState(), JUDGE, bad, every, 10.0)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(pairs)), max_size=5)))
    state = BurnState()
    for low, high in zip([0, *cuts], [*cuts, len(pairs)], strict=True):
        state = measure(state, JUDGE, bad[low:high], every[low:high], 10.0)
    assert (state.fired, state.burns, state.requests) == (at_once.fired, at_once.burns, at_once.requests)


@pytest.mark.parametrize(
    ("judge", "says"),
    [
        (BurnRate(1.0), "objective must be a share"),
        (BurnRate(0.9, ()), "at least one pair"),
        (BurnRate(0.9, (BurnWindow(60, 120, 2),)), r"\(120 s\) is longer than its long one \(60 s\)"),
    ],
)
def test_windows_that_make_no_sense_are_refused(judge: BurnRate, says: str):
    with pytest.raises(SpecInvalid, match=says):
        check(judge)


def judged(bad: Rate, seconds: float = 500) -> tuple[MetricReading, float]:
    world = World(2, lasts=1600)
    world.serve(STABLE, 4, constant(180), constant(0.0005))
    world.serve(CANARY, 2, constant(20), bad, born=START - 5)
    session, now = AnalysisSession.start([errors(BurnRate(0.999))], started_at=START), START
    while now < START + seconds and session.judged[0].reading().outcome is not Outcome.FAIL:
        now += 20
        session = session.ingest(now, world.reply(session.needs(now)))
    return session.judged[0].reading(), now - START


def test_a_counter_that_burns_fails_and_one_that_does_not_passes_after_five_minutes():
    failed, seconds = judged(constant(0.03))
    assert (failed.outcome, failed.reason) == (Outcome.FAIL, Reason.BUDGET_BURNING)
    assert 300 <= seconds <= 360
    assert "times over 1h and" in failed.message
    assert "(at most 14.4): both windows burn too fast" in failed.message
    passed, _ = judged(constant(0.0005))
    assert (passed.outcome, passed.reason) == (Outcome.PASS, Reason.WITHIN_BUDGET)
    early, _ = judged(constant(0.0005), seconds=200)
    assert early.reason is Reason.NOT_ENOUGH_DATA


def test_a_histogram_burns_by_its_bound():
    world = Latencies(1, lasts=1100)
    world.answer(STABLE, 2, 50, constant(0.08))
    world.answer(CANARY, 1, 20, constant(0.3), born=START - 5)
    session = AnalysisSession.start([durations(BurnRate(0.9, (BurnWindow(600, 60, 2),)))], started_at=START)
    for now in np.arange(START + 20, START + 120, 20.0):
        session = session.ingest(float(now), world.reply(session.needs(float(now))))
    assert session.judged[0].reading().reason is Reason.BUDGET_BURNING
