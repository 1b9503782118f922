"""Fixed bounds: how often a measurement may break them.

No statistics and no guarantee: whoever writes the bound knows what it means (saturation, a queue's length, an SLO).
A bound that is broken `consecutive` times in a row fails, and so does one broken `total` times in the attempt: the
first forgives a spike, the second does not forgive one that comes again and again. What was not measured is neither a
break nor a pass, and does not end a row: a scrape that is missed in the middle of an outage must not save the canary.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from math import isnan

from canary.analysis.metric import Threshold
from canary.errors import SpecInvalid


class Standing(StrEnum):
    """What the measurements so far say."""

    BROKEN = "broken"
    HOLDS = "holds"
    TOO_FEW = "tooFew"


@dataclass(frozen=True, slots=True)
class ThresholdState:
    """The measurements so far."""

    measured: int = 0
    broken: int = 0
    """In the whole attempt."""
    row: int = 0
    """At present, in a row."""
    good_row: int = 0
    """Within the bounds at present, in a row."""
    last: float | None = None
    """The newest value."""
    failed: bool = False
    """Final for the attempt."""


def check(threshold: Threshold) -> None:
    """Refuse bounds that nothing can satisfy or that forbid nothing.

    Raises
    ------
    SpecInvalid
        Says which, without the metric's name: the caller knows it.
    """
    low, high = threshold.minimum, threshold.maximum
    if low is None and high is None:
        raise SpecInvalid("a threshold needs min, max or both")
    if low is not None and high is not None and low > high:
        raise SpecInvalid(f"min ({low:g}) is above max ({high:g}): no value is within the bounds")
    if threshold.consecutive < 1 and not threshold.total:
        raise SpecInvalid("a threshold needs a limit: consecutive or total, at least 1")


def broken_by(threshold: Threshold, value: float) -> bool:
    """Whether a value breaks a bound; the bounds themselves are within.

    >>> broken_by(Threshold(maximum=0.05), 0.05), broken_by(Threshold(maximum=0.05), 0.06)
    (False, True)
    """
    too_low = threshold.minimum is not None and value < threshold.minimum
    too_high = threshold.maximum is not None and value > threshold.maximum
    return too_low or too_high


def measure(state: ThresholdState, threshold: Threshold, value: float) -> ThresholdState:
    """Add one measurement.

    Raises
    ------
    ValueError
        For NaN: the caller has to tell "not a number" from a measurement.
    """
    if isnan(value):
        raise ValueError("not a number is no measurement")
    broken = broken_by(threshold, value)
    row = state.row + 1 if broken else 0
    count = state.broken + broken
    return replace(
        state,
        measured=state.measured + 1,
        broken=count,
        row=row,
        good_row=0 if broken else state.good_row + 1,
        last=value,
        failed=state.failed
        or bool(threshold.consecutive and row >= threshold.consecutive)
        or bool(threshold.total and count >= threshold.total),
    )


def measure_all(state: ThresholdState, threshold: Threshold, values: Iterable[float]) -> ThresholdState:
    """Add measurements in the order of time."""
    for value in values:
        state = measure(state, threshold, value)
    return state


def standing(state: ThresholdState, threshold: Threshold) -> Standing:
    """What the measurements say now: broken for good, holding, or too few to say."""
    if state.failed:
        return Standing.BROKEN
    return Standing.HOLDS if state.good_row >= threshold.fewest else Standing.TOO_FEW
