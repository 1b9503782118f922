"""The judging of one release attempt, as a value: what it needs now, what the answers make of it, and what it says.

Nothing here asks, waits or reads a clock. A session that is made anew after a restart, with the same metrics and the
same start, asks for everything since then and reaches the same evidence: the grid of intervals hangs on the start, not
on the looks. So status needs only `started_at`; no hidden state decides.

    session = AnalysisSession.start(metrics, started_at=now, alpha=0.01)
    plan = planner.plan(session.needs(now))                  # of all sessions that are due, at one time stamp
    answers = {query: answer(sources, query) for query in plan.queries}         # in a pool of threads
    session = session.ingest(now, plan.replies(answers))
    session.verdict                                          # None until it has caught up with the present

For the return of the weight after a promotion start another session, whose metrics name the Deployment's new pods as
the candidate and the canary copy as stable. At 100 % stable has no requests: `compare` then adds nothing and keeps what
it knows, and thresholds go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np

from canary.analysis import threshold
from canary.analysis.counters import CounterState, TrackSeries, count, skip
from canary.analysis.metric import Compare, CounterMetric, Metric, ValueMetric
from canary.analysis.reading import Trouble, read_counter, read_value
from canary.analysis.samples import Series, of_track
from canary.analysis.verdict import MetricReading, Outcome, Reason, Verdict, combine
from canary.errors import SpecInvalid
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
class _Judged:
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


@dataclass(frozen=True, slots=True)
class AnalysisSession:
    """The judging of one attempt. Every method returns a value; none changes the session."""

    started_at: float
    """Unix seconds since when the candidate gets traffic."""
    judged: tuple[_Judged, ...]
    at: float
    """Unix seconds of the last look."""
    ready_at: tuple[tuple[str, float], ...] = ()
    """When each of the candidate's pods became ready, Unix seconds."""

    @classmethod
    def start(
        cls,
        metrics: Iterable[Metric],
        *,
        started_at: float,
        alpha: float = 0.01,
        resumed_at: float | None = None,
    ) -> Self:
        """Begin to judge.

        Parameters
        ----------
        alpha
            The chance of a false alarm in the whole attempt, split evenly over the critical metrics that compare and
            have none of their own. Another attempt (`canary retry`) and the return of the weight spend their own.

        resumed_at
            Unix seconds when a session is made anew in mid-release: "no data since" is not counted from before, when
            data may well have come. None: from the start.

        Raises
        ------
        SpecInvalid
            Alpha is not between 0 and 1, two metrics have one name, a selector cannot be read, or bounds make no
            sense.
        """
        known = tuple(metrics)
        if not 0 < alpha < 1:
            raise SpecInvalid(f"alpha must be between 0 and 1, not {alpha:g}")
        for metric in known:
            _check(metric)
        names = [metric.name for metric in known]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise SpecInvalid(f"the metric {twice[0]} is named twice")
        sharing = [each for each in known if isinstance(each.judge, Compare) and each.judge.alpha is None]
        share = alpha / max(1, sum(metric.critical for metric in sharing))
        return cls(
            started_at,
            tuple(_Judged.start(metric, share, started_at, resumed_at or started_at) for metric in known),
            started_at,
        )

    def with_ready_pods(self, ready_at: Mapping[str, float]) -> Self:
        """Tell when the candidate's pods became ready, Unix seconds by name: their warm-up counts from there."""
        return replace(self, ready_at=tuple(sorted(ready_at.items())))

    def needs(self, now: float) -> tuple[Need, ...]:
        """What has to be measured to judge until `now`, Unix seconds; the caller gives all sessions the same `now`."""
        return tuple(need for judged in self.judged for need in _needs(judged, now).values())

    def ingest(self, now: float, replies: Mapping[Need, Answer]) -> Self:
        """Take in the replies to `needs(now)`; what has no reply counts as not answered."""
        ready = dict(self.ready_at)
        judged = tuple(_ingest(each, now, replies, ready) for each in self.judged)
        return replace(self, judged=judged, at=now)

    @property
    def verdict(self) -> Verdict | None:
        """What all metrics say; None until each has once been judged up to the present.

        A fail is said at once, also while the past is still being read.
        """
        found = combine((each.reading() for each in self.judged), self.at)
        done = all(each.looked for each in self.judged)
        return found if done or found.outcome is Outcome.FAIL else None

    @property
    def due_again_seconds(self) -> float:
        """In how many seconds another look is worth its queries; less while the past is still being read."""
        shortest = min((each.metric.interval_seconds for each in self.judged), default=10.0)
        return shortest if all(each.looked for each in self.judged) else min(1.0, shortest)


