"""What a look costs: the sums of many rows at once, and one metric from its raw series to its reading.

In processor time, which a busy machine does not stretch.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from benchmarks.figures import Figure
from canary.analysis.compare import TOLERATED_RATIO, CompareState, Interval, advance, evidence
from canary.analysis.counted import CounterState
from canary.analysis.counters import TrackSeries, count
from canary.analysis.metric import Compare, CounterMetric
from canary.analysis.reading import read_events
from canary.analysis.samples import Series, TrackLabel

LOOKS = 31
METRIC = CounterMetric(
    "http/errors",
    "prometheus",
    "bad",
    "total",
    (TrackLabel("hash", "new"),),
    (TrackLabel("hash", "old"),),
    Compare(),
)


def speed() -> list[Figure]:
    """Every figure."""
    return [*many(10_000), *one()]


def many(rows: int) -> list[Figure]:
    """A tick of many (Rollout, metric) pairs, each interval added to the sums of all before."""
    rng = np.random.default_rng(1)
    n_c, n_s = rng.poisson(50, rows), rng.poisson(950, rows)
    interval = Interval.of(rng.binomial(n_c, 0.01), n_c, rng.binomial(n_s, 0.01), n_s)
    state = CompareState.fresh(rows)

    def tick() -> None:
        nonlocal state
        state = advance(state, interval, TOLERATED_RATIO)
        evidence(state, 1.25)

    size = sum(each.nbytes for each in (state.against, state.cold, state.favour)) / rows
    return [
        Figure.at_most(f"a tick of {rows} rows", _milliseconds(tick), "ms", 50),
        Figure.seen("state of a row, however long the release", size, "bytes"),
    ]


def one() -> list[Figure]:
    """One counter of ten stable pods and one of the candidate's, from raw series to its reading."""
    state, now = CounterState.start(1000.0), 1000.0
    state = count(state, METRIC, _found(now, 80), {}, read_from=200.0, read_until=now)

    def look() -> None:
        nonlocal state, now
        now += 10.0
        state = count(state, METRIC, _found(now, 8), {}, read_from=now - 80.0, read_until=now)
        read_events(METRIC, state, 0.01, None, None)

    return [Figure.seen("one metric from its raw series to its reading", _milliseconds(look), "ms")]


def _found(now: float, samples: int) -> TrackSeries:
    times = now - 10.0 * np.arange(samples, dtype=np.float64)[::-1]

    def series(pods: int, version: str, rate: float) -> tuple[Series, ...]:
        return tuple(
            Series((("hash", version), ("pod", f"{version}-{pod}")), times, np.floor(rate * times))
            for pod in range(pods)
        )

    return TrackSeries(
        (series(1, "new", 0.1),), series(1, "new", 5), (series(10, "old", 0.095),), series(10, "old", 9.5)
    )


def _milliseconds(work: Callable[[], None]) -> float:
    took = []
    for _ in range(LOOKS):
        began = time.process_time()
        work()
        took.append((time.process_time() - began) * 1000)
    return float(np.median(took))
