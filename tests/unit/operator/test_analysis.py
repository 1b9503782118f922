from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import numpy as np
from typing_extensions import override

from canary.analysis.metric import Compare, CounterMetric, Custom, Threshold, ValueMetric
from canary.analysis.samples import Series, TrackLabel
from canary.analysis.verdict import Outcome, Reason
from canary.api.language import Language
from canary.errors import MetricsUnavailable
from canary.metrics.source import Query, Sample
from canary.operator.analysis import Analyses, Wanted
from canary.operator.clock import FakeClock
from canary.operator.telemetry import Telemetry

TURNS = 100
"""Of the loop, after which nothing is left to do without time or an answer: several times what twenty releases need."""


class Source:
    """Two tracks whose counters grow by 100 a second; every tenth request of the canary is bad, no other."""

    language = Language.PROMQL

    def __init__(self) -> None:
        self.queries: list[Query] = []
        self.threads: set[str] = set()
        self.down = False

    def ask(self, query: Query) -> Sample:
        self.queries.append(query)
        self.threads.add(threading.current_thread().name)
        if self.down:
            raise MetricsUnavailable("connection refused")
        window = int(query.expression.rpartition("[")[2].rstrip("s]"))
        times = np.arange(np.floor(query.at) - window + 1, np.floor(query.at) + 1)
        return Sample(
            tuple(
                Series((("__name__", "requests"), ("hash", name), ("instance", name)), times, (times - 1e9) * rate)
                for name in ("old", "new")
                for rate in ([100 if "500" not in query.expression else 10 * (name == "new")])
            )
        )