def _check(metric: Metric) -> None:
    try:
        _check_judge(metric)
        if isinstance(metric, CounterMetric):
            _check_tracks(metric)
    except SpecInvalid as error:
        raise SpecInvalid(f"metric {metric.name}: {error}") from error


def _check_judge(metric: Metric) -> None:
    if not isinstance(metric.judge, Compare):
        threshold.check(metric.judge)
    elif not metric.judge.tolerated_ratio > 0:
        raise SpecInvalid(f"the tolerated ratio must be positive, not {metric.judge.tolerated_ratio:g}")


def _check_tracks(metric: CounterMetric) -> None:
    Selector.parse(metric.bad)
    Selector.parse(metric.total)
    names = [[label.name for label in track] for track in (metric.candidate, metric.stable)]
    if not names[0] or names[0] != names[1]:
        raise SpecInvalid("both tracks need the same identity labels, at least one")
    if metric.candidate == metric.stable:
        raise SpecInvalid("the identity labels do not tell the tracks apart")


def _needs(judged: _Judged, now: float) -> dict[str, Need]:
    """By role: `bad` and `total` of a counter, `value` of an expression; nothing if nothing is due."""
    metric = judged.metric
    if isinstance(metric, ValueMetric):
        times = _value_times(judged, metric, now)
        return {"value": ValueNeed(metric.source, metric.expression, times, metric.track)} if times else {}
    state = judged.counters
    if now - state.edge < metric.interval_seconds:
        return {}
    at = min(now, state.edge + LONGEST_READ)
    window = window_for(at - state.read_from)
    tracks = (metric.candidate, metric.stable)
    return {
        role: CounterNeed(metric.source, Selector.parse(selector), tracks, window, at)
        for role, selector in (("bad", metric.bad), ("total", metric.total))
    }


def _value_times(judged: _Judged, metric: ValueMetric, now: float) -> tuple[float, ...]:
    every = metric.interval_seconds
    due = int((now - judged.measured_until) // every)
    return tuple(judged.measured_until + every * k for k in range(1, min(due, MOST_VALUES) + 1))


def _ingest(judged: _Judged, now: float, replies: Mapping[Need, Answer], ready_at: Mapping[str, float]) -> _Judged:
    needs = _needs(judged, now)
    if not needs:
        return judged
    got = {role: replies.get(need, Unavailable("no answer came back")) for role, need in needs.items()}
    if isinstance(judged.metric, ValueMetric):
        judged = _ingest_values(judged, judged.metric, needs["value"], got["value"], now)
    else:
        judged = _ingest_counters(judged, judged.metric, needs["total"], got, now, ready_at)
    reading = judged.reading()
    if judged.failed is None and reading.outcome is Outcome.FAIL:
        judged = replace(judged, failed=reading)
    return judged


def _ingest_counters(
    judged: _Judged,
    metric: CounterMetric,
    need: Need,
    got: Mapping[str, Answer],
    now: float,
    ready_at: Mapping[str, float],
) -> _Judged:
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


def _ingest_values(judged: _Judged, metric: ValueMetric, need: Need, got: Answer, now: float) -> _Judged:
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


def _troubled(judged: _Judged, reason: Reason, message: str) -> _Judged:
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
