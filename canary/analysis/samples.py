"""From raw counters to what both tracks did between the same two instants.

Prometheus scrapes each target at its own moments, so "the counter now" is a different moment for each series: an
incident would be counted on one track seconds before the other. `increase()` hides that behind an extrapolation, loses
a series' first value (26-36 % of a new pod's errors in its first minute, measured) and cannot be added up. Here each
series is read with its real timestamps and its count is interpolated at common instants; no value is extrapolated, and
the increments of successive intervals add up to what was counted, however the instants were chosen.

Rules, each for a case that was met:

- a counter that falls was reset: the fall counts as 0, not as the new value. Two replicas of a highly available
  Prometheus that answer in turns make a counter fall and rise; counting from 0 would add its whole life each time.
- a series that appears in a target that was scraped before counts from 0: counters with labels are born at their first
  event, and the first error is one.
- a target that appears: the candidate's counts from 0, as its whole life belongs to this release; stable's counts from
  its first sample on, as it may be old and only have been away. So do the candidate's that were met before: when
  Prometheus itself was away, every target appears at once.
- samples further apart than `max_gap` say nothing about the time between them: nobody knows the weights in there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Labels = tuple[tuple[str, str], ...]
"""Sorted pairs: a series' identity."""

TARGET_LABELS: Final = ("prometheus", "cluster", "job", "instance", "pod")
"""Which labels tell the scraped target; those that a series has of them."""
GAP_INTERVALS: Final = 2.2
"""Scrape intervals without a sample until a target counts as gone: one scrape may be missed, with some jitter."""


@dataclass(frozen=True, slots=True)
class Series:
    """Samples of one raw counter."""

    labels: Labels
    times: FloatArray
    """Unix seconds, ascending."""
    values: FloatArray
    """The counter, finite."""

    def label(self, name: str) -> str:
        """A label's value; empty if it has none, as in PromQL."""
        return next((value for key, value in self.labels if key == name), "")

    def between(self, low: int, high: int) -> Series:
        """The samples of these places, from `low` on and before `high`."""
        return replace(self, times=self.times[low:high], values=self.values[low:high])

    def followed_by(self, later: Series) -> Series:
        """Its samples, and then those of another piece of the same series."""
        return replace(
            self,
            times=np.concatenate([self.times, later.times]),
            values=np.concatenate([self.values, later.values]),
        )

    @property
    def target(self) -> Labels:
        """The scraped target that it comes from."""
        return tuple(pair for pair in self.labels if pair[0] in TARGET_LABELS)


@dataclass(frozen=True, slots=True, order=True)
class TrackLabel:
    """One label by which a track's series are told."""

    name: str
    value: str
    """Empty: the label is absent."""
    regex: bool = False
    """Whether the value is a regular expression, anchored at both ends."""

    def matches(self, series: Series) -> bool:
        """Whether a series has it."""
        return self.takes(series.label(self.name))

    def takes(self, value: str) -> bool:
        """Whether the label may have this value."""
        return _compiled(self.value).fullmatch(value) is not None if self.regex else value == self.value

    def among(self, values: tuple[str, ...]) -> tuple[str, ...]:
        """Return those values that the label may have."""
        return _matching(self.value, values) if self.regex else tuple(each for each in values if each == self.value)


@lru_cache(maxsize=16_384)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile it once: re's own cache has room for 512, and a thousand Rollouts bring two thousand each tick."""
    return re.compile(pattern)


