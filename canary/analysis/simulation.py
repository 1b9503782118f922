"""Simulated releases, judged by `compare` as real ones are: when a worse one is found, and how often a good one.

Claim
    What is drawn here is judged by the same `advance` and `evidence`, with the same intervals, divisor and warm-up as
    in the operator. So the tables say what the operator would do in such a world; whether the world is yours is
    another question.

Method
    A tick's requests are split by the weight; bad ones are drawn per pod of stable and for the candidate: Poisson, or
    gamma-mixed Poisson for a variance of phi times the mean. Each release is its own row; ticks are vectorised over
    releases.

Shapes
    Every array is (releases, ...); a world of 1,000 releases and 360 ticks takes about a second.

Source
    Greenwood and Yule (1920) for the mixture of Poisson by gamma.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from canary.analysis import dispersion
from canary.analysis.compare import TOLERATED_RATIO, CompareState, Interval, advance, divisor, evidence
from canary.analysis.dispersion import BLOCK_SECONDS, WINDOW_SECONDS
from canary.analysis.metric import INTERVAL_SECONDS

FloatArray = NDArray[np.float64]

NOISE_SD: Final = 0.5
"""Standard deviation of slow noise, in the logarithm of a bad share."""


@dataclass(frozen=True, slots=True)
class World:
    """What one service does. Rates are functions of the seconds since the release began."""

    requests_per_second: float = 100.0
    bad_share: float = 0.01
    """Stable's."""
    ratio: float = TOLERATED_RATIO
    """The candidate's bad share over stable's."""
    weight: Callable[[float], float] = field(default=lambda _seconds: 0.05)
    """The candidate's share of requests, 0 to 1."""
    incident: Callable[[float], float] = field(default=lambda _seconds: 1.0)
    """Factor on both tracks' bad shares."""
    start: Callable[[float], float] = field(default=lambda _seconds: 1.0)
    """Factor on the candidate's alone."""
    phi: float = 1.0
    """Variance of bad requests over their mean: 1 is independent ones, more are bursts."""
    pods: int = 10
    """Of stable; the candidate has one."""
    pod_sd: float = 0.0
    """Standard deviation of the pods' own factors, in logarithms."""
    autocorrelation: float | None = None
    """Of each pod's slow noise from tick to tick, 0 and more, below 1; None: no such noise."""
    by_track: bool = False
    """Whether all of stable has one slow noise, which the candidate does not share, instead of each pod its own."""
    attempts: int = 1
    """How often each bad request is counted: a gateway's retries."""
    draws: int = 1
    """In how many parts each interval is drawn, so that weights and factors may change in the middle of it."""


@dataclass(frozen=True, slots=True)
class Judging:
    """How it is judged."""

    tolerated_ratio: float = TOLERATED_RATIO
    alpha: float = 0.01
    interval_seconds: float = INTERVAL_SECONDS
    warm_up_seconds: float = 0.0
    """In which the candidate's requests count as those of warming pods."""
    measured: bool = True
    """Whether the dispersion is measured on stable's pods; else the divisor's floor is used."""
    allowance: bool = True
    """Whether pods may differ for good by what stable's do."""
    plain: bool = False
    """A naive way, to see what it costs: no divisor at all."""
    pooled: bool = False
    """Another: all intervals as one."""
    asked: Callable[[float], float] | None = None
    """Another: the candidate's share of requests is taken to be what was asked for, not what was counted."""


class Source(Protocol):
    """What the judges see of many releases: simulated, or read from counters."""

    @property
    def releases(self) -> int:
        """How many."""
        ...

    def history(self) -> tuple[FloatArray, FloatArray]:
        """Stable's bad requests and all of them before the start, shape (releases, blocks, pods) each."""
        ...

    def interval(self, t: float) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """What the interval that begins at `t` counted.

        Stable's bad requests and all, (releases, pods) each, and the candidate's, (releases,) each.
        """
        ...


def first_alarms(
    world: World, judging: Judging, *, releases: int, seconds: float, rng: np.random.Generator
) -> FloatArray:
    """Simulate releases, and look at each at every interval.

    Returns
    -------
    FloatArray
        Shape (releases,): seconds until each is condemned, infinity where it is not.
    """
    return watch(Draws(world, judging.interval_seconds, releases, rng), judging, seconds)


def watch(source: Source, judging: Judging, seconds: float) -> FloatArray:
    """Look at releases at every interval: seconds until each is condemned, infinity where it is not."""
    every, r0, releases = judging.interval_seconds, judging.tolerated_ratio, source.releases
    stable = _Stable(*source.history(), judging)
    state = CompareState.fresh(releases)
    first = np.full(releases, np.inf)
    sums = [np.zeros(releases)] * 4
    for tick in range(round(seconds / every)):
        t = tick * every
        bad, total, x_c, n_c = source.interval(t)
        stable.add(t, bad, total)
        x_s, n_s = bad.sum(axis=1), total.sum(axis=1)
        if judging.asked is not None:
            n_c, n_s = (n_c + n_s) * judging.asked(t + every), (n_c + n_s) * (1 - judging.asked(t + every))
        if judging.pooled:
            sums = [a + b for a, b in zip(sums, (x_c, n_c, x_s, n_s), strict=True)]
            state = advance(CompareState.fresh(releases), Interval.of(*sums), r0)
        elif t < judging.warm_up_seconds:
            state = advance(state, Interval.of(0.0, 0.0, x_s, n_s, x_c, n_c), r0)
        else:
            state = advance(state, Interval.of(x_c, n_c, x_s, n_s), r0)
        found = evidence(state, stable.divisor, allowance=stable.allowance).against
        first = np.where((found >= -np.log10(judging.alpha)) & np.isinf(first), t + every, first)
    return first


