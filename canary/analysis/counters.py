"""One event metric of one release: series go in, intervals are cut, and both judges' sums grow.

Time is a grid: the intervals' edges are the start plus multiples of a step, whenever the operator looks. So a replica
that takes over, or reads again what a missed tick left out, cuts the same intervals and reaches the same evidence. (A
target that is late by more than 2.2 scrape intervals can make a difference of that one target's one interval.)

A counter has one row of bad requests. A histogram has a row for each bound, of the requests above it; all rows share
the intervals and the total.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from canary.analysis import blocks as stable_blocks
from canary.analysis import burn, dispersion, threshold
from canary.analysis.compare import WARM_UP_SECONDS, CompareState, Interval, advance
from canary.analysis.counted import HISTORY_SECONDS, CounterState
from canary.analysis.custom import MOST_INTERVALS
from canary.analysis.metric import BurnRate, Compare, Custom, Direction, EventMetric, Threshold
from canary.analysis.samples import Reading, Scraped, Series, by_label, scrape_interval, total
from canary.analysis.verdict import SideSummary

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TrackSeries:
    """One answer, told apart by track and kind."""

    candidate_bad: tuple[Sequence[Series], ...] = ((),)
    """By row."""
    candidate_total: Sequence[Series] = ()
    stable_bad: tuple[Sequence[Series], ...] = ((),)
    stable_total: Sequence[Series] = ()
    inverted: bool = False
    """Whether the rows hold the good requests, as a histogram's buckets do: bad is then the total less these."""

    def every(self) -> tuple[Series, ...]:
        """All of them."""
        rows = (each for row in (*self.candidate_bad, *self.stable_bad) for each in row)
        return (*rows, *self.candidate_total, *self.stable_total)


