"""Many releases' needs become few queries, and the answers go back to who needs them.

Needs of one source, selector, window and time stamp differ only in the labels that tell their tracks, so one query asks
for all of them: `name{matchers,namespace=~"a|b",pod_template_hash=~"1|2|3"}[2m]`. With several identity labels that
selects a few combinations too many; the answer is split by the exact labels, and what nobody needs is dropped.

A range selector gives raw samples with their own timestamps. An instant selector does not: it gives each series' newest
value within the last five minutes under the query's own time stamp, so a stopped target looks alive, and two tracks'
counters are read at different moments, one scrape interval apart at the worst (15-30 s in production, during which an
incident that hits both tracks looks like one of a single track). The same query with a longer range recovers missed
ticks and a restarted operator, with the very samples that it would have seen live.

Pure: nothing here asks anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from canary.analysis.samples import Labels, Series
from canary.metrics.promql import Selector, regex_of
from canary.metrics.source import Answer, Kind, NoData, Query, Sample, Unavailable

WINDOWS: Final = (30, 60, 120, 300, 900, 1800, 3600, 7200)
"""Literal ranges in seconds: few, so that releases share queries."""
LONGEST_QUERY: Final = 16_000
"""Characters of one query; a group above is split. Prometheus takes a form of 10 MiB, proxies often 64 KiB."""


@dataclass(frozen=True, slots=True)
class CounterNeed:
    """Raw samples of some tracks' counters."""

    source: str
    selector: Selector
    """Without the tracks' labels."""
    tracks: tuple[Labels, ...]
    """Labels of each wanted track; all of the same names."""
    window_seconds: int
    """One of `WINDOWS`."""
    at: float
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class ValueNeed:
    """One expression's value at one or several instants."""

    source: str
    expression: str
    times: tuple[float, ...]
    """Unix seconds, evenly spaced."""


Need = CounterNeed | ValueNeed


def window_for(seconds: float) -> int:
    """The shortest literal that covers so many seconds; the longest if none does."""
    return next((window for window in WINDOWS if window >= seconds), WINDOWS[-1])


@dataclass(frozen=True, slots=True)
class Plan:
    """Which query serves which need."""

    served_by: Mapping[Need, tuple[Query, ...]]

    @property
    def queries(self) -> tuple[Query, ...]:
        """Every query, once."""
        return tuple(dict.fromkeys(query for queries in self.served_by.values() for query in queries))

    def replies(self, answers: Mapping[Query, Answer]) -> dict[Need, Answer]:
        """Give each need its part of the answers; a query without an answer counts as not answered."""
        split = _Split(answers)
        return {need: split.reply(need, queries) for need, queries in self.served_by.items()}


def plan(needs: Iterable[Need]) -> Plan:
    """Group needs into queries."""
    groups: dict[tuple[str, Selector, tuple[str, ...], int, float], list[CounterNeed]] = {}
    served: dict[Need, tuple[Query, ...]] = {}
    for need in dict.fromkeys(needs):
        if isinstance(need, ValueNeed):
            served[need] = (_value_query(need),)
        else:
            names = tuple(name for name, _ in need.tracks[0])
            groups.setdefault((need.source, need.selector, names, need.window_seconds, need.at), []).append(need)
    for (source, selector, names, window, at), members in groups.items():
        for chunk in _chunks(members):
            tracks = sorted({track for need in chunk for track in need.tracks})
            matchers = [(name, regex_of(sorted({dict(track)[name] for track in tracks}))) for name in names]
            query = Query(source, f"{selector.narrowed(matchers)}[{window}s]", Kind.SAMPLES, at)
            served.update(dict.fromkeys(chunk, (query,)))
    return Plan(served)


def _chunks(members: Sequence[CounterNeed]) -> Iterator[list[CounterNeed]]:
    """Cut a group so that no query gets too long."""
    chunk: list[CounterNeed] = []
    length = 0
    for need in members:
        # Escaping at most doubles a value.
        own = sum(2 * len(value) + 1 for track in need.tracks for _, value in track)
        if chunk and length + own > LONGEST_QUERY:
            yield chunk
            chunk, length = [], 0
        chunk.append(need)
        length += own
    if chunk:
        yield chunk


def _value_query(need: ValueNeed) -> Query:
    if len(need.times) == 1:
        return Query(need.source, need.expression, Kind.VALUE, need.times[0])
    step = need.times[1] - need.times[0]
    return Query(need.source, need.expression, Kind.VALUES, need.times[-1], start=need.times[0], step_seconds=step)


class _Split:
    """Answers, indexed by identity once for each query, however many needs share it."""

    def __init__(self, answers: Mapping[Query, Answer]) -> None:
        self._answers = answers
        self._indexed: dict[tuple[Query, tuple[str, ...]], dict[Labels, list[Series]]] = {}

    def reply(self, need: Need, queries: Sequence[Query]) -> Answer:
        found: list[Series] = []
        for query in queries:
            got = self._answers.get(query, Unavailable("the query was not sent"))
            if isinstance(got, NoData):
                continue
            if not isinstance(got, Sample):
                return got
            if isinstance(need, ValueNeed):
                return got
            index = self._index(query, got, tuple(name for name, _ in need.tracks[0]))
            for track in need.tracks:
                found.extend(index.get(track, ()))
        return Sample(tuple(found)) if found else NoData()

    def _index(self, query: Query, got: Sample, names: tuple[str, ...]) -> dict[Labels, list[Series]]:
        key = (query, names)
        if key not in self._indexed:
            index: dict[Labels, list[Series]] = {}
            for series in got.series:
                index.setdefault(tuple((name, series.label(name)) for name in names), []).append(series)
            self._indexed[key] = index
        return self._indexed[key]
