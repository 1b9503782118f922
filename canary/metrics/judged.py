"""One metric of an attempt and what is known of it: what it needs measured now, and what the answers make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np

from canary.analysis import threshold
from canary.analysis.counters import CounterState, TrackSeries, count, skip
from canary.analysis.metric import Compare, CounterMetric, Metric, ValueMetric
from canary.analysis.reading import Trouble, read_counter, read_value
from canary.analysis.samples import Series, of_track
from canary.analysis.verdict import MetricReading, Outcome, Reason
from canary.metrics.planner import CounterNeed, Need, ValueNeed, window_for
from canary.metrics.promql import Selector
from canary.metrics.source import Answer, NoData, Partial, Refused, Sample, Unavailable

LONGEST_READ: Final = 900.0
"""Seconds of raw samples that one query reads at most; more is read in several looks."""
MOST_VALUES: Final = 500
"""Instants of an expression that one query recovers at most."""
CLOCK_SKEW: Final = 10.0
"""Seconds that the operator's clock and the source's may differ without the newest sample looking stale. Arbitrary."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One metric and what is known of it."""

    metric: Metric
    alpha: float
    """Its share."""
    counters: CounterState
    """For a counter's metric; unused otherwise."""
    bounds: threshold.ThresholdState
    """For an expression's metric; unused otherwise."""
    measured_until: float
    """For an expression's metric: Unix seconds of the last instant that was asked for and answered."""
    last_data: float
    """Unix seconds when data that count came last."""
    trouble: Trouble | None = None
    failed: MetricReading | None = None
    looked: bool = False
    """Whether some look has covered everything up to the present."""

    @classmethod
    def start(cls, metric: Metric, share: float, started_at: float, resumed_at: float) -> Self:
        """Nothing measured yet."""
        own = metric.judge.alpha if isinstance(metric.judge, Compare) else None
        # Looks at expressions hang on round times, so that releases share them.
        grid = started_at // metric.interval_seconds * metric.interval_seconds
        return cls(
            metric,
            share if own is None else own,
            CounterState.start(started_at),
            threshold.ThresholdState(),
            grid,
            resumed_at,
        )

    def reading(self) -> MetricReading:
        """What the metric says now."""
        if isinstance(self.metric, CounterMetric):
            return read_counter(self.metric, self.counters, self.alpha, self.trouble, self.failed)
        return read_value(self.metric, self.bounds, self.trouble, self.failed)

    def needs(self, now: float) -> dict[str, Need]:
        """By role: `bad` and `total` of a counter, `value` of an expression; nothing if nothing is due."""
        metric = self.metric
        if isinstance(metric, ValueMetric):
            times = self._value_times(metric, now)
            return {"value": ValueNeed(metric.source, metric.expression, times, metric.track)} if times else {}
        state = self.counters
        if now - state.edge < metric.interval_seconds:
            return {}
        at = min(now, state.edge + LONGEST_READ)
        window = window_for(at - state.read_from)
        tracks = (metric.candidate, metric.stable)
        return {
            role: CounterNeed(metric.source, Selector.parse(selector), tracks, window, at)
            for role, selector in (("bad", metric.bad), ("total", metric.total))
        }

    def ingest(self, now: float, replies: Mapping[Need, Answer], ready_at: Mapping[str, float]) -> Judged:
        """Take in the replies to `needs(now)`; what has no reply counts as not answered."""
        needs = self.needs(now)
        if not needs:
            return self
        got = {role: replies.get(need, Unavailable("no answer came back")) for role, need in needs.items()}
        if isinstance(self.metric, ValueMetric):
            judged = _ingest_values(self, self.metric, needs["value"], got["value"], now)
        else:
            judged = _ingest_counters(self, self.metric, needs["total"], got, now, ready_at)
        reading = judged.reading()
        if judged.failed is None and reading.outcome is Outcome.FAIL:
            judged = replace(judged, failed=reading)
        return judged

    def _value_times(self, metric: ValueMetric, now: float) -> tuple[float, ...]:
        every = metric.interval_seconds
        due = int((now - self.measured_until) // every)
        return tuple(self.measured_until + every * k for k in range(1, min(due, MOST_VALUES) + 1))


def _ingest_counters(
    judged: Judged,
    metric: CounterMetric,
    need: Need,
    got: Mapping[str, Answer],
    now: float,
    ready_at: Mapping[str, float],
) -> Judged:
    if not isinstance(need, CounterNeed):
        raise TypeError("a counter's need is a CounterNeed")
    for role in ("total", "bad"):
        if (refusal := _refusal(got[role])) is not None:
            return _troubled(judged, *refusal)
    bad, every = _finite(got["bad"]), _finite(got["total"])
    found = TrackSeries(
        candidate_bad=of_track(bad, metric.candidate),
        candidate_total=of_track(every, metric.candidate),
        stable_bad=of_track(bad, metric.stable),
        stable_total=of_track(every, metric.stable),
    )
    state = count(judged.counters, metric, found, ready_at, read_from=need.at - need.window_seconds, read_until=need.at)
    behind = need.at < now
    if behind:
        # Whatever has no samples by now will never have any: the source was down, or there was nothing to scrape.
        state = skip(state, need.at - state.max_gap - 2 * metric.interval_seconds, metric.interval_seconds)
    judged = replace(judged, counters=state, looked=judged.looked or not behind)
    trouble = _missing(state, found, got["total"], now) if not behind else None
    if trouble is not None:
        return _troubled(judged, *trouble)
    if _has_nan(got["total"]) or _has_nan(got["bad"]):
        return _troubled(judged, Reason.NOT_A_NUMBER, "a counter's newest value is not a number")
    return judged if behind else replace(judged, trouble=None, last_data=now)


def _missing(state: CounterState, found: TrackSeries, total: Answer, now: float) -> tuple[Reason, str] | None:
    """Why the counters cannot be judged by at present; None if they can."""
    if isinstance(total, NoData):
        return Reason.NO_DATA, "the query answers, and is empty: neither the canary nor stable has such a series"
    newest = max(state.candidate_seen or 0.0, state.stable_seen or 0.0)
    age = now - newest
    if age > state.max_gap + CLOCK_SKEW:
        return Reason.STALE, f"the newest sample is {age:.0f} s old"
    if not found.candidate_total:
        return Reason.NO_CANDIDATE_DATA, "the canary has no such series; stable has"
    behind = newest - (state.candidate_seen or 0.0)
    if behind > state.max_gap + CLOCK_SKEW:
        return Reason.STALE, f"the canary's newest sample is {behind:.0f} s older than stable's"
    return None


def _ingest_values(judged: Judged, metric: ValueMetric, need: Need, got: Answer, now: float) -> Judged:
    if not isinstance(need, ValueNeed):
        raise TypeError("an expression's need is a ValueNeed")
    if (refusal := _refusal(got)) is not None:
        return _troubled(judged, *refusal)
    judged = replace(
        judged,
        measured_until=need.times[-1],
        looked=judged.looked or now - need.times[-1] < metric.interval_seconds,
    )
    if not isinstance(got, Sample):
        return _troubled(judged, Reason.NO_DATA, "the query answers, and is empty")
    if len(got.series) > 1:
        return _troubled(
            judged, Reason.QUERY_INVALID, f"the query must give one value, and gave {len(got.series)} series"
        )
    values = got.series[0].values
    finite = values[~np.isnan(values)]
    judged = replace(judged, bounds=threshold.measure_all(judged.bounds, metric.judge, finite.tolist()))
    if len(values) == 0 or np.isnan(values[-1]):
        return _troubled(judged, Reason.NOT_A_NUMBER, "the query answers NaN")
    return replace(judged, trouble=None, last_data=now)


def _troubled(judged: Judged, reason: Reason, message: str) -> Judged:
    # A source that does not answer has been looked at too: its verdict is an error, not silence.
    return replace(judged, trouble=Trouble(reason, message, judged.last_data), looked=True)


def _refusal(answer: Answer) -> tuple[Reason, str] | None:
    match answer:
        case Unavailable(message):
            return Reason.UNAVAILABLE, message
        case Refused(message):
            return Reason.QUERY_INVALID, message
        case Partial(warnings):
            return Reason.PARTIAL, f"the source says that its answer is partial: {'; '.join(warnings)[:300]}"
        case _:
            return None


def _finite(answer: Answer) -> tuple[Series, ...]:
    """The series with what is no number left out; a series of nothing else is left out whole."""
    if not isinstance(answer, Sample):
        return ()
    kept = []
    for series in answer.series:
        good = np.isfinite(series.values)
        if good.all():
            kept.append(series)
        elif good.any():
            kept.append(replace(series, times=series.times[good], values=series.values[good]))
    return tuple(kept)


def _has_nan(answer: Answer) -> bool:
    return isinstance(answer, Sample) and any(
        len(series.values) > 0 and not np.isfinite(series.values[-1]) for series in answer.series
    )
