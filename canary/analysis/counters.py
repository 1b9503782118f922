"""One counter metric of one release: series go in, intervals are cut, and both judges' sums grow.

Time is a grid: the intervals' edges are the start plus multiples of a step, whenever the operator looks. So a replica
that takes over, or reads again what a missed tick left out, cuts the same intervals and reaches the same evidence. (A
target that is late by more than 2.2 scrape intervals can make a difference of that one target's one interval.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from canary.analysis import dispersion, threshold
from canary.analysis.compare import WARM_UP_SECONDS, CompareState, Interval, advance
from canary.analysis.metric import Compare, CounterMetric
from canary.analysis.samples import GAP_INTERVALS, Labels, Reading, Scraped, Series, by_label, scrape_interval, total
from canary.analysis.verdict import SideSummary

FloatArray = NDArray[np.float64]

HISTORY_SECONDS = dispersion.WINDOW_SECONDS
"""How far before the start stable is read, so that its dispersion is known from the first look on."""
USUAL_INTERVAL = 15.0
"""Scrape interval in seconds that is assumed until two samples of a series tell."""


@dataclass(frozen=True, slots=True)
class TrackSeries:
    """One answer, told apart by track and kind."""

    candidate_bad: Sequence[Series] = ()
    candidate_total: Sequence[Series] = ()
    stable_bad: Sequence[Series] = ()
    stable_total: Sequence[Series] = ()

    def every(self) -> tuple[Series, ...]:
        """All of them."""
        return (*self.candidate_bad, *self.candidate_total, *self.stable_bad, *self.stable_total)


@dataclass(frozen=True, slots=True)
class CounterState:
    """What was counted since the start."""

    started_at: float
    """Unix seconds; the grid's origin."""
    edge: float
    """Unix seconds up to which everything is counted."""
    compare: CompareState
    """Of one row."""
    bounds: threshold.ThresholdState = field(default_factory=threshold.ThresholdState)
    candidate: SideSummary = field(default_factory=SideSummary)
    """Warm and cold requests together."""
    cold: SideSummary = field(default_factory=SideSummary)
    """Those of them that came while a pod warmed up."""
    stable: SideSummary = field(default_factory=SideSummary)
    window: tuple[tuple[float, float], ...] = ()
    """The candidate's `(bad, total)` of the intervals in the threshold's present window."""
    blocks: Mapping[int, Mapping[str, tuple[float, float]]] = field(default_factory=dict)
    """Stable's `(bad, total)` by block of 60 s and by part: what dispersion is measured on."""
    phi: float = float("nan")
    """Dispersion in use; NaN until it can be measured."""
    interval: float = USUAL_INTERVAL
    """Scrape interval in seconds, as measured last."""
    read_history: bool = False
    candidate_seen: float | None = None
    """Unix seconds of the candidate's newest sample."""
    stable_seen: float | None = None
    known: frozenset[Labels] = frozenset()
    """The candidate's targets that have been counted: they are not born again when they were away."""

    @classmethod
    def start(cls, started_at: float) -> CounterState:
        """Nothing counted yet."""
        return cls(started_at, started_at, CompareState.fresh(1))

    @property
    def max_gap(self) -> float:
        """Seconds without a sample after which a target counts as gone."""
        return GAP_INTERVALS * self.interval

    @property
    def read_from(self) -> float:
        """Unix seconds from which on samples are needed now: what lies before the edge and joins up with it."""
        start = self.edge if self.read_history else self.started_at - HISTORY_SECONDS
        return start - 2 * self.max_gap


