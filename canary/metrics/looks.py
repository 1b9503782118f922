"""One look after the other without an operator: for the command line, live or over the past."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from canary.analysis.metric import Metric, ValueMetric
from canary.analysis.verdict import Outcome
from canary.metrics.custom import ask
from canary.metrics.events import selectors
from canary.metrics.planner import CounterNeed, plan
from canary.metrics.promql import Selector
from canary.metrics.session import AnalysisSession
from canary.metrics.source import MetricSource, Sample, answers

BORN_AFTER_SECONDS = 60.0
"""A pod whose first sample is later than this after the beginning of what was read is new: two intervals of 30 s, of an
older one something would have been seen before. Arbitrary."""


def look(session: AnalysisSession, sources: Mapping[str, MetricSource], now: float) -> AnalysisSession:
    """Ask what the session needs at `now`, Unix seconds, and judge it."""
    planned = plan(session.needs(now))
    session = session.ingest(now, planned.replies(answers(sources, planned.queries)))
    return session.answered({(q.measurements.metric, q.until): ask(q) for q in session.questions()})


def looks(
    session: AnalysisSession, sources: Mapping[str, MetricSource], until: float
) -> Iterator[tuple[float, AnalysisSession]]:
    """Judge the past as it would have been judged then: a look at each interval, up to `until` or the first fail.

    Yields
    ------
    The time of each look, Unix seconds, and the session after it.
    """
    every = min((each.metric.interval_seconds for each in session.judged), default=10.0)
    count = int((until - session.started_at) // every)
    for index in range(1, count + 1):
        now = session.started_at + index * every
        session = look(session, sources, now)
        yield now, session
        if session.verdict is not None and session.verdict.outcome is Outcome.FAIL:
            return


def first_seen(
    metrics: tuple[Metric, ...], sources: Mapping[str, MetricSource], since: float, until: float
) -> dict[str, float]:
    """Return when the candidate's pods that are new were first scraped, Unix seconds by name.

    That is near to when they were ready: without a cluster nobody says it, and a pod's first seconds are to be judged
    as what they are.
    """
    window = math.ceil(until - since + 2 * BORN_AFTER_SECONDS)
    seen: dict[str, float] = {}
    for metric in metrics:
        if isinstance(metric, ValueMetric):
            continue
        total = Selector.parse(selectors(metric)["total"])
        need = CounterNeed(metric.source, total, (metric.candidate,), window, until)
        planned = plan([need])
        got = planned.replies(answers(sources, planned.queries))[need]
        for series in got.series if isinstance(got, Sample) else ():
            if pod := series.label(metric.split):
                seen[pod] = min(seen.get(pod, math.inf), float(series.times[0]))
    return {pod: first for pod, first in seen.items() if first > until - window + BORN_AFTER_SECONDS}