class HangingSource(Source):
    """Answers nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    @override
    def ask(self, query: Query) -> Sample:
        self.let_go.wait(60)
        return super().ask(query)


def metric(source: str = "default") -> CounterMetric:
    return CounterMetric(
        "errors/errors",
        source,
        'requests{code="500"}',
        "requests",
        candidate=(TrackLabel("hash", "new"),),
        stable=(TrackLabel("hash", "old"),),
        judge=Compare(),
    )


async def judged(source: Source, keys: int, seconds: int) -> tuple[Analyses, list[tuple[str, str]]]:
    clock = FakeClock()
    woken: list[tuple[str, str]] = []
    telemetry = Telemetry()
    analyses = Analyses(
        sources={"default": source}, clock=clock, wake=woken.append, telemetry=telemetry, tick_seconds=5
    )
    for number in range(keys):
        key = ("ns", f"r{number}")
        analyses.want(key, Wanted("release", False, (metric(),), clock.now(), 0.01), {})
    running = asyncio.create_task(analyses.run())
    for _ in range(seconds):
        await clock.advance(1, turns=5)
        await answered(telemetry, "default")
    running.cancel()
    return analyses, woken


async def answered(telemetry: Telemetry, source: str) -> None:
    """Wait until a source's queries are answered and judged: its threads work in real time, the loop by its turns.

    A look takes a turn for each release, and only then the ticker sleeps again: a clock that went on before would have
    it sleep too long.
    """
    labels = {"source": source}
    async with asyncio.timeout(30):
        while telemetry.registry.get_sample_value("canary_queries_in_progress", labels):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def test_a_bad_canary_is_found_and_its_key_is_woken():
    analyses, woken = await judged(Source(), 1, 60)
    seen = analyses.view(("ns", "r0"))
    assert seen is not None
    assert seen.verdict is not None
    assert seen.verdict.outcome is Outcome.FAIL
    assert ("ns", "r0") in woken


async def test_many_releases_share_their_queries_and_none_is_asked_in_the_loops_thread():
    one, many = Source(), Source()
    await judged(one, 1, 30)
    await judged(many, 20, 30)
    assert len(many.queries) == len(one.queries)
    assert threading.current_thread().name not in many.threads


async def test_all_that_is_asked_in_a_tick_is_asked_at_one_time_stamp():
    source = Source()
    await judged(source, 20, 60)
    at = [query.at for query in source.queries]
    assert len(set(at)) > 3  # several ticks
    assert all(at.count(stamp) == 2 for stamp in at)  # two queries each: for the bad, and for all events


async def test_what_a_delayed_source_tells_of_before_the_release_is_not_asked_for():
    clock, source, telemetry = FakeClock(), Source(), Telemetry()
    analyses = Analyses(
        sources={"default": source}, clock=clock, wake=lambda _: None, telemetry=telemetry, delays={"default": 60.0}
    )
    began = clock.now()
    value = ValueMetric("errors/value", "default", "up[10s]", Threshold(maximum=1.0))
    analyses.want(("ns", "r"), Wanted("release", False, (value,), began, 0.01), {})
    running = asyncio.create_task(analyses.run())
    for _ in range(90):
        await clock.advance(1, turns=5)
        await answered(telemetry, "default")
    running.cancel()
    seen = analyses.view(("ns", "r"))
    assert seen is not None
    assert seen.first_look_at == began + 70
    assert source.queries
    assert all(query.at - 60.0 > began for query in source.queries)


async def test_a_source_that_does_not_answer_is_an_error_and_no_failure():
    source = Source()
    source.down = True
    analyses, _ = await judged(source, 1, 30)
    seen = analyses.view(("ns", "r0"))
    assert seen is not None
    assert seen.verdict is not None
    assert seen.verdict.outcome is Outcome.ERROR


async def test_nothing_is_asked_when_nothing_is_judged():
    source = Source()
    await judged(source, 0, 30)
    assert source.queries == []


async def test_a_source_that_hangs_holds_up_no_release_that_names_another():
    clock, telemetry, hanging = FakeClock(), Telemetry(), HangingSource()
    sources = {"default": Source(), "hanging": hanging}
    woken: list[tuple[str, str]] = []
    # One thread: that it is occupied must not matter to the other source either.
    analyses = Analyses(sources=sources, clock=clock, wake=woken.append, telemetry=telemetry, threads=1, tick_seconds=5)
    quick, slow, both = ("ns", "quick"), ("ns", "slow"), ("ns", "both")
    for key, metrics in {
        quick: (metric(),),
        slow: (metric("hanging"),),
        both: (metric(), replace(metric("hanging"), name="errors/others")),
    }.items():
        analyses.want(key, Wanted("release", False, metrics, clock.now(), 0.01), {})
    running = asyncio.create_task(analyses.run())
    asked = {"source": "hanging"}
    while not telemetry.registry.get_sample_value("canary_queries_in_progress", asked):
        await clock.advance(1, turns=5)  # the looks at the very beginning ask nothing yet
    woken.clear()
    for _ in range(60):
        await clock.advance(1, turns=5)
        await answered(telemetry, "default")
    seen = analyses.view(quick)
    assert seen is not None
    assert seen.verdict is not None
    assert seen.verdict.outcome is Outcome.FAIL
    assert slow not in woken
    assert both not in woken
    hanging.let_go.set()
    await answered(telemetry, "hanging")
    assert {slow, both} <= set(woken)
    running.cancel()


async def test_the_first_look_cannot_be_before_the_longest_interval_of_the_metrics():
    clock = FakeClock()
    analyses = Analyses(sources={"default": Source()}, clock=clock, wake=lambda _: None, telemetry=Telemetry())
    rare = replace(metric(), name="errors/rare", interval_seconds=60.0)
    analyses.want(("ns", "r"), Wanted("release", False, (metric(), rare), clock.now(), 0.01), {})
    seen = analyses.view(("ns", "r"))
    assert seen is not None
    assert seen.first_look_at == clock.now() + 60


async def test_a_judge_of_a_team_that_is_not_installed_is_an_error_and_holds_up_no_other_release():
    clock, telemetry = FakeClock(), Telemetry()
    woken: list[tuple[str, str]] = []
    analyses = Analyses(
        sources={"default": Source()}, clock=clock, wake=woken.append, telemetry=telemetry, tick_seconds=5
    )
    analyses.want(("ns", "other"), Wanted("r", False, (metric(),), clock.now(), 0.01), {})
    own = replace(metric(), judge=Custom("unheard-of"))
    analyses.want(("ns", "own"), Wanted("r", False, (own,), clock.now(), 0.01), {})
    running = asyncio.create_task(analyses.run())
    async with asyncio.timeout(60):
        while (seen := analyses.view(("ns", "own"))) is None or seen.verdict is None or not seen.no_data_since:
            await clock.advance(1, turns=5)
            await answered(telemetry, "default")
            await asyncio.sleep(0.01)  # the judge's process takes real time
    running.cancel()
    assert (seen.verdict.outcome, seen.verdict.reason) == (Outcome.ERROR, Reason.JUDGE_BROKEN)
    assert "no judge 'unheard-of' is installed" in seen.verdict.message
    assert ("ns", "other") in woken
