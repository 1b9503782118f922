"""Prometheus' native histograms as bucket series, so that they are judged as classic ones are.

A native histogram has exponential buckets, `2**(i / 2**schema)`, and sends those with something in them. So "the count
up to b" is known exactly for any b that is a boundary of its schema, whether that bucket was ever filled or not; for
any other b it could only be guessed. Nothing is guessed here: the objective is moved to the nearest boundary (with
schema 3, at most 4.4 % away; the message says which it is), and a sample whose resolution was reduced so far that b
lies inside a bucket has no bucket b. `canary.analysis.histograms` then says that buckets changed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from canary.analysis.samples import Series

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NativeSeries(Series):
    """Samples of one native histogram; `values` are its counts of all events."""

    buckets: tuple[FloatArray, ...] = ()
    """By sample: shape (buckets, 3), each a lower bound, an upper bound and the events between them."""

    @override
    def between(self, low: int, high: int) -> NativeSeries:
        return replace(self, times=self.times[low:high], values=self.values[low:high], buckets=self.buckets[low:high])

    @override
    def followed_by(self, later: Series) -> Series:
        if not isinstance(later, NativeSeries):
            raise TypeError("a native histogram is not continued by plain numbers")
        return replace(
            self,
            times=np.concatenate([self.times, later.times]),
            values=np.concatenate([self.values, later.values]),
            buckets=(*self.buckets, *later.buckets),
        )


def schema_of(many: Iterable[NativeSeries]) -> int | None:
    """The coarsest schema of exponential buckets in use; None while nothing was observed.

    Raises
    ------
    ValueError
        Buckets are not exponential: a native histogram with custom bounds.
    """
    found = [bucket for series in many for bucket in series.buckets if len(bucket)]
    if not found:
        return None
    rows = np.concatenate(found)
    rows = rows[(rows[:, 0] > 0) & np.isfinite(rows[:, 1])]
    if not len(rows):
        return None
    schemas = -np.log2(np.log2(rows[:, 1] / rows[:, 0]))
    if (np.abs(schemas - schemas.round()) > 1e-3).any():
        raise ValueError("its buckets are not exponential")
    return int(schemas.round().min())


def nearest_boundary(bound: float, schema: int) -> float:
    """The boundary of a schema that is nearest to a positive bound, by ratio.

    >>> nearest_boundary(0.25, 3), round(nearest_boundary(0.3, 3), 4)
    (0.25, 0.2973)
    """
    return float(2.0 ** (round(math.log2(bound) * 2.0**schema) / 2.0**schema))


def boundaries(many: Iterable[NativeSeries]) -> frozenset[float]:
    """Every boundary above 0 that some bucket ends at."""
    ends = [bucket[:, 1] for series in many for bucket in series.buckets if len(bucket)]
    rows = np.unique(np.concatenate(ends)) if ends else np.zeros(0)
    return frozenset(float(each) for each in rows if each > 0 and math.isfinite(each))


def as_buckets(series: NativeSeries, bounds: Sequence[float], label: str) -> list[Series]:
    """Classic bucket series, `+Inf` last; without the samples in which a bound lies inside a bucket."""
    made = []
    for bound in bounds:
        # A bound is rounded to 9 digits, as labels are; the finest schema's boundaries are 0.27 % apart.
        above, below = bound * (1 + 1e-8), bound * (1 - 1e-8)
        inside = [bool(((rows[:, 0] < below) & (rows[:, 1] > above)).any()) for rows in series.buckets]
        counted = np.array([float(rows[rows[:, 1] <= above, 2].sum()) for rows in series.buckets])
        kept = ~np.array(inside, dtype=np.bool_)
        if kept.any():
            made.append(Series((*series.labels, (label, f"{bound:.9g}")), series.times[kept], counted[kept]))
    return [*made, Series((*series.labels, (label, "+Inf")), series.times, series.values)]