def count(
    state: CounterState,
    metric: EventMetric,
    found: TrackSeries,
    ready_at: Mapping[str, float],
    *,
    read_from: float,
    read_until: float,
) -> CounterState:
    """Count what the series say about the time since the edge, as far as every target has been scraped.

    Parameters
    ----------
    found
        Raw samples between `read_from` and `read_until`, Unix seconds; of as many rows as the state.
    ready_at
        By pod, when each of the candidate's became ready.
    """
    every, step = found.every(), metric.interval_seconds
    interval = scrape_interval(every) or state.interval
    state = replace(state, interval=interval)
    scraped = Scraped.of(every)
    complete = scraped.complete_until(state.max_gap)
    if complete is None:
        return state
    how = Reading(state.max_gap, interval, read_from, state.known)
    if not state.read_history:
        state = _read_history(state, metric, found, scraped, how)
    intervals = int((min(complete, read_until) - state.edge) // step)
    state = replace(
        state,
        candidate_seen=_newest(found.candidate_total, state.candidate_seen),
        stable_seen=_newest(found.stable_total, state.stable_seen),
    )
    if intervals < 1:
        return state
    edges: FloatArray = state.edge + step * np.arange(intervals + 1, dtype=np.float64)

    warm_up = metric.judge.warm_up_seconds if isinstance(metric.judge, Compare) else WARM_UP_SECONDS
    cold = _cold(found.candidate_total, metric.split, ready_at, edges, warm_up)
    c_total, w_total = _by_warmth(found.candidate_total, cold, edges, scraped, how, metric.split)
    by_row = [_by_warmth(row, cold, edges, scraped, how, metric.split) for row in found.candidate_bad]
    c_bad = _bad(np.array([warm for warm, _ in by_row]), c_total, inverted=found.inverted)
    w_bad = _bad(np.array([chilly for _, chilly in by_row]), w_total, inverted=found.inverted)
    parts = _parts(found, metric.split, edges, scraped, how)
    s_bad = np.sum([bad for bad, _ in parts.values()], axis=0) if parts else np.zeros_like(c_bad)
    s_total = np.sum([n for _, n in parts.values()], axis=0) if parts else np.zeros(intervals)

    if isinstance(metric.judge, Compare):
        state = _compare(state, metric.judge, (c_bad, c_total), (s_bad, s_total), (w_bad, w_total))
    pin, since_start = state.pin, edges[:-1] - state.started_at
    candidate = {"": (c_bad + w_bad, c_total + w_total)}
    state = replace(
        state,
        edge=float(edges[-1]),
        candidate=_add(state.candidate, c_bad[pin] + w_bad[pin], c_total + w_total),
        cold=_add(state.cold, w_bad[pin], w_total),
        stable=_add(state.stable, s_bad[pin], s_total),
        candidate_bad=state.candidate_bad + (c_bad + w_bad).sum(axis=1),
        stable_bad=state.stable_bad + s_bad.sum(axis=1),
        blocks=stable_blocks.filled(state.blocks, parts, since_start),
        candidate_blocks=stable_blocks.filled(state.candidate_blocks, candidate, since_start),
        candidate_parts=max(1, len(by_label(found.candidate_total, metric.split))),
        known=state.known | {each.target for each in found.candidate_total if each.times[0] <= edges[-1]},
    )
    if isinstance(metric.judge, Custom):
        counted = np.column_stack([c_bad[pin] + w_bad[pin], c_total + w_total, s_bad[pin], s_total])
        state = replace(state, course=np.concatenate([state.course, counted])[-MOST_INTERVALS:])
    state = _measure(state, metric, c_bad[pin] + w_bad[pin], c_total + w_total)
    return _measure_dispersion(state)


Side = tuple[FloatArray, FloatArray]
"""One side's bad requests, shape (rows, intervals), and all of them, shape (intervals,)."""


def _compare(state: CounterState, judge: Compare, candidate: Side, stable: Side, cold: Side) -> CounterState:
    """Add the intervals to the evidence: each has its own pi, so exponents are summed, never counts."""
    compare, lower = state.compare, state.lower
    if judge.direction is not Direction.DECREASE:
        compare = _sum(compare, _interval(candidate, stable, cold), judge.tolerated_ratio)
    if judge.direction is not Direction.INCREASE:
        # "Below stable's divided by r0" is "stable's is above r0 times the candidate's". What comes while pods warm up
        # is left out: caches that are cold make nobody better.
        nothing = (np.zeros_like(cold[0]), np.zeros_like(cold[1]))
        lower = _sum(lower, _interval(stable, candidate, nothing), judge.tolerated_ratio)
    return replace(state, compare=compare, lower=lower)


def _interval(first: Side, second: Side, cold: Side) -> Interval:
    """Every row's every interval as a row, the intervals of one row beside each other."""
    flat = []
    for bad, every in (first, second, cold):
        flat += [bad.ravel(), np.broadcast_to(every, bad.shape).ravel()]
    return Interval.of(*flat)


def _sum(state: CompareState, cut: Interval, tolerated_ratio: float) -> CompareState:
    rows = len(state.against)
    each = advance(CompareState.fresh(len(cut.candidate_bad)), cut, tolerated_ratio)

    def added(before: FloatArray, now: FloatArray) -> FloatArray:
        return np.asarray(before + now.reshape(rows, -1, now.shape[-1]).sum(axis=1))

    return CompareState(
        added(state.against, each.against), added(state.cold, each.cold), added(state.favour, each.favour)
    )


def _cold(
    series: Sequence[Series], split: str, ready_at: Mapping[str, float], edges: FloatArray, warm_up_seconds: float
) -> dict[str, NDArray[np.bool_]]:
    """By pod, which intervals are in its warm-up; a series of no known pod is cold while any pod is.

    As much time before the readiness counts, as a first scrape's count is spread over the time before it. What came
    earlier does not: the past that a session reads again must not turn cold because a pod was added since.
    """

    def near(ready: float) -> NDArray[np.bool_]:
        return np.asarray((edges[1:] > ready - warm_up_seconds) & (edges[:-1] < ready + warm_up_seconds))

    some = np.zeros(len(edges) - 1, dtype=np.bool_)
    for ready in ready_at.values():
        some |= near(ready)
    pods = {each.label(split) for each in series}
    return {pod: near(ready_at[pod]) if pod in ready_at else some for pod in pods}


def _by_warmth(
    series: Sequence[Series],
    cold: Mapping[str, NDArray[np.bool_]],
    edges: FloatArray,
    scraped: Scraped,
    how: Reading,
    split: str,
) -> tuple[FloatArray, FloatArray]:
    """The candidate's increments: of warm pods, and of cold ones."""
    warm, chilly = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1)
    for pod, many in by_label(series, split).items():
        counted = total(many, edges, scraped, how, newborn=True)
        is_cold = cold.get(pod, np.zeros(len(counted), dtype=np.bool_))
        warm += np.where(is_cold, 0.0, counted)
        chilly += np.where(is_cold, counted, 0.0)
    return warm, chilly