class Draws:
    """The world's requests, interval by interval: a `Source`."""

    def __init__(self, world: World, every: float, releases: int, rng: np.random.Generator) -> None:
        self.world, self.every, self.rng, self.releases = world, every, rng, releases
        shape = (releases, world.pods + 1)
        self._own = np.exp(rng.normal(0, world.pod_sd, shape)) if world.pod_sd else np.ones(shape)
        self._noise = np.zeros(shape)
        self._drift(0.0)

    def history(self) -> tuple[FloatArray, FloatArray]:
        """Ten minutes before the start, at the first weight."""
        ticks, blocks = max(1, round(BLOCK_SECONDS / self.every)), round(WINDOW_SECONDS / BLOCK_SECONDS)
        bad, total = [], []
        for _ in range(blocks):
            many = [self._interval(0.0) for _ in range(ticks)]
            bad.append(sum(each[0] for each in many))
            total.append(sum(each[1] for each in many))
        return np.stack(bad, axis=1), np.stack(total, axis=1)

    def interval(self, t: float) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Draw the interval that begins at `t`."""
        return self._interval(t)

    def _interval(self, t: float) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        world, parts = self.world, self.world.draws
        if world.autocorrelation is not None:
            self._drift(world.autocorrelation)
        bad, x = np.zeros((self.releases, world.pods)), np.zeros(self.releases)
        n_pod = n_c = 0.0
        for part in range(parts):
            moment = t + self.every * part / parts
            requests, weight = world.requests_per_second * self.every / parts, world.weight(moment)
            share = world.bad_share * world.incident(moment) * self._own * np.exp(self._noise)
            ratio = world.ratio * world.start(moment)
            bad = bad + self._draw(requests * (1 - weight) / world.pods, share[:, : world.pods])
            x = x + self._draw(requests * weight, share[:, world.pods] * ratio)
            n_pod, n_c = n_pod + requests * (1 - weight) / world.pods, n_c + requests * weight
        # Attempts that fail are counted among all of them, too.
        more = world.attempts - 1
        return (
            bad * world.attempts,
            n_pod + bad * more,
            x * world.attempts,
            np.full(self.releases, n_c) + x * more,
        )

    def _drift(self, rho: float) -> None:
        """Let the slow noise go on by an interval; from 0 it is drawn anew."""
        if self.world.autocorrelation is None:
            return
        fresh = self.rng.normal(0, NOISE_SD * np.sqrt(1 - rho**2), self._noise.shape)
        if self.world.by_track:
            fresh[:, : self.world.pods] = fresh[:, :1]
        self._noise = rho * self._noise + fresh

    def _draw(self, requests: float, share: FloatArray) -> FloatArray:
        mean, phi = requests * np.minimum(share, 1.0), self.world.phi
        rate = mean if phi == 1.0 else self.rng.gamma(np.maximum(mean, 1e-9) / (phi - 1), phi - 1)
        return np.minimum(self.rng.poisson(rate).astype(np.float64), requests)


class _Stable:
    """What the operator knows of stable alone: its last minutes for the dispersion, all of them for the spread."""

    def __init__(self, bad: FloatArray, total: FloatArray, judging: Judging) -> None:
        self._on, self._allows = judging.measured and not judging.plain, judging.allowance
        self._chance = judging.alpha / 2
        self._ticks = max(1, round(BLOCK_SECONDS / judging.interval_seconds))
        self._bad, self._total = list(np.moveaxis(bad, 1, 0)), list(np.moveaxis(total, 1, 0))
        self._sums = bad.sum(axis=1), dispersion.expectation(bad, total).sum(axis=1)
        self._block = np.zeros_like(self._sums[0]), np.zeros_like(self._sums[0])
        self._seen = 0
        releases = len(bad)
        self.divisor: FloatArray = np.ones(releases) if judging.plain else divisor(np.full(releases, np.nan))
        self.allowance: FloatArray = np.ones(releases)
        if self._on:
            self._measure()

    def add(self, _t: float, bad: FloatArray, total: FloatArray) -> None:
        """Take an interval in; at the end of each block the estimates are made anew."""
        self._block = self._block[0] + bad, self._block[1] + total
        self._seen += 1
        if self._on and self._seen % self._ticks == 0:
            x, n = self._block
            self._bad, self._total = [*self._bad[1:], x], [*self._total[1:], n]
            self._sums = self._sums[0] + x, self._sums[1] + dispersion.expectation(x, n)
            self._block = np.zeros_like(x), np.zeros_like(n)
            self._measure()

    def _measure(self) -> None:
        within = dispersion.of_stable(np.stack(self._bad, axis=1), np.stack(self._total, axis=1))
        self.divisor = divisor(within.used)
        if self._allows:
            self.allowance = dispersion.allowance(dispersion.spread(*self._sums, within.estimate), chance=self._chance)
