"""The judging of all releases under way: few queries a tick for all of them, asked in threads, judged in the loop.

Sources are independent: a release waits for the answers of the sources that it names, and for no other's. Each source
has threads of its own, so that one that hangs cannot occupy those of the others.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import structlog

from canary.analysis.custom import Broken, Judgement, Question
from canary.analysis.metric import Metric, ValueMetric
from canary.api.language import Language
from canary.core.observed import AnalysisView
from canary.metrics.custom import LIMIT_SECONDS, ask
from canary.metrics.planner import Plan, plan
from canary.metrics.session import AnalysisSession
from canary.metrics.source import Answer, MetricSource, NoData, Partial, Query, Sample, Unavailable, answer
from canary.operator.cache import Name
from canary.operator.clock import Clock
from canary.operator.telemetry import Telemetry
from canary.operator.threads import Threads

QUERY_LIMIT_SECONDS: Final = 15.0
"""For one query, over the source's own limits: a look ends whatever a source does."""
IDLE_SECONDS: Final = 3600.0
JUDGES: Final = 2
"""Teams' own judges that run at one time, each a process."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be judged for one Rollout."""

    release: str
    returning: bool
    metrics: tuple[Metric, ...]
    started_at: float
    """Unix seconds since when samples count."""
    alpha: float


@dataclass(slots=True)
class _Judging:
    wanted: Wanted
    session: AnalysisSession
    due: float
    """Monotonic."""
    asked: bool = False
    """Whether its queries are under way."""

    @property
    def first_look_at(self) -> float:
        """The earliest Unix second at which a look can have covered something of every metric."""
        metrics = [judged.metric for judged in self.session.judged]
        delays = {m.name: m.delay_seconds for m in metrics if isinstance(m, ValueMetric)}
        return self.wanted.started_at + max(m.interval_seconds + delays.get(m.name, 0.0) for m in metrics)