def _bad(rows: FloatArray, every: FloatArray, *, inverted: bool) -> FloatArray:
    return np.maximum(every - rows, 0.0) if inverted else rows


def _parts(
    found: TrackSeries, split: str, edges: FloatArray, scraped: Scraped, how: Reading
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Stable's increments by part: bad by row, shape (rows, intervals), and all."""
    every = by_label(found.stable_total, split)
    rows = [by_label(row, split) for row in found.stable_bad]
    names = sorted({*every, *(part for row in rows for part in row)})
    parts = {}
    for part in names:
        n = total(every.get(part, ()), edges, scraped, how, newborn=False)
        counted = [total(row.get(part, ()), edges, scraped, how, newborn=False) for row in rows]
        parts[part] = (_bad(np.array(counted), n, inverted=found.inverted), n)
    return parts


def _read_history(
    state: CounterState, metric: EventMetric, found: TrackSeries, scraped: Scraped, how: Reading
) -> CounterState:
    """Measure stable's dispersion on the minutes before the start."""
    back = int(HISTORY_SECONDS // dispersion.BLOCK_SECONDS)
    edges: FloatArray = np.array(
        [state.started_at + dispersion.BLOCK_SECONDS * index for index in range(-back, 1)], dtype=np.float64
    )
    parts = _parts(found, metric.split, edges, scraped, how)
    blocks = stable_blocks.filled({}, parts, edges[:-1] - state.started_at)
    return _measure_dispersion(replace(state, blocks=blocks, read_history=True))


def _measure_dispersion(state: CounterState) -> CounterState:
    """Estimate from the full blocks how wild stable is; what is older than the window is dropped after that."""
    present = int((state.edge - state.started_at) // dispersion.BLOCK_SECONDS)
    return replace(
        state,
        wild=stable_blocks.measure(state.wild, state.blocks, state.candidate_blocks, present, state.pin),
        blocks=stable_blocks.recent(state.blocks, present),
        candidate_blocks=stable_blocks.recent(state.candidate_blocks, present),
    )


def _measure(state: CounterState, metric: EventMetric, bad: FloatArray, every: FloatArray) -> CounterState:
    """Take the measurements of the judges that look at the candidate alone."""
    match metric.judge:
        case Compare():
            return state
        case Custom():
            return state
        case BurnRate() as judge:
            return replace(state, burn=burn.measure(state.burn, judge, bad, every, metric.interval_seconds))
        case Threshold() as judge:
            return _measure_bounds(state, judge, metric.interval_seconds, bad, every)
        case _:
            assert_never(metric.judge)


def _measure_bounds(
    state: CounterState, judge: Threshold, interval_seconds: float, bad: FloatArray, every: FloatArray
) -> CounterState:
    """One measurement at the end of each of the threshold's windows: the candidate's bad share in it."""
    window, bounds = state.window, state.bounds
    length = max(1, round(judge.window_seconds / interval_seconds))
    for pair in zip(bad.tolist(), every.tolist(), strict=True):
        window = (*window, pair)
        if len(window) == length:
            x, n = (sum(column) for column in zip(*window, strict=True))
            if n > 0:  # without requests nothing was measured
                bounds = threshold.measure(bounds, judge, x / n)
            window = ()
    return replace(state, window=window, bounds=bounds)


def _add(side: SideSummary, bad: FloatArray, every: FloatArray) -> SideSummary:
    return SideSummary(side.count + float(every.sum()), side.bad + float(bad.sum()))


def _newest(series: Sequence[Series], before: float | None) -> float | None:
    return max((float(each.times[-1]) for each in series if len(each.times)), default=before)
