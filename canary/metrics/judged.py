"""One metric of an attempt and what is known of it: what it needs measured now, and what the answers make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self

import numpy as np

from canary.analysis import threshold
from canary.analysis.counted import CounterState
from canary.analysis.course import Course
from canary.analysis.metric import Compare, Metric, ValueMetric
from canary.analysis.reading import Trouble, read_events, read_value
from canary.analysis.verdict import MetricReading, Outcome, Reason
from canary.metrics import events
from canary.metrics.answers import refusal
from canary.metrics.planner import CounterNeed, Need, ValueNeed
from canary.metrics.source import Answer, Sample, Unavailable

MOST_VALUES: Final = 500
"""Instants of an expression that one query recovers at most."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One metric and what is known of it."""

    metric: Metric
    alpha: float
    """Its share."""
    counters: CounterState
    """For a counter's or histogram's metric; unused otherwise."""
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
    course: Course = field(default_factory=Course)
    """How evidence went, for `compare`."""

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
            course=Course(started_at, metric.interval_seconds),
        )

    def reading(self) -> MetricReading:
        """What the metric says now."""
        if isinstance(self.metric, ValueMetric):
            return read_value(self.metric, self.bounds, self.trouble, self.failed)
        reading = read_events(self.metric, self.counters, self.alpha, self.trouble, self.failed)
        # What it failed by stays as it was at the moment of decision.
        return reading if reading is self.failed else replace(reading, course=self.course)

    def needs(self, now: float) -> dict[str, Need]:
        """By role: counters' or `value` of an expression; nothing if nothing is due."""
        metric = self.metric
        if isinstance(metric, ValueMetric):
            times = self._value_times(metric, now)
            need = ValueNeed(metric.source, metric.expression, times, metric.track, metric.language)
            return {"value": need} if times else {}
        return dict(events.needs(metric, self.counters, now))

    def ingest(self, now: float, replies: Mapping[Need, Answer], ready_at: Mapping[str, float]) -> Judged:
        """Take in the replies to `needs(now)`; what has no reply counts as not answered."""
        needs = self.needs(now)
        if not needs:
            return self
        got = {role: replies.get(need, Unavailable("no answer came back")) for role, need in needs.items()}
        judged = self._taken(needs, got, now, ready_at)
        reading = judged.reading()
        if judged.failed is None and reading.judge == "compare":
            judged = replace(judged, course=judged.course.add(judged.counters.edge, reading.evidence_against))
            reading = replace(reading, course=judged.course)
        if judged.failed is None and reading.outcome is Outcome.FAIL:
            judged = replace(judged, failed=reading)
        return judged

    def _taken(
        self, needs: Mapping[str, Need], got: Mapping[str, Answer], now: float, ready_at: Mapping[str, float]
    ) -> Judged:
        if isinstance(self.metric, ValueMetric):
            return _ingest_values(self, self.metric, needs["value"], got["value"], now)
        need = needs["total"]
        if not isinstance(need, CounterNeed):
            raise TypeError("a counter's need is a CounterNeed")
        taken = events.take(self.counters, self.metric, need, got, now, ready_at)
        judged = replace(self, counters=taken.state)
        if taken.problem is not None:
            return _troubled(judged, *taken.problem)
        return judged if taken.behind else replace(judged, looked=True, trouble=None, last_data=now)

    def _value_times(self, metric: ValueMetric, now: float) -> tuple[float, ...]:
        every = metric.interval_seconds
        due = int((now - self.measured_until) // every)
        return tuple(self.measured_until + every * k for k in range(1, min(due, MOST_VALUES) + 1))


def _ingest_values(judged: Judged, metric: ValueMetric, need: Need, got: Answer, now: float) -> Judged:
    if not isinstance(need, ValueNeed):
        raise TypeError("an expression's need is a ValueNeed")
    if (problem := refusal(got)) is not None:
        return _troubled(judged, *problem)
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
