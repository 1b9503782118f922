"""What the answers for a counter or a histogram add to what was counted, or why they cannot be judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from canary.analysis import histograms
from canary.analysis.counted import CounterState, skip
from canary.analysis.counters import TrackSeries, count
from canary.analysis.histograms import Mismatch
from canary.analysis.metric import Compare, CounterMetric, EventMetric, HistogramMetric
from canary.analysis.samples import of_track
from canary.analysis.verdict import Reason
from canary.metrics import history
from canary.metrics.answers import Problem, finite, has_nan, refusal
from canary.metrics.planner import CounterNeed, window_for
from canary.metrics.promql import Selector
from canary.metrics.source import Answer, NoData

LONGEST_READ: Final = 900.0
"""Seconds of raw samples that one query reads at most; more is read in several looks."""
_EARLIER: Final = "earlier "
"""Before the role of what is asked for stable alone, at an earlier time."""
CLOCK_SKEW: Final = 10.0
"""Seconds that the operator's clock and the source's may differ without the newest sample looking stale. Arbitrary."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a look came to."""

    state: CounterState
    problem: Problem | None = None
    behind: bool = False
    """Whether only the past was read: the present is for the next look."""


def selectors(metric: EventMetric) -> dict[str, str]:
    """What has to be read, by role."""
    if isinstance(metric, HistogramMetric):
        return {"total": metric.buckets}
    return {"bad": metric.bad, "total": metric.total}


def needs(metric: EventMetric, state: CounterState, now: float) -> dict[str, CounterNeed]:
    """By role, the samples that are needed now; none if no interval is over."""
    if now - state.edge < metric.interval_seconds:
        return {}
    at = min(now, state.edge + LONGEST_READ)
    window = window_for(at - state.read_from)
    earlier = history.ago(metric)
    parsed = {role: Selector.parse(selector) for role, selector in selectors(metric).items()}
    if not earlier:
        tracks = (metric.candidate, metric.stable)
        return {role: CounterNeed(metric.source, selector, tracks, window, at) for role, selector in parsed.items()}
    return {
        name: CounterNeed(metric.source, selector, (track,), window, when)
        for role, selector in parsed.items()
        for name, track, when in (
            (role, metric.candidate, at),
            (_EARLIER + role, metric.stable, at - earlier),
        )
    }


def _of_both(metric: EventMetric, got: Mapping[str, Answer]) -> dict[str, Answer]:
    """The answers by role, stable's from earlier among them."""
    seconds = history.ago(metric)
    if not seconds:
        return dict(got)
    return {
        role: history.joined(answer, history.moved(got[_EARLIER + role], seconds))
        for role, answer in got.items()
        if not role.startswith(_EARLIER)
    }


def take(
    state: CounterState,
    metric: EventMetric,
    need: CounterNeed,
    got: Mapping[str, Answer],
    now: float,
    ready_at: Mapping[str, float],
) -> Taken:
    """Count what the answers to `needs(now)` hold, `need` being one of them."""
    got = _of_both(metric, got)
    for role in ("total", *sorted(got)):
        if (problem := refusal(got[role])) is not None:
            return Taken(state, problem)
    behind = need.at < now
    found = _tracks(state, metric, got)
    while isinstance(found, Mismatch) and found.last_seen is not None and need.at - found.last_seen > state.max_gap:
        # Whatever had other buckets is gone: its time is left out, and what came after it counts again.
        state = skip(state, found.last_seen + metric.interval_seconds, metric.interval_seconds)
        found = _tracks(state, metric, got)
    if isinstance(found, Mismatch):
        return Taken(_given_up(state, metric, need) if behind else state, (found.reason, found.message), behind)
    state, tracks = found
    state = count(state, metric, tracks, ready_at, read_from=need.at - need.window_seconds, read_until=need.at)
    if behind:
        state = _given_up(state, metric, need)
    elif (problem := _missing(state, tracks, got["total"], now)) is not None:
        return Taken(state, problem)
    if any(has_nan(answer) for answer in got.values()):
        return Taken(state, (Reason.NOT_A_NUMBER, "a counter's newest value is not a number"), behind)
    return Taken(state, behind=behind)


def _given_up(state: CounterState, metric: EventMetric, need: CounterNeed) -> CounterState:
    """Give up on what has no samples by now, and never will: the source was down, or there was nothing to scrape."""
    return skip(state, need.at - state.max_gap - 2 * metric.interval_seconds, metric.interval_seconds)


def _tracks(
    state: CounterState, metric: EventMetric, got: Mapping[str, Answer]
) -> tuple[CounterState, TrackSeries] | Mismatch:
    """The answers, told apart by track; and the state with a histogram's bounds in it."""
    every = finite(got["total"])
    candidate, stable = of_track(every, metric.candidate), of_track(every, metric.stable)
    if isinstance(metric, CounterMetric):
        bad = finite(got["bad"])
        rows = (of_track(bad, metric.candidate),), (of_track(bad, metric.stable),)
        return state, TrackSeries(rows[0], candidate, rows[1], stable)
    found = histograms.tracks(
        candidate,
        stable,
        metric.bound,
        fixed=(state.above, state.above[state.pin]) if state.settled and state.above else None,
        only_objective=not isinstance(metric.judge, Compare),
        since=state.edge,
    )
    if isinstance(found, Mismatch):
        return found
    return state.of_bounds(found.above, found.pin), found.found


def _missing(state: CounterState, found: TrackSeries, total: Answer, now: float) -> Problem | None:
    """Why the counters cannot be judged by at present; None if they can."""
    if isinstance(total, NoData):
        return Reason.NO_DATA, "the query answers, and is empty: neither the canary nor stable has such a series"
    newest = max(state.candidate_seen or 0.0, state.stable_seen or 0.0)
    age = now - newest
    if age > state.max_gap + CLOCK_SKEW:
        return Reason.STALE, (
            f"the newest sample is {age:.0f} s old: nothing is scraped, or the source's clock is behind the operator's"
        )
    if not found.candidate_total:
        return Reason.NO_CANDIDATE_DATA, "the canary has no such series; stable has"
    behind = newest - (state.candidate_seen or 0.0)
    if behind > state.max_gap + CLOCK_SKEW:
        return Reason.STALE, f"the canary's newest sample is {behind:.0f} s older than stable's"
    return None
