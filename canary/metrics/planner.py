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

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from typing_extensions import override

from canary.analysis.samples import Series, Track, of_track
from canary.api.language import Language
from canary.metrics.prefix import literal_prefix
from canary.metrics.promql import Selector, escape, regex_of
from canary.metrics.source import Answer, Kind, NoData, Query, Sample, Unavailable

WINDOWS: Final = (30, 60, 120, 300, 900, 1800, 3600, 7200)
"""Literal ranges in seconds: few, so that releases share queries."""
LONGEST_QUERY: Final = 128_000
"""Characters of one query's alternatives; a group above is split. Prometheus takes a form of 10 MiB, and proxies, as a
rule, 1 MiB; VictoriaMetrics 16 KiB of text unless told otherwise, so a source may have a limit of its own."""


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
    _hash: int = field(init=False, repr=False, compare=False)
    """Kept: a need is looked up several times in a tick, and its tracks take long to hash."""

    def __post_init__(self) -> None:
        found = hash((self.source, self.selector, self.tracks, self.window_seconds, self.at))
        object.__setattr__(self, "_hash", found)

    @override
    def __hash__(self) -> int:
        return self._hash


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
_LAST: Final = chr(0x10FFFF)
"""After every text that a label's value goes on with."""


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
        splits: dict[int, _Split] = {}  # by identity: a query's hash costs more than the rest
        replies: dict[Need, Answer] = {}
        for need, query in self.served_by.items():
            split = splits.get(id(query))
            if split is None:
                split = splits[id(query)] = _Split(answers.get(query, Unavailable("the query was not sent")))
            replies[need] = split.reply(need)
        return replies


def plan(needs: Iterable[Need], longest: Mapping[str, int] = MappingProxyType({})) -> Plan:
    """Group needs into queries.

    Parameters
    ----------
    longest
        Characters of one query's alternatives by source, where it is not `LONGEST_QUERY`.
    """
    groups: dict[tuple[str, Selector, tuple[str, ...], int, float], list[CounterNeed]] = {}
    served: dict[Need, Query] = {}
    for need in needs:
        if isinstance(need, ValueNeed):
            served[need] = _value_query(need)
        else:
            names = tuple([label.name for label in need.tracks[0]])
            groups.setdefault((need.source, need.selector, names, need.window_seconds, need.at), []).append(need)
    for (source, selector, names, window, at), members in groups.items():
        for chunk, matchers in _chunks(members, names, longest.get(source, LONGEST_QUERY)):
            query = Query(source, f"{selector.narrowed(matchers)}[{window}s]", Kind.SAMPLES, at)
            served.update(dict.fromkeys(chunk, query))
    return Plan(served)


Matchers = list[tuple[str, str]]
"""Labels, each with a regular expression."""


def _chunks(
    members: Sequence[CounterNeed], names: Sequence[str], longest: int
) -> Iterator[tuple[Sequence[CounterNeed], Matchers]]:
    """Cut a group in halves until no query is too long; one need's is never cut."""
    matchers = _matchers(members, names)
    if len(members) == 1 or sum(len(escape(regex)) for _, regex in matchers) <= longest:
        yield members, matchers
        return
    middle = len(members) // 2
    for half in (members[:middle], members[middle:]):
        yield from _chunks(half, names, longest)


def _matchers(members: Sequence[CounterNeed], names: Sequence[str]) -> Matchers:
    values: dict[str, set[tuple[str, bool]]] = {name: set() for name in names}
    for need in members:
        for track in need.tracks:
            for label in track:
                values[label.name].add((label.value, label.regex))
    return [(name, _alternatives(values[name])) for name in names]


def _alternatives(values: Iterable[tuple[str, bool]]) -> str:
    """One regular expression for the values of one label, each with whether it is one itself."""
    known = sorted(values)
    exact = [value for value, regex in known if not regex]
    patterns = [f"(?:{value})" for value, regex in known if regex]
    return "|".join([*([regex_of(exact)] if exact else []), *patterns])


def _value_query(need: ValueNeed) -> Query:
    if len(need.times) == 1:
        return Query(need.source, need.expression, Kind.VALUE, need.times[0], language=need.language)
    step = need.times[1] - need.times[0]
    query = Query(need.source, need.expression, Kind.VALUES, need.times[-1], language=need.language)
    return replace(query, start=need.times[0], step_seconds=step)


class _Split:
    """One query's answer, indexed by its exact labels once, however many needs share it."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._indexed: dict[tuple[str, ...], dict[tuple[str, ...], list[Series]]] = {}
        self._by_value: dict[str, tuple[dict[str, list[Series]], tuple[str, ...]]] = {}

    def reply(self, need: Need) -> Answer:
        got = self._answer
        tracks = need.tracks if isinstance(need, CounterNeed) else (need.track,)
        if not isinstance(got, Sample) or not tracks[0]:
            return got
        found = tuple([series for track in tracks for series in self._of(got, track)])
        return Sample(found) if found else NoData()

    def _of(self, got: Sample, track: Track) -> Iterable[Series]:
        exact = [label for label in track if not label.regex]
        names = tuple([label.name for label in exact])
        index = self._indexed.get(names)
        if index is None:
            index = self._indexed[names] = {}
            for series in got.series:
                values = dict(series.labels)
                index.setdefault(tuple([values.get(name, "") for name in names]), []).append(series)
        near = index.get(tuple([label.value for label in exact]), ())
        patterns = [label for label in track if label.regex]
        if not patterns:
            return near
        if exact:
            return of_track(near, track)
        # No exact label narrows it, so each value is looked at once, and not each of the series that have it.
        given, known = self._values(got, patterns[0].name)
        prefix = literal_prefix(patterns[0].value)
        near_by = known[bisect_left(known, prefix) : bisect_left(known, prefix + _LAST)]
        found = [each for value in patterns[0].among(near_by) for each in given[value]]
        return of_track(found, tuple(patterns[1:]))

    def _values(self, got: Sample, name: str) -> tuple[dict[str, list[Series]], tuple[str, ...]]:
        """Series by a label's values, and those sorted."""
        if name not in self._by_value:
            index: dict[str, list[Series]] = {}
            for series in got.series:
                index.setdefault(series.label(name), []).append(series)
            self._by_value[name] = index, tuple(sorted(index))
        return self._by_value[name]
