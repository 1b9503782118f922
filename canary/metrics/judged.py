"""One metric of an attempt and what is known of it: what it needs measured now, and what the answers make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self

from canary.analysis import threshold
from canary.analysis.counted import CounterState
from canary.analysis.course import Course
from canary.analysis.custom import Broken, Judgement, Measurements, Question
from canary.analysis.metric import Compare, Custom, Metric, ValueMetric
from canary.analysis.opinion import read_custom
from canary.analysis.reading import read_events, read_value
from canary.analysis.values import ValueState
from canary.analysis.verdict import MetricReading, Outcome, Reason
from canary.analysis.wording import Trouble
from canary.metrics import events, history
from canary.metrics.answers import numbers, paired, refusal, stable_problem, value_problem
from canary.metrics.planner import CounterNeed, Need, ValueNeed
from canary.metrics.source import Answer, Unavailable

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
    """For an expression's metric that is judged by bounds; unused otherwise."""
    values: ValueState
    """For an expression's metric that is compared; unused otherwise."""
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
    said: Judgement | None = None
    """What a team's own judge said last."""
    said_until: float = 0.0
    """Unix seconds up to which that judge was asked."""

    @classmethod
    def start(cls, metric: Metric, share: float, started_at: float, resumed_at: float) -> Self:
        """Nothing measured yet."""
        own = metric.judge.alpha if isinstance(metric.judge, Compare) else None
        # Looks at expressions hang on round times, so that releases share them.
        delay = metric.delay_seconds if isinstance(metric, ValueMetric) else 0.0
        grid = (started_at + delay) // metric.interval_seconds * metric.interval_seconds
        return cls(
            metric,
            share if own is None else own,
            CounterState.start(started_at),
            threshold.ThresholdState(),
            ValueState(),
            grid,
            resumed_at,
            course=Course(started_at, metric.interval_seconds),
        )

    def reading(self) -> MetricReading:
        """What the metric says now."""
        if isinstance(self.metric.judge, Custom):
            reading = read_custom(self.metric, self.said, self.trouble, self.failed)
        elif isinstance(self.metric, ValueMetric):
            reading = read_value(self.metric, (self.bounds, self.values), self.alpha, self.trouble, self.failed)
        else:
            reading = read_events(self.metric, self.counters, self.alpha, self.trouble, self.failed)
        # What it failed by stays as it was at the moment of decision.
        return reading if reading is self.failed else replace(reading, course=self.course)

    def needs(self, now: float) -> dict[str, Need]:
        """By role: counters' or `value` of an expression; nothing if nothing is due."""
        metric = self.metric
        if isinstance(metric, ValueMetric):
            times = self._value_times(metric, now)
            if not times:
                return {}
            asked = {"value": (metric.expression, metric.track, times)}
            if metric.stable_expression:
                then = tuple(at - history.ago(metric) for at in times)
                asked["stable"] = (metric.stable_expression, metric.stable, then)
            return {
                role: ValueNeed(metric.source, expression, when, track, metric.language)
                for role, (expression, track, when) in asked.items()
            }
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
            at = judged.measured_until if isinstance(judged.metric, ValueMetric) else judged.counters.edge
            judged = replace(judged, course=judged.course.add(at, reading.evidence_against))
            reading = replace(reading, course=judged.course)
        if judged.failed is None and reading.outcome is Outcome.FAIL:
            judged = replace(judged, failed=reading)
        return judged

    def question(self) -> Question | None:
        """What a team's own judge has to be asked now; None when it knows everything, or there is none."""
        judge = self.metric.judge
        until = self.measured_until if isinstance(self.metric, ValueMetric) else self.counters.edge
        if not isinstance(judge, Custom) or self.failed is not None or until <= max(self.said_until, 0.0):
            return None
        if isinstance(self.metric, ValueMetric):
            pairs = self.values.pairs
            candidate = [(value, 1.0) for value in pairs[:, 0].tolist()]
            stable = [(value, 1.0) for value in pairs[:, 1].tolist()] if self.metric.stable_expression else []
        else:
            rows = self.counters.course.tolist()
            candidate, stable = [(row[0], row[1]) for row in rows], [(row[2], row[3]) for row in rows]
        if not candidate:
            return None
        measured = Measurements(
            self.metric.name, dict(judge.params), self.metric.interval_seconds, tuple(candidate), tuple(stable)
        )
        return Question(judge.name, measured, until)

    def answered(self, question: Question, said: Judgement | Broken) -> Judged:
        """Take in what the judge says; what is broken is told and asked again with the next look."""
        if isinstance(said, Broken):
            return _troubled(replace(self, said_until=question.until), Reason.JUDGE_BROKEN, said.message)
        judged = replace(self, said=said, said_until=question.until, trouble=None, last_data=question.until)
        reading = judged.reading()
        return replace(judged, failed=reading) if reading.outcome is Outcome.FAIL else judged

    def _taken(
        self, needs: Mapping[str, Need], got: Mapping[str, Answer], now: float, ready_at: Mapping[str, float]
    ) -> Judged:
        if isinstance(self.metric, ValueMetric):
            return _ingest_values(self, self.metric, needs["value"], got, now, ready_at)
        need = needs["total"]
        if not isinstance(need, CounterNeed):
            raise TypeError("a counter's need is a CounterNeed")
        taken = events.take(self.counters, self.metric, need, got, now, ready_at)
        judged = replace(self, counters=taken.state)
        if taken.problem is not None:
            return _troubled(judged, *taken.problem)
        return judged if taken.behind else replace(_untroubled(judged, now), looked=True)

    def _value_times(self, metric: ValueMetric, now: float) -> tuple[float, ...]:
        every = metric.interval_seconds
        due = int((now - self.measured_until) // every)
        return tuple(self.measured_until + every * k for k in range(1, min(due, MOST_VALUES) + 1))


def _ingest_values(
    judged: Judged,
    metric: ValueMetric,
    need: Need,
    got: Mapping[str, Answer],
    now: float,
    ready_at: Mapping[str, float],
) -> Judged:
    if not isinstance(need, ValueNeed):
        raise TypeError("an expression's need is a ValueNeed")
    for role in sorted(got, reverse=True):  # the candidate's first
        if (problem := refusal(got[role])) is not None:
            return _troubled(judged, *problem)
    judged = replace(
        judged,
        measured_until=need.times[-1],
        looked=judged.looked or now - need.times[-1] < metric.interval_seconds,
    )
    problem = value_problem(got["value"])
    values = numbers(got["value"])
    if isinstance(metric.judge, Custom):
        stable = numbers(got["stable"]) if "stable" in got else dict.fromkeys(values, 0.0)
        judged = replace(judged, values=judged.values.add(paired(values, stable, 0.0, {})))
    elif isinstance(metric.judge, Compare):
        stable = numbers(history.moved(got["stable"], history.ago(metric)))
        problem = problem or stable_problem(got["stable"], problem, stable)
        pairs = paired(values, stable, metric.judge.warm_up_seconds, ready_at)
        if (pairs < 0).any():
            return _troubled(judged, Reason.QUERY_INVALID, "compare needs values of at least 0; use threshold")
        judged = replace(judged, values=judged.values.add(pairs))
    else:
        judged = replace(judged, bounds=threshold.measure_all(judged.bounds, metric.judge, values.values()))
    return _untroubled(judged, now) if problem is None else _troubled(judged, *problem)


def _untroubled(judged: Judged, now: float) -> Judged:
    if judged.trouble is not None and judged.trouble.reason is Reason.JUDGE_BROKEN:
        return judged  # until the judge answers
    # Of a team's own judge only an answer is data that count.
    own = isinstance(judged.metric.judge, Custom)
    return replace(judged, trouble=None, last_data=judged.last_data if own else now)


def _troubled(judged: Judged, reason: Reason, message: str) -> Judged:
    # A source that does not answer has been looked at too: its verdict is an error, not silence.
    return replace(judged, trouble=Trouble(reason, message, judged.last_data), looked=True)