def count(
    state: CounterState,
    metric: CounterMetric,
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
        Raw samples between `read_from` and `read_until`, Unix seconds.
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
    c_bad, w_bad = _by_warmth(found.candidate_bad, cold, edges, scraped, how, metric.split)
    c_total, w_total = _by_warmth(found.candidate_total, cold, edges, scraped, how, metric.split)
    parts = _parts(found, metric.split, edges, scraped, how)
    s_bad = np.sum([bad for bad, _ in parts.values()], axis=0) if parts else np.zeros(intervals)
    s_total = np.sum([n for _, n in parts.values()], axis=0) if parts else np.zeros(intervals)

    cut = Interval.of(c_bad, c_total, s_bad, s_total, w_bad, w_total)
    compare = state.compare
    if isinstance(metric.judge, Compare):
        # Intervals are rows here: each has its own pi, and their exponents are summed, never their counts.
        each = advance(CompareState.fresh(intervals), cut, metric.judge.tolerated_ratio)
        compare = CompareState(
            compare.against + each.against.sum(axis=0),
            compare.cold + each.cold.sum(axis=0),
            compare.favour + each.favour.sum(axis=0),
        )
    state = replace(
        state,
        edge=float(edges[-1]),
        compare=compare,
        candidate=_add(state.candidate, c_bad + w_bad, c_total + w_total),
        cold=_add(state.cold, w_bad, w_total),
        stable=_add(state.stable, s_bad, s_total),
        blocks=_into_blocks(state.blocks, parts, edges[:-1] - state.started_at),
        known=state.known | {each.target for each in found.candidate_total if each.times[0] <= edges[-1]},
    )
    state = _measure(state, metric, c_bad + w_bad, c_total + w_total)
    return _measure_dispersion(state)


def skip(state: CounterState, until: float, step: float) -> CounterState:
    """Give up on the time before `until`, Unix seconds, in steps of the grid: nothing is known of it, nor will be."""
    steps = int((until - state.edge) // step)
    return replace(state, edge=state.edge + step * steps, read_history=True) if steps > 0 else state


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


def _parts(
    found: TrackSeries, split: str, edges: FloatArray, scraped: Scraped, how: Reading
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Stable's increments `(bad, total)` by part."""
    bad, every = by_label(found.stable_bad, split), by_label(found.stable_total, split)
    return {
        part: (
            total(bad.get(part, ()), edges, scraped, how, newborn=False),
            total(every.get(part, ()), edges, scraped, how, newborn=False),
        )
        for part in sorted({*bad, *every})
    }


def _read_history(
    state: CounterState, metric: CounterMetric, found: TrackSeries, scraped: Scraped, how: Reading
) -> CounterState:
    """Measure stable's dispersion on the minutes before the start."""
    back = int(HISTORY_SECONDS // dispersion.BLOCK_SECONDS)
    edges: FloatArray = np.array(
        [state.started_at + dispersion.BLOCK_SECONDS * index for index in range(-back, 1)], dtype=np.float64
    )
    parts = _parts(found, metric.split, edges, scraped, how)
    blocks = _into_blocks({}, parts, edges[:-1] - state.started_at)
    return _measure_dispersion(replace(state, blocks=blocks, read_history=True))


def _into_blocks(
    blocks: Mapping[int, Mapping[str, tuple[float, float]]],
    parts: Mapping[str, tuple[FloatArray, FloatArray]],
    since_start: FloatArray,
) -> dict[int, dict[str, tuple[float, float]]]:
    """Add increments to their blocks; older blocks than the window's are dropped."""
    filled = {index: dict(block) for index, block in blocks.items()}
    indices = (since_start // dispersion.BLOCK_SECONDS).astype(int)
    for part, (bad, every) in parts.items():
        for index, x, n in zip(indices.tolist(), bad.tolist(), every.tolist(), strict=True):
            before = filled.setdefault(index, {}).get(part, (0.0, 0.0))
            filled[index][part] = (before[0] + x, before[1] + n)
    keep = int(dispersion.WINDOW_SECONDS // dispersion.BLOCK_SECONDS)
    newest = max(filled, default=0)
    # The newest block is still being filled, so one more is kept.
    return {index: block for index, block in sorted(filled.items()) if index >= newest - keep}


def _measure_dispersion(state: CounterState) -> CounterState:
    """Estimate phi from the full blocks."""
    present = (state.edge - state.started_at) // dispersion.BLOCK_SECONDS
    full = [block for index, block in state.blocks.items() if index < present]
    parts = sorted({part for block in full for part in block})
    if len(parts) < 2 or not full:
        return state
    table = np.array([[block.get(part, (0.0, 0.0)) for part in parts] for block in full])
    measured = dispersion.of_stable(table[np.newaxis, :, :, 0], table[np.newaxis, :, :, 1])
    return replace(state, phi=float(measured.used[0]))


def _measure(state: CounterState, metric: CounterMetric, bad: FloatArray, every: FloatArray) -> CounterState:
    """Take a threshold's measurements, one at the end of each of its windows: the candidate's bad share in it."""
    if isinstance(metric.judge, Compare):
        return state
    window, bounds = state.window, state.bounds
    length = max(1, round(metric.judge.window_seconds / metric.interval_seconds))
    for pair in zip(bad.tolist(), every.tolist(), strict=True):
        window = (*window, pair)
        if len(window) == length:
            x, n = (sum(column) for column in zip(*window, strict=True))
            if n > 0:  # without requests nothing was measured
                bounds = threshold.measure(bounds, metric.judge, x / n)
            window = ()
    return replace(state, window=window, bounds=bounds)


def _add(side: SideSummary, bad: FloatArray, every: FloatArray) -> SideSummary:
    return SideSummary(side.count + float(every.sum()), side.bad + float(bad.sum()))


def _newest(series: Sequence[Series], before: float | None) -> float | None:
    return max((float(each.times[-1]) for each in series if len(each.times)), default=before)