@lru_cache(maxsize=16_384)
def _matching(pattern: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Kept, as a tick's queries, and the next tick's, answer with the same values."""
    match = _compiled(pattern).fullmatch
    return tuple([value for value in values if match(value)])


Track = tuple[TrackLabel, ...]


def of_track(many: Iterable[Series], track: Track) -> tuple[Series, ...]:
    """The series that have every label of a track."""
    return tuple(series for series in many if all(label.matches(series) for label in track))


def scrape_interval(series: Iterable[Series]) -> float | None:
    """Median distance between samples in seconds; None if no series has two."""
    gaps = [np.diff(each.times) for each in series if len(each.times) > 1]
    return float(np.median(np.concatenate(gaps))) if gaps else None


@dataclass(frozen=True, slots=True)
class Scraped:
    """When each target was scraped, over all series of one answer, both tracks' together."""

    times: Mapping[Labels, FloatArray]
    """Of each target, ascending, without repetition."""

    @classmethod
    def of(cls, series: Iterable[Series]) -> Scraped:
        """Collect the times."""
        found: dict[Labels, list[FloatArray]] = {}
        for each in series:
            found.setdefault(each.target, []).append(each.times)
        return cls({target: np.unique(np.concatenate(times)) for target, times in found.items()})

    def newest(self) -> float | None:
        """Unix seconds of the newest sample; None without any."""
        return max((float(times[-1]) for times in self.times.values() if len(times)), default=None)

    def complete_until(self, max_gap: float) -> float | None:
        """The latest instant at which every target that still answers has been scraped.

        A target without a sample for `max_gap` seconds before the newest one is gone and is not waited for.
        """
        newest = self.newest()
        if newest is None:
            return None
        last = (float(times[-1]) for times in self.times.values() if len(times))
        return min(each for each in last if newest - each <= max_gap)

    def before(self, target: Labels, time: float) -> float | None:
        """When the target was last scraped before `time`; None if it was not."""
        times = self.times.get(target)
        index = int(np.searchsorted(times, time)) if times is not None else 0
        return float(times[index - 1]) if times is not None and index > 0 else None


@dataclass(frozen=True, slots=True)
class Reading:
    """How counters are read: the same for both tracks."""

    max_gap: float
    """Seconds between samples above which nothing is known."""
    interval: float
    """The scrape interval in seconds."""
    window_start: float
    """Unix seconds from which on the answer has samples: what is older is not known to be new."""
    known: frozenset[Labels] = frozenset()
    """The candidate's targets that were met before: after a gap they come back, they are not born."""


def increments(series: Series, edges: FloatArray, scraped: Scraped, how: Reading, *, newborn: bool) -> FloatArray:
    """What one counter counted between successive `edges`.

    Parameters
    ----------
    series
        One counter's samples.
    edges
        Unix seconds, shape (n + 1,), ascending.
    newborn
        Whether a target that appears counts from 0 (the candidate's) or from its first sample (stable's).

    Returns
    -------
    Shape (n,), not negative, fractions included. Before the first and after the last sample nothing is counted.
    """
    times, values = series.times, series.values
    if len(times) == 0:
        return np.zeros(len(edges) - 1)
    steps = np.maximum(np.diff(values), 0.0)
    steps = np.where(np.diff(times) <= how.max_gap, steps, 0.0)
    born = _born(series, scraped, how, newborn=newborn)
    if born is not None:
        times = np.concatenate([[born], times])
        steps = np.concatenate([[values[0]], steps])
    counted = np.concatenate([[0.0], np.cumsum(steps)])
    return np.asarray(np.diff(np.interp(edges, times, counted)))


def _born(series: Series, scraped: Scraped, how: Reading, *, newborn: bool) -> float | None:
    """From when on a series counts from 0; None if its first sample is only where reading begins."""
    first = float(series.times[0])
    before = scraped.before(series.target, first)
    if before is not None:
        return before if first - before <= how.max_gap else None
    # The first scrape of this target in the answer. One interval after the answer's start it would have been seen.
    if newborn and series.target not in how.known and first - how.window_start > how.max_gap:
        return first - how.interval
    return None


def total(many: Sequence[Series], edges: FloatArray, scraped: Scraped, how: Reading, *, newborn: bool) -> FloatArray:
    """Sum of `increments` over several series, shape (n,)."""
    counted = np.zeros(len(edges) - 1)
    for each in many:
        counted = counted + increments(each, edges, scraped, how, newborn=newborn)
    return counted


def by_label(many: Iterable[Series], label: str) -> dict[str, list[Series]]:
    """Group series by one label, in the order of its values, so that a split is the same in every replica."""
    groups: dict[str, list[Series]] = {}
    for each in many:
        groups.setdefault(each.label(label), []).append(each)
    return dict(sorted(groups.items()))
