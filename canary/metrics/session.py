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
from typing import Self, assert_never

from canary.analysis import burn, threshold
from canary.analysis.custom import Broken, Judgement, Question
from canary.analysis.metric import BurnRate, Compare, Custom, EventMetric, Metric, Threshold, ValueMetric
from canary.analysis.verdict import Outcome, Verdict, combine
from canary.errors import SpecInvalid
from canary.metrics import events
from canary.metrics.judged import Judged
from canary.metrics.planner import Need
from canary.metrics.promql import Selector
from canary.metrics.source import Answer


@dataclass(frozen=True, slots=True)
class AnalysisSession:
    """The judging of one attempt. Every method returns a value; none changes the session."""

    started_at: float
    """Unix seconds since when the candidate gets traffic."""
    judged: tuple[Judged, ...]
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
            tuple(Judged.start(metric, share, started_at, resumed_at or started_at) for metric in known),
            started_at,
        )

    def with_ready_pods(self, ready_at: Mapping[str, float]) -> Self:
        """Tell when the candidate's pods became ready, Unix seconds by name: their warm-up counts from there."""
        return replace(self, ready_at=tuple(sorted(ready_at.items())))

    def needs(self, now: float) -> tuple[Need, ...]:
        """What has to be measured to judge until `now`, Unix seconds; the caller gives all sessions the same `now`."""
        return tuple(need for judged in self.judged for need in judged.needs(now).values())

    def ingest(self, now: float, replies: Mapping[Need, Answer]) -> Self:
        """Take in the replies to `needs(now)`; what has no reply counts as not answered."""
        ready = dict(self.ready_at)
        judged = tuple(each.ingest(now, replies, ready) for each in self.judged)
        return replace(self, judged=judged, at=now)

    def questions(self) -> tuple[Question, ...]:
        """What teams' own judges have to be asked now; give the answers to `answered`."""
        return tuple(question for judged in self.judged if (question := judged.question()) is not None)

    def answered(self, answers: Mapping[tuple[str, float], Judgement | Broken]) -> Self:
        """Take in what teams' own judges say, by metric and the time up to which they judged."""
        judged = []
        for each in self.judged:
            question = each.question()
            said = answers.get((each.metric.name, question.until)) if question is not None else None
            judged.append(each if question is None or said is None else each.answered(question, said))
        return replace(self, judged=tuple(judged))

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
        if not isinstance(metric, ValueMetric):
            _check_tracks(metric)
    except SpecInvalid as error:
        raise SpecInvalid(f"metric {metric.name}: {error}") from error


def _check_judge(metric: Metric) -> None:
    match metric.judge:
        case Threshold() as judge:
            threshold.check(judge)
        case BurnRate() as judge:
            burn.check(judge)
        case Custom():
            return  # whether it is installed is only known where it runs
        case Compare() as judge:
            if not judge.tolerated_ratio > 0:
                raise SpecInvalid(f"the tolerated ratio must be positive, not {judge.tolerated_ratio:g}")
        case _:
            assert_never(metric.judge)


def _check_tracks(metric: EventMetric) -> None:
    for selector in events.selectors(metric).values():
        Selector.parse(selector)
    names = [[label.name for label in track] for track in (metric.candidate, metric.stable)]
    if not names[0] or names[0] != names[1]:
        raise SpecInvalid("both tracks need the same identity labels, at least one")
    if metric.candidate == metric.stable:
        raise SpecInvalid("the identity labels do not tell the tracks apart")
