r"""A histogram's buckets as counters of requests above each bound, and their evidence as one.

Claim
    "Requests slower than b" are bad requests, for each bound b that both tracks' histograms have: `+Inf` less `le=b`,
    from the same scrape. Each bound is compared by `canary.analysis.compare`, so whatever slows both tracks drops out.

Evidence
    E_b for each bound b, of the objective's bound and of all of them::

        E = 1/2 * E_objective + 1/2 * mean_b E_b

    Half of the weight is the objective's, so that a miss of the objective is found nearly as soon as if nothing else
    were looked at (it costs log10(2) = 0.3); the other half is shared evenly by all bounds, so that a tail that grows
    elsewhere is found too, for log10(2 * bounds) at the most.

Guarantee
    Each E_b is an e-process under "at no bound is the candidate's share above r0 times stable's", however the bounds
    depend on each other, and so is their weighted average: one alpha for all. Weights must not depend on the data.
    A pass is said of the objective's bound alone: most other bounds have too few requests above them to say.

What is refused
    Comparing `+Inf` with a bucket that a pod does not have would call all of its requests slow. So every series of
    buckets (a histogram) has to have each bound that is judged, in the same scrapes as `+Inf`. Bounds that only some
    histograms have are left out at the beginning; those that are judged are fixed with the candidate's first
    requests, and when one of them is missing after that, nothing is counted.

Labels
    `le="1"`, `le="1.0"` and `le="1e0"` are one bucket: clients and Prometheus 3 write them differently. A histogram
    whose labels change so in mid-release goes on, as its counters do.

Source
    As `canary.analysis.compare`; for the average of dependent e-processes Vovk and Wang (2021), "E-values: calibration,
    combination and applications", section 3.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from canary.analysis.counters import TrackSeries
from canary.analysis.native import NativeSeries, as_buckets, boundaries, nearest_boundary, schema_of
from canary.analysis.samples import Labels, Series
from canary.analysis.verdict import Reason

FloatArray = NDArray[np.float64]

BUCKET: Final = "le"
"""The label that names a bucket by its upper bound."""
OBJECTIVE_WEIGHT: Final = 0.5
"""Of the objective's bound, before its share of the rest."""
MOST_BOUNDS: Final = 24
"""Bounds that are judged at most; of more, evenly spaced ones. Arbitrary: instrumented code has 10 to 20."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why the buckets cannot be judged."""

    reason: Reason
    message: str
    """What is wrong and the mend, as a sentence."""
    last_seen: float | None = None
    """Unix seconds of the newest sample of a histogram that lacks a bucket; None: it does not hang on one of them."""


@dataclass(frozen=True, slots=True)
class Histograms:
    """One track's histograms: the series of one set of labels, `le` aside, are one."""

    side: str
    """`canary` or `stable`, for messages."""
    each: Mapping[Labels, Mapping[float, Series]]
    """By labels without `le`, then by bound."""

    @classmethod
    def of(cls, side: str, buckets: Iterable[Series]) -> Histograms | Mismatch:
        """Sort bucket series into histograms."""
        found: dict[Labels, dict[float, Series]] = {}
        for series in buckets:
            bound = bound_of(series.label(BUCKET))
            if bound is None:
                return Mismatch(
                    Reason.QUERY_INVALID,
                    f"a series has the bucket label le={series.label(BUCKET)!r}, which is no number: make "
                    "histogram.buckets select a histogram's _bucket series",
                )
            labels = tuple(pair for pair in series.labels if pair[0] != BUCKET)
            histogram = found.setdefault(labels, {})
            histogram[bound] = _joined(labels, [*([histogram[bound]] if bound in histogram else []), series])
        for histogram in found.values():
            if math.inf not in histogram:
                return Mismatch(
                    Reason.QUERY_INVALID,
                    f"a histogram of the {side} has no bucket +Inf: make histogram.buckets select all buckets, without "
                    "a matcher of le",
                )
        return cls(side, found)

    @property
    def bounds(self) -> frozenset[float]:
        """The finite bounds that every histogram has."""
        sets = [frozenset(histogram) for histogram in self.each.values()]
        return frozenset.intersection(*sets) - {math.inf} if sets else frozenset()

    def row(self, bound: float) -> tuple[Series, ...]:
        """Every histogram's bucket of a bound."""
        return tuple(histogram[bound] for histogram in self.each.values() if bound in histogram)

    def lacking(self, bounds: Sequence[float], since: float) -> tuple[float, float] | None:
        """A bound that some histogram with samples after `since` does not have in every scrape, and its newest sample.

        None if there is none.
        """
        for histogram in self.each.values():
            whole = histogram[math.inf].times
            if whole[-1] <= since:
                continue
            for bound in bounds:
                times = histogram[bound].times if bound in histogram else whole[:0]
                if len(times) == 0 or times[0] != whole[0] or times[-1] != whole[-1]:
                    return bound, float(whole[-1])
        return None


