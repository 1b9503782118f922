"""When versions and pods lived, as their series tell: what a backtest makes its releases of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from canary.analysis.samples import Track, TrackLabel
from canary.metrics.promql import Selector, regex_of
from canary.metrics.source import Kind, MetricSource, Query, Sample, answer

PRESENCE_SECONDS: Final = 60
"""Resolution of lifetimes: a series that has a sample in such a minute lived in it."""
_PIECE_SECONDS: Final = 86_400
"""What one query reads; Prometheus refuses more than 11,000 instants."""
GONE_SECONDS: Final = 300.0
"""A version without a sample for longer has ended; what comes after it under the same name is another life."""


@dataclass(frozen=True, slots=True)
class Life:
    """A stretch of time in which a version, or a pod, had samples."""

    name: str
    begins: float
    """Unix seconds, to the minute."""
    ends: float

    def covers(self, begins: float, ends: float) -> bool:
        """Whether it lived all the time between, but for the resolution."""
        return self.begins <= begins + PRESENCE_SECONDS and self.ends >= ends - PRESENCE_SECONDS


def narrowed(selector: str, track: Track) -> str:
    """Return a selector with a track's labels."""
    pairs = [(label.name, label.value if label.regex else regex_of([label.value])) for label in track]
    return Selector.parse(selector).narrowed(pairs)


def lives(source: MetricSource, name: str, selector: str, label: str, begins: float, ends: float) -> tuple[Life, ...]:
    """Return the lives of each value of a label among a selector's series, in the order of their beginnings.

    Parameters
    ----------
    source, name
        The source, and the name it is told by.
    label
        Empty: one life for all series together.

    Raises
    ------
    MetricsUnavailable, SpecInvalid
        As the source says.
    """
    by = f" by ({label})" if label else ""
    expression = f"count{by} (count_over_time({selector}[{PRESENCE_SECONDS}s]))"
    seen: dict[str, list[float]] = {}
    for first, last in _pieces(begins, ends):
        query = Query(name, expression, Kind.VALUES, last, start=first, step_seconds=PRESENCE_SECONDS)
        got = source.ask(query)
        for series in got.series if isinstance(got, Sample) else ():
            seen.setdefault(series.label(label) if label else "", []).extend(series.times.tolist())
    return tuple(sorted((life for value, times in seen.items() for life in _runs(value, times)), key=_order))


def _order(life: Life) -> tuple[float, str]:
    return life.begins, life.name


def _pieces(begins: float, ends: float) -> Iterator[tuple[float, float]]:
    """Instants at the ends of whole minutes."""
    first = begins + PRESENCE_SECONDS
    count = max(0, math.floor((ends - first) / PRESENCE_SECONDS) + 1)
    size = _PIECE_SECONDS // PRESENCE_SECONDS
    for index in range(0, count, size):
        last = min(index + size, count) - 1
        yield first + index * PRESENCE_SECONDS, first + last * PRESENCE_SECONDS


def _runs(name: str, times: Iterable[float]) -> Iterator[Life]:
    found = np.unique(np.asarray(list(times), dtype=np.float64))
    for run in np.split(found, np.flatnonzero(np.diff(found) > GONE_SECONDS) + 1):
        yield Life(name, float(run[0]) - PRESENCE_SECONDS, float(run[-1]))


def pods_at(source: MetricSource, name: str, selector: str, track: Track, split: str, at: float) -> tuple[str, ...]:
    """Return the parts (pods, as a rule) of a track that had samples in the two minutes before `at`, sorted."""
    expression = f"count by ({split}) (count_over_time({narrowed(selector, track)}[{2 * PRESENCE_SECONDS}s]))"
    got = answer({name: source}, Query(name, expression, Kind.VALUE, at))
    found = {series.label(split) for series in got.series} if isinstance(got, Sample) else set()
    return tuple(sorted(found - {""}))


def split_in_two(track: Track, split: str, parts: Iterable[str]) -> Track:
    """Return a track narrowed to some of its parts."""
    kept = tuple(label for label in track if label.name != split)
    return (*kept, TrackLabel(split, regex_of(list(parts)), regex=True))
