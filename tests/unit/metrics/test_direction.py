"""Which difference is bad: more, fewer, or either."""

from __future__ import annotations

from math import log10

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary.analysis.counted import CounterState
from canary.analysis.counters import TrackSeries, count
from canary.analysis.metric import Compare, CounterMetric, Direction
from canary.analysis.reading import read_events
from canary.analysis.samples import Labels, Series
from canary.analysis.verdict import MetricReading, Outcome
from canary.metrics.session import AnalysisSession
from tests.unit.metrics.world import CANARY, STABLE, World, constant, errors

START = 900.0


def judged(canary: float, direction: Direction, seconds: float = 600, stable: float = 0.2) -> MetricReading:
    world = World(2, lasts=1600)
    world.serve(STABLE, 4, constant(180), constant(stable))
    world.serve(CANARY, 2, constant(20), constant(canary), born=START - 5)
    session = AnalysisSession.start([errors(Compare(direction=direction))], started_at=START)
    for now in np.arange(START + 20, START + seconds, 20.0):
        session = session.ingest(float(now), world.reply(session.needs(float(now))))
    return session.judged[0].reading()


@pytest.mark.parametrize(
    ("direction", "outcomes"),
    [
        (Direction.INCREASE, {0.05: Outcome.PASS, 0.2: Outcome.PASS, 0.5: Outcome.FAIL}),
        (Direction.DECREASE, {0.05: Outcome.FAIL, 0.2: Outcome.PASS, 0.5: Outcome.PASS}),
        (Direction.EITHER, {0.05: Outcome.FAIL, 0.2: Outcome.PASS, 0.5: Outcome.FAIL}),
    ],
    ids=str,
)
def test_only_the_difference_that_is_asked_for_fails(direction: Direction, outcomes: dict[float, Outcome]):
    assert {share: judged(share, direction).outcome for share in outcomes} == outcomes


def test_the_message_says_which_side_is_not_tolerated():
    assert "the canary's bad share is below stable's over 1.5" in judged(0.05, Direction.DECREASE).message
    either = judged(0.5, Direction.EITHER).message
    assert "above 1.5 times stable's or below stable's over 1.5" in either


counts = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=6)


def metric(direction: Direction) -> CounterMetric:
    return CounterMetric("m", "s", "b", "t", CANARY, STABLE, Compare(direction=direction), interval_seconds=10)


def counted(pairs: list[tuple[int, int]], direction: Direction) -> MetricReading:
    """40 requests of each track in every interval, of them so many bad."""
    times = np.array([10.0 * index for index in range(len(pairs) + 1)])

    def series(labels: Labels, steps: list[int]) -> Series:
        return Series(labels, times, np.cumsum([0.0, *steps]))

    all_of_them = [40] * len(pairs)
    candidate, stable = (("pod", "c"),), (("pod", "s"),)
    found = TrackSeries(
        ((series(candidate, [pair[0] for pair in pairs]),),),
        (series(candidate, all_of_them),),
        ((series(stable, [pair[1] for pair in pairs]),),),
        (series(stable, all_of_them),),
    )
    start = CounterState.start(0.0)
    state = count(start, metric(direction), found, {}, read_from=-1000.0, read_until=times[-1])
    return read_events(metric(direction), state, 0.01, None, None)


@settings(max_examples=30, deadline=None)
@given(counts)
def test_a_decrease_is_the_increase_of_the_other_track(pairs: list[tuple[int, int]]):
    swapped = [(stable, canary) for canary, stable in pairs]
    assert counted(pairs, Direction.DECREASE).evidence_against == pytest.approx(
        counted(swapped, Direction.INCREASE).evidence_against, abs=1e-9
    )


@settings(max_examples=30, deadline=None)
@given(counts)
def test_either_is_the_average_of_both_and_passes_only_where_both_do(pairs: list[tuple[int, int]]):
    more, fewer, either = (
        counted(pairs, direction) for direction in (Direction.INCREASE, Direction.DECREASE, Direction.EITHER)
    )
    mean = log10((10**more.evidence_against + 10**fewer.evidence_against) / 2)
    assert either.evidence_against == pytest.approx(mean, abs=1e-9)
    assert either.evidence_for == pytest.approx(min(more.evidence_for, fewer.evidence_for), abs=1e-9)