def bound_of(text: str) -> float | None:
    """Read a bucket's label, or the objective: the same number however it is written; None if it is none.

    >>> bound_of("1") == bound_of("1.0"), bound_of("0.30000000000000004"), bound_of("+Inf")
    (True, 0.3, inf)
    """
    try:
        number = float(text)
    except ValueError:
        return None
    return None if math.isnan(number) else float(f"{number:.9g}")


@dataclass(frozen=True, slots=True)
class Rows:
    """Both tracks' buckets, a row for each bound."""

    found: TrackSeries
    above: tuple[float, ...]
    """The bounds, ascending."""
    pin: float
    """The objective's."""


def tracks(
    candidate: Sequence[Series],
    stable: Sequence[Series],
    objective: float,
    *,
    fixed: tuple[tuple[float, ...], float] | None = None,
    only_objective: bool = False,
    since: float = -math.inf,
) -> Rows | Mismatch:
    """Tell the buckets of both tracks apart by bound.

    Parameters
    ----------
    candidate, stable
        Bucket series, or native histograms.
    fixed
        The bounds that are judged already, and the objective's; None while the candidate was not counted.
    only_objective
        Whether no other bound is of interest.
    since
        Unix seconds: histograms without a sample after it are not looked at for what they lack.

    Returns
    -------
    The series by row; or what is wrong with the buckets.
    """
    pin = fixed[1] if fixed else (bound_of(repr(objective)) or 0.0)
    native = tuple(each for each in (*candidate, *stable) if isinstance(each, NativeSeries))
    if native:
        wanted = _native_bounds(native, objective, fixed, only_objective=only_objective)
        if isinstance(wanted, Mismatch):
            return wanted
        bounds, pin = wanted
        candidate, stable = _expanded(candidate, bounds), _expanded(stable, bounds)
    sides: list[Histograms] = []
    for name, buckets in (("canary", candidate), ("stable", stable)):
        histograms = Histograms.of(name, buckets)
        if isinstance(histograms, Mismatch):
            return histograms
        sides.append(histograms)
    above = fixed[0] if fixed else _common(sides, pin, only_objective=only_objective)
    if isinstance(above, Mismatch):
        return above
    for side in sides:
        if (lost := side.lacking(above, since)) is not None:
            return _changed(side, *lost)
    first, second = sides
    found = TrackSeries(
        candidate_bad=tuple(first.row(bound) for bound in above),
        candidate_total=first.row(math.inf),
        stable_bad=tuple(second.row(bound) for bound in above),
        stable_total=second.row(math.inf),
        inverted=True,
    )
    return Rows(found, above, pin)


def _common(sides: Sequence[Histograms], pin: float, *, only_objective: bool) -> tuple[float, ...] | Mismatch:
    """The bounds that every histogram of both sides has; the objective's has to be among them."""
    seen = [side for side in sides if side.each]
    for side in seen:
        if pin not in side.bounds:
            return _no_bucket(side, pin)
    if only_objective or not seen:
        return (pin,)
    return chosen(frozenset.intersection(*(side.bounds for side in seen)), pin)