class Analyses:
    """Sessions by Rollout, and the ticker that feeds them.

    A session is a function of what is wanted and of the source's answers: made anew after a restart it asks for
    everything since its start and comes to the same evidence.
    """

    def __init__(
        self,
        *,
        sources: Mapping[str, MetricSource],
        clock: Clock,
        wake: Callable[[Name], None],
        telemetry: Telemetry,
        threads: int = 8,
        tick_seconds: float = 5.0,
        longest_queries: Mapping[str, int] = MappingProxyType({}),
        delays: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        self._sources = sources
        self._clock = clock
        self._wake = wake
        self._telemetry = telemetry
        self._threads = {name: Threads(threads, f"query-{name}") for name in sources}
        self._judges = Threads(JUDGES, "judge")
        self._tick_seconds = tick_seconds
        self._longest_queries = longest_queries
        self._delays = delays
        self._judging: dict[Name, _Judging] = {}
        self._changed = asyncio.Event()
        self._looks: set[asyncio.Task[None]] = set()
        self._said: dict[str, str] = {}

    @property
    def languages(self) -> dict[str, Language]:
        """Metric sources that the configuration has, by name, and what each takes queries in."""
        return {name: source.language for name, source in self._sources.items()}

    def want(self, key: Name, wanted: Wanted | None, ready_at: Mapping[str, float]) -> None:
        """Say what is to be judged now; None ends it. `ready_at`: since when each candidate pod is ready, Unix seconds.

        Raises
        ------
        SpecInvalid
            The metrics cannot be judged as they are.
        """
        if wanted is None or not wanted.metrics:
            self._judging.pop(key, None)
            return
        judging = self._judging.get(key)
        if judging is None or judging.wanted != wanted:
            metrics = [self._delayed(metric) for metric in wanted.metrics]
            session = AnalysisSession.start(metrics, started_at=wanted.started_at, alpha=wanted.alpha)
            judging = self._judging[key] = _Judging(wanted, session, self._clock.monotonic())
            self._changed.set()
        if ready_at and dict(judging.session.ready_at) != dict(ready_at):
            judging.session = judging.session.with_ready_pods(ready_at)

    def _delayed(self, metric: Metric) -> Metric:
        """Tell a value how far back its source looks: it is the source's, so no template says it."""
        delay = self._delays.get(metric.source, 0.0)
        return replace(metric, delay_seconds=delay) if delay and isinstance(metric, ValueMetric) else metric

    def view(self, key: Name) -> AnalysisView | None:
        """Return what the judges say of a Rollout's release; None when nothing is judged."""
        judging = self._judging.get(key)
        if judging is None:
            return None
        verdict = judging.session.verdict
        return AnalysisView(
            release=judging.wanted.release,
            returning=judging.wanted.returning,
            verdict=verdict,
            first_look_at=judging.first_look_at,
            no_data_since=verdict.no_data_since if verdict is not None else None,
        )

    async def run(self) -> None:
        """Tick until cancelled."""
        try:
            while True:
                self._changed.clear()
                now = self._clock.monotonic()
                soonest = min((j.due for j in self._judging.values() if not j.asked), default=now + IDLE_SECONDS)
                if not self._judging:
                    self._said.clear()
                if soonest > now:
                    await self._wait(soonest - now)
                    continue
                self._telemetry.tick_lag.set(now - soonest)
                try:
                    self._tick(now)
                except Exception:  # noqa: BLE001 -- one release's defect must not stop the judging of the others for good
                    _log.exception("tick")
                    await self._clock.sleep(1.0)
        finally:
            for look in self._looks:
                look.cancel()

    async def _wait(self, seconds: float) -> None:
        waiting: set[asyncio.Task[object]] = {
            asyncio.create_task(self._changed.wait()),
            asyncio.create_task(self._clock.sleep(seconds)),
        }
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    def _tick(self, began: float) -> None:
        """Ask everything that is due, each query once, and judge by groups that wait for the same sources."""
        due = {key: j for key, j in self._judging.items() if j.due <= began and not j.asked}
        now = self._clock.now()  # one time stamp for all, so that they share queries
        needs = {key: judging.session.needs(now) for key, judging in due.items()}
        queries = plan((need for wanted in needs.values() for need in wanted), self._longest_queries)
        asked = {query: asyncio.create_task(self._ask(query)) for query in queries.queries}
        groups: dict[frozenset[str], dict[Name, _Judging]] = defaultdict(dict)
        for key, judging in due.items():
            judging.asked = True
            groups[frozenset(need.source for need in needs[key])][key] = judging
        for sources, members in groups.items():
            own = {query: task for query, task in asked.items() if query.source in sources}
            look = asyncio.create_task(self._look(members, queries, own, began, now))
            self._looks.add(look)
            look.add_done_callback(self._looks.discard)

    async def _look(
        self,
        members: Mapping[Name, _Judging],
        queries: Plan,
        asked: Mapping[Query, asyncio.Task[Answer]],
        began: float,
        now: float,
    ) -> None:
        asked_apart: list[asyncio.Task[None]] = []
        try:
            answers = dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))
            replies = queries.replies(answers)
            for key, judging in members.items():
                if self._judging.get(key) is not judging:
                    continue  # replaced while the queries were under way
                try:
                    judging.session = judging.session.ingest(now, replies)
                    if questions := judging.session.questions():
                        # Beside the others' judging, which need not wait for a judge that takes its time.
                        asked_apart.append(asyncio.create_task(self._ask_judges(key, judging, questions, began)))
                    else:
                        self._judged(key, judging, began)
                except Exception:  # noqa: BLE001 -- one release's defect must not stop the judging of the others
                    _log.exception("look", rollout="/".join(key))
                    judging.due = self._clock.monotonic() + 1.0
                await asyncio.sleep(0)  # a thousand sessions are judged without holding up the loop
            await asyncio.gather(*asked_apart)
        finally:
            for judging in members.values():
                judging.asked = False
            self._changed.set()

    async def _ask_judges(self, key: Name, judging: _Judging, questions: tuple[Question, ...], began: float) -> None:
        """Ask teams' own judges, each in a process of its own, and take in what they say."""

        async def one(question: Question) -> Judgement | Broken:
            try:
                return await self._judges.run(lambda: ask(question), limit_seconds=2 * LIMIT_SECONDS)
            except TimeoutError:
                return Broken(f"the judge {question.judge!r} had no turn within {2 * LIMIT_SECONDS:g} s")

        said = await asyncio.gather(*(one(question) for question in questions))
        if self._judging.get(key) is not judging:
            return  # replaced meanwhile
        answers = {(q.measurements.metric, q.until): each for q, each in zip(questions, said, strict=True)}
        judging.session = judging.session.answered(answers)
        self._judged(key, judging, began)

    def _judged(self, key: Name, judging: _Judging, began: float) -> None:
        judging.due = began + min(self._tick_seconds, judging.session.due_again_seconds)
        verdict = judging.session.verdict
        said = (verdict.outcome.value, verdict.message) if verdict is not None else ("", "")
        _log.debug("look", rollout="/".join(key), outcome=said[0], message=said[1])
        if verdict is not None:
            self._telemetry.verdicts.labels(verdict.outcome.value).inc()
        self._wake(key)

    async def _ask(self, query: Query) -> Answer:
        got: Answer
        threads = self._threads.get(query.source)
        with self._telemetry.queries.labels(query.source).track_inprogress():
            try:
                got = (
                    answer(self._sources, query)  # there is no such source: this only says so
                    if threads is None
                    else await threads.run(lambda: answer(self._sources, query), limit_seconds=QUERY_LIMIT_SECONDS)
                )
            except TimeoutError:
                got = Unavailable(f"no answer within {QUERY_LIMIT_SECONDS:.0f} s")
        if not isinstance(got, Sample | NoData):
            self._telemetry.query_errors.labels(query.source).inc()
        said = "" if isinstance(got, Sample | NoData) else type(got).__name__
        if self._said.get(query.expression, "") != said:  # told once, and once again when it is over
            self._said[query.expression] = said
            _log.warning("query", source=query.source, answer=said or "answered again", detail=_detail(got))
        return got


def _detail(got: Answer) -> str:
    match got:
        case Partial(warnings):
            return "; ".join(warnings)
        case Sample() | NoData():
            return ""
        case _:
            return got.message
