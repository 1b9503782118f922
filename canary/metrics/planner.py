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
from dataclasses import dataclass, replace
from typing import Final

from canary.analysis.samples import Series, Track, TrackLabel, of_track
from canary.api.language import Language
from canary.metrics.promql import Selector, escape, regex_of
from canary.metrics.source import Answer, Kind, NoData, Query, Sample, Unavailable

WINDOWS: Final = (30, 60, 120, 300, 900, 1800, 3600, 7200)
"""Literal ranges in seconds: few, so that releases share queries."""
LONGEST_QUERY: Final = 48_000
"""Characters of one query; a group above is split. Prometheus takes a form of 10 MiB, proxies often 64 KiB."""


@dataclass(frozen=True, slots=True)
class CounterNeed:
    """Raw samples of some tracks' counters."""

    source: str
    selector: Selector
    """Without the tracks' labels."""
    tracks: tuple[Track, ...]
    """Each wanted track; all with labels of the same names."""
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
    track: Track = ()
    """Labels by which the wanted value is taken from an answer for many; empty: all of the answer."""
    language: Language = Language.PROMQL
    """What the expression is written in."""


Need = CounterNeed | ValueNeed


def window_for(seconds: float) -> int:
    """The shortest literal that covers so many seconds; the longest if none does."""
    return next((window for window in WINDOWS if window >= seconds), WINDOWS[-1])


@dataclass(frozen=True, slots=True)
class Plan:
    """Which query serves which need."""

    served_by: Mapping[Need, Query]

    @property
    def queries(self) -> tuple[Query, ...]:
        """Every query, once."""
        return tuple(dict.fromkeys(self.served_by.values()))

    def replies(self, answers: Mapping[Query, Answer]) -> dict[Need, Answer]:
        """Give each need its part of the answers; a query without an answer counts as not answered."""
        split = _Split(answers)
        return {need: split.reply(need, query) for need, query in self.served_by.items()}


def plan(needs: Iterable[Need]) -> Plan:
    """Group needs into queries."""
    groups: dict[tuple[str, Selector, tuple[str, ...], int, float], list[CounterNeed]] = {}
    served: dict[Need, Query] = {}
    for need in dict.fromkeys(needs):
        if isinstance(need, ValueNeed):
            served[need] = _value_query(need)
        else:
            names = tuple(label.name for label in need.tracks[0])
            groups.setdefault((need.source, need.selector, names, need.window_seconds, need.at), []).append(need)
    for (source, selector, names, window, at), members in groups.items():
        for chunk in _chunks(members):
            labels = {label for need in chunk for track in need.tracks for label in track}
            matchers = [(name, _alternatives(label for label in labels if label.name == name)) for name in names]
            query = Query(source, f"{selector.narrowed(matchers)}[{window}s]", Kind.SAMPLES, at)
            served.update(dict.fromkeys(chunk, query))
    return Plan(served)


def _alternatives(labels: Iterable[TrackLabel]) -> str:
    """One regular expression for the values of one label."""
    known = sorted(labels)
    exact = regex_of([label.value for label in known if not label.regex])
    patterns = [f"(?:{label.value})" for label in known if label.regex]
    return "|".join([*([exact] if any(not label.regex for label in known) else []), *patterns])


def _chunks(members: Sequence[CounterNeed]) -> Iterator[list[CounterNeed]]:
    """Cut a group so that no query gets too long."""
    chunk: list[CounterNeed] = []
    seen: set[TrackLabel] = set()
    length = 0
    for need in members:
        labels = {label for track in need.tracks for label in track}
        added = sum(len(escape(regex_of([label.value]))) + 5 for label in labels - seen)
        if chunk and length + added > LONGEST_QUERY:
            yield chunk
            chunk, seen, length = [], set(), 0
            added = sum(len(escape(regex_of([label.value]))) + 5 for label in labels)
        chunk.append(need)
        seen |= labels
        length += added
    if chunk:
        yield chunk


def _value_query(need: ValueNeed) -> Query:
    if len(need.times) == 1:
        return Query(need.source, need.expression, Kind.VALUE, need.times[0], language=need.language)
    step = need.times[1] - need.times[0]
    query = Query(need.source, need.expression, Kind.VALUES, need.times[-1], language=need.language)
    return replace(query, start=need.times[0], step_seconds=step)


class _Split:
    """Answers, indexed by their exact labels once for each query, however many needs share it."""

    def __init__(self, answers: Mapping[Query, Answer]) -> None:
        self._answers = answers
        self._indexed: dict[tuple[Query, tuple[str, ...]], dict[tuple[str, ...], list[Series]]] = {}

    def reply(self, need: Need, query: Query) -> Answer:
        got = self._answers.get(query, Unavailable("the query was not sent"))
        tracks = need.tracks if isinstance(need, CounterNeed) else (need.track,)
        if not isinstance(got, Sample) or not tracks[0]:
            return got
        found = tuple(series for track in tracks for series in self._of(query, got, track))
        return Sample(found) if found else NoData()

    def _of(self, query: Query, got: Sample, track: Track) -> tuple[Series, ...]:
        exact = tuple(label for label in track if not label.regex)
        names = tuple(label.name for label in exact)
        key = (query, names)
        if key not in self._indexed:
            index: dict[tuple[str, ...], list[Series]] = {}
            for series in got.series:
                index.setdefault(tuple(series.label(name) for name in names), []).append(series)
            self._indexed[key] = index
        near = self._indexed[key].get(tuple(label.value for label in exact), ())
        return of_track(near, track)