def _native_bounds(
    many: Sequence[NativeSeries],
    objective: float,
    fixed: tuple[tuple[float, ...], float] | None,
    *,
    only_objective: bool,
) -> tuple[tuple[float, ...], float] | Mismatch:
    """The bounds that native histograms are read at, and the objective's: boundaries of their coarsest schema."""
    if fixed:
        return fixed
    try:
        schema = schema_of(many)
    except ValueError as error:
        return Mismatch(
            Reason.QUERY_INVALID,
            f"histogram.buckets selects a native histogram, and {error}: select the classic _bucket series",
        )
    if objective <= 0:
        return Mismatch(Reason.BOUND_NOT_A_BUCKET, "histogram.bound must be above 0 for a native histogram")
    if schema is None:
        return Mismatch(Reason.NO_DATA, "the histograms are there, and nothing was observed in them yet")
    pin = bound_of(repr(nearest_boundary(objective, schema))) or 0.0
    if only_objective:
        return (pin,), pin
    ends = {bound_of(repr(each)) or 0.0 for each in boundaries(many)}
    return chosen({*ends, pin}, pin), pin


def _expanded(many: Sequence[Series], bounds: tuple[float, ...]) -> tuple[Series, ...]:
    return tuple(
        bucket
        for each in many
        for bucket in (as_buckets(each, bounds, BUCKET) if isinstance(each, NativeSeries) else [each])
    )


def chosen(bounds: Iterable[float], objective: float) -> tuple[float, ...]:
    """At most `MOST_BOUNDS` of the bounds, evenly spaced by rank, the objective among them; ascending."""
    known = sorted(set(bounds))
    if len(known) > MOST_BOUNDS:
        picked = {known[index] for index in np.linspace(0, len(known) - 1, MOST_BOUNDS - 1).round().astype(int)}
        known = sorted(picked | {objective})
    return tuple(known)


def average(evidence: FloatArray, pin: int) -> float:
    """One log10 of E from those of all bounds, shape (bounds,).

    >>> round(average(np.array([0.0, 3.0]), pin=1), 2)
    2.88
    """
    if len(evidence) == 1:
        return float(evidence[0])
    top = float(evidence.max())
    terms = 10.0 ** (evidence - top)
    return top + math.log10(OBJECTIVE_WEIGHT * float(terms[pin]) + (1 - OBJECTIVE_WEIGHT) * float(terms.mean()))


def _joined(labels: Labels, parts: Sequence[Series]) -> Series:
    """One bucket's series under several writings of its bound, as one counter."""
    if len(parts) == 1:
        return Series(labels, parts[0].times, parts[0].values)
    times, first = np.unique(np.concatenate([part.times for part in parts]), return_index=True)
    return Series(labels, times, np.concatenate([part.values for part in parts])[first])


def _no_bucket(side: Histograms, bound: float) -> Mismatch:
    known = ", ".join(f"{each:g}" for each in sorted(side.bounds)) or "none that all of its histograms have"
    return Mismatch(
        Reason.BOUND_NOT_A_BUCKET,
        f"histogram.bound {bound:g} is no bucket of the {side.side}'s (its buckets: {known}); set histogram.bound to "
        "one of them, or give the application that bucket",
    )


def _changed(side: Histograms, bound: float, last_seen: float) -> Mismatch:
    known = ", ".join(f"{each:g}" for each in sorted(side.bounds)) or "none that all of its histograms have"
    return Mismatch(
        Reason.BUCKETS_CHANGED,
        f"the {side.side}'s buckets changed in mid-release: {bound:g} is missing now (there are: {known}); give both "
        "versions the same buckets, or judge this metric as advisory while they change",
        last_seen,
    )
