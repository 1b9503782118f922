"""What a team's own judge is given, and what it says: the whole of the interface for those who write one.

A judge is a function from `Measurements` to `Judgement`, named by an entry point of the group `canary.judges`. It runs
in a process of its own, with a time limit (`canary.metrics.custom`), is called anew for each look with everything since
the start, and keeps nothing. An example is in docs/custom-judges.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from canary.analysis.verdict import Outcome

MOST_INTERVALS = 4320
"""Intervals that a judge is given at most, the newest: twelve hours at 10 s. Arbitrary."""


@dataclass(frozen=True, slots=True)
class Measurements:
    """What was measured of one metric since the start."""

    metric: str
    """`template/metric`."""
    params: Mapping[str, str]
    """As the template gives them."""
    interval_seconds: float
    """Distance of the entries below."""
    candidate: Sequence[tuple[float, float]]
    """By interval, the oldest first: bad events and all events. A histogram's bad events are those above its bound.
    Of a value: the value and 1."""
    stable: Sequence[tuple[float, float]]
    """The same of stable, as long; empty for a value without one of stable's."""


class Opinion(StrEnum):
    """What a judge may say."""

    PASS = "pass"  # noqa: S105 -- an outcome, not a secret
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


OUTCOMES: Mapping[Opinion, Outcome] = {
    Opinion.PASS: Outcome.PASS,
    Opinion.FAIL: Outcome.FAIL,
    Opinion.INCONCLUSIVE: Outcome.INCONCLUSIVE,
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a judge says at one time."""

    opinion: Opinion
    """A fail is final, and rolls back if the metric is critical."""
    message: str
    """One sentence for people: what was measured, and against what."""
    suspicious: bool = False
    """Whether the weight must not be raised now, though nothing is decided."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The judge said nothing: it failed, took too long, or is not there."""

    message: str


Judge = Callable[[Measurements], Judgement]
"""What an entry point of the group `canary.judges` names."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a judge is asked."""

    judge: str
    """Name of the entry point."""
    measurements: Measurements = field(compare=False)
    until: float = 0.0
    """Unix seconds up to which the measurements go."""
