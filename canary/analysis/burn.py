"""How fast the candidate spends an error budget: several windows, each long and short.

Claim
    An objective promises a share of good requests, say 99.9 %; its budget is the rest. A burn rate of 1 spends exactly
    the budget over the objective's period; 14.4 spends 2 % of a 30 days' budget in an hour. The rate here is the
    candidate's own: its share of bad requests over the budget, as if all traffic were the candidate's.

Rule
    A pair of windows fires when *both* burn faster than its factor: the long one says that it is enough, the short one
    that it still happens. Any pair that fires fails. Of a release that is younger than a window the window has the time
    since the start: it does not wait an hour to say what is plain after five minutes.

Guarantee
    None: fixed bounds, no test. `FEWEST_BAD` bad requests in the long window are needed, so that one error of a quiet
    service is no burn; the rate's relative error is then about a third. It is not compared with stable, so an incident
    that hits both tracks fails the candidate: a `compare` beside it tells the two apart.

Shapes
    A course is of shape (intervals, 2): the candidate's bad requests and all of them in each interval.

Source
    Google, "The Site Reliability Workbook" (2018), chapter 5, alerting on SLOs, approach 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from canary.analysis.metric import BurnRate, BurnWindow
from canary.errors import SpecInvalid

FloatArray = NDArray[np.float64]

FEWEST_BAD: Final = 10.0
"""Bad requests in a long window below which it does not fire. Arbitrary: their number is then known within a third."""
FEWEST_REQUESTS: Final = 50.0
"""Requests since the start below which it does not pass, as for `compare`."""


@dataclass(frozen=True, slots=True)
class Burn:
    """One pair of windows at one time."""

    window: BurnWindow
    long: float | None
    """Burn rate; None without requests."""
    short: float | None
    long_bad: float
    """Bad requests in the long window."""
    full: bool
    """Whether the short window is full."""

    @property
    def high(self) -> bool:
        """Whether one of the two windows burns too fast, by more than a few requests."""
        above = [rate is not None and rate > self.window.factor for rate in (self.long, self.short)]
        return any(above) and self.long_bad >= FEWEST_BAD

    @property
    def fires(self) -> bool:
        """Whether both do."""
        above = [rate is not None and rate > self.window.factor for rate in (self.long, self.short)]
        return self.full and all(above) and self.long_bad >= FEWEST_BAD


@dataclass(frozen=True, slots=True)
class BurnState:
    """The candidate's course so far."""

    course: FloatArray = field(default_factory=lambda: np.zeros((0, 2)))
    """As far back as the longest window."""
    seconds: float = 0.0
    """How long it was measured since the start."""
    requests: float = 0.0
    """Since the start."""
    burns: tuple[Burn, ...] = ()
    """Every pair now, or when one fired."""
    fired: bool = False
    """Final for the attempt."""


def check(judge: BurnRate) -> None:
    """Refuse windows that make no sense.

    Raises
    ------
    SpecInvalid
        Says which, without the metric's name: the caller knows it.
    """
    if not 0 < judge.objective < 1:
        raise SpecInvalid(f"the objective must be a share between 0 and 1, not {judge.objective:g}")
    if not judge.windows:
        raise SpecInvalid("a burn rate needs at least one pair of windows")
    for window in judge.windows:
        if window.short_seconds > window.long_seconds:
            raise SpecInvalid(
                f"a short window ({window.short_seconds:g} s) is longer than its long one ({window.long_seconds:g} s)"
            )


def measure(
    state: BurnState, judge: BurnRate, bad: Sequence[float] | FloatArray, every: FloatArray, interval_seconds: float
) -> BurnState:
    """Add intervals, in the order of time, and look at the end of each, so that missed looks change nothing."""
    if state.fired or len(every) == 0:
        return state
    course = np.concatenate([state.course, np.column_stack([bad, every])])
    before = len(state.course)
    summed = np.concatenate([np.zeros((1, 2)), np.cumsum(course, axis=0)])
    burns, fired, end = state.burns, False, len(course)
    for end in range(before + 1, len(course) + 1):
        seconds = state.seconds + (end - before) * interval_seconds
        burns = tuple(_burn(summed, end, window, judge, interval_seconds, seconds) for window in judge.windows)
        fired = any(burn.fires for burn in burns)
        if fired:
            break
    longest = max(_length(window.long_seconds, interval_seconds) for window in judge.windows)
    added = end - before
    return replace(
        state,
        course=course[max(0, end - longest) : end],
        seconds=state.seconds + added * interval_seconds,
        requests=state.requests + float(np.asarray(every)[:added].sum()),
        burns=burns,
        fired=fired,
    )


def enough(state: BurnState, judge: BurnRate) -> bool:
    """Whether it has been measured long enough to pass: the shortest window, with some requests."""
    shortest = min(window.short_seconds for window in judge.windows)
    return state.seconds >= shortest and state.requests >= FEWEST_REQUESTS


def worst(state: BurnState) -> Burn | None:
    """The pair that is nearest to, or furthest beyond, its factor; one that fires before all others."""
    return max(
        state.burns,
        key=lambda burn: (burn.fires, min(burn.long or 0.0, burn.short or 0.0) / burn.window.factor),
        default=None,
    )


def _burn(
    summed: FloatArray, end: int, window: BurnWindow, judge: BurnRate, interval_seconds: float, measured_seconds: float
) -> Burn:
    def rate(seconds: float) -> tuple[float | None, float]:
        bad, every = summed[end] - summed[max(0, end - _length(seconds, interval_seconds))]
        return (float(bad / every / (1 - judge.objective)) if every > 0 else None), float(bad)

    long, long_bad = rate(window.long_seconds)
    return Burn(window, long, rate(window.short_seconds)[0], long_bad, measured_seconds >= window.short_seconds)


def _length(seconds: float, interval_seconds: float) -> int:
    return max(1, round(seconds / interval_seconds))
