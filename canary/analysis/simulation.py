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
from typing import Final

import numpy as np
from numpy.typing import NDArray

from canary.analysis.compare import TOLERATED_RATIO, CompareState, Interval, advance, divisor, evidence
from canary.analysis.dispersion import BLOCK_SECONDS, WINDOW_SECONDS, of_stable
from canary.analysis.metric import INTERVAL_SECONDS

FloatArray = NDArray[np.float64]

NOISE_SD: Final = 0.5
"""Standard deviation of a track's slow noise, in the logarithm of its bad share."""


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
    autocorrelation: float = 0.0
    """Of each track's slow noise from tick to tick; 0: none."""


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
    pooled: bool = False
    """The naive way, to see what it costs: all intervals as one."""


def first_alarms(
    world: World, judging: Judging, *, releases: int, seconds: float, rng: np.random.Generator
) -> FloatArray:
    """Simulate releases, and look at each at every interval.

    Returns
    -------
    FloatArray
        Shape (releases,): seconds until each is condemned, infinity where it is not.
    """
    every, r0 = judging.interval_seconds, judging.tolerated_ratio
    drawn = _Draws(world, every, releases, rng)
    blocks = _Blocks(drawn, judging)
    state = CompareState.fresh(releases)
    first = np.full(releases, np.inf)
    sums = [np.zeros(releases)] * 4
    for tick in range(round(seconds / every)):
        t = tick * every
        drawn.drift()
        by_pod, n_s = drawn.stable(t)
        x_c, n_c = drawn.candidate(t)
        blocks.add(t, by_pod)
        x_s = by_pod.sum(axis=1)
        if judging.pooled:
            sums = [a + b for a, b in zip(sums, (x_c, n_c, x_s, n_s), strict=True)]
            state = advance(CompareState.fresh(releases), Interval.of(*sums), r0)
        elif t < judging.warm_up_seconds:
            state = advance(state, Interval.of(0.0, 0.0, x_s, n_s, x_c, n_c), r0)
        else:
            state = advance(state, Interval.of(x_c, n_c, x_s, n_s), r0)
        condemned = evidence(state, blocks.divisor).against >= -np.log10(judging.alpha)
        first = np.where(condemned & np.isinf(first), t + every, first)
    return first


class _Draws:
    """The world's bad requests, tick by tick."""

    def __init__(self, world: World, every: float, releases: int, rng: np.random.Generator) -> None:
        self.world, self.every, self.rng = world, every, rng
        shape = (releases, world.pods + 1)
        self._own = np.exp(rng.normal(0, world.pod_sd, shape)) if world.pod_sd else np.ones(shape)
        self._noise = rng.normal(0, NOISE_SD if world.autocorrelation else 0.0, (releases, 2))

    def drift(self) -> None:
        """Let the slow noise go on by a tick."""
        rho = self.world.autocorrelation
        if rho:
            self._noise = rho * self._noise + self.rng.normal(0, NOISE_SD * np.sqrt(1 - rho**2), self._noise.shape)

    def stable(self, t: float) -> tuple[FloatArray, float]:
        """Bad requests of each pod, shape (releases, pods), and all pods' requests."""
        world = self.world
        n = world.requests_per_second * self.every * (1 - world.weight(t)) / world.pods
        share = world.bad_share * world.incident(t) * self._own[:, : world.pods] * np.exp(self._noise[:, :1])
        return self._draw(n, share), n * world.pods

    def candidate(self, t: float) -> tuple[FloatArray, float]:
        """Bad requests, shape (releases,), and all requests."""
        world = self.world
        n = world.requests_per_second * self.every * world.weight(t)
        share = world.bad_share * world.incident(t) * world.ratio * world.start(t)
        return self._draw(n, share * self._own[:, world.pods] * np.exp(self._noise[:, 1])), n

    def _draw(self, requests: float, share: FloatArray) -> FloatArray:
        mean, phi = requests * np.minimum(share, 1.0), self.world.phi
        rate = mean if phi == 1.0 else self.rng.gamma(np.maximum(mean, 1e-9) / (phi - 1), phi - 1)
        return np.minimum(self.rng.poisson(rate).astype(np.float64), requests)


class _Blocks:
    """Stable's last ten minutes in blocks of a minute, as the operator measures dispersion on them."""

    def __init__(self, drawn: _Draws, judging: Judging) -> None:
        world, releases = drawn.world, len(drawn._own)  # noqa: SLF001 -- two halves of one simulation
        self._ticks = max(1, round(BLOCK_SECONDS / drawn.every))
        self._on = judging.measured
        self.divisor: FloatArray = divisor(np.full(releases, np.nan))
        self._block = np.zeros((releases, world.pods))
        self._each = world.requests_per_second * BLOCK_SECONDS * (1 - world.weight(0.0)) / world.pods
        before = round(WINDOW_SECONDS / BLOCK_SECONDS)
        self._blocks = [
            np.sum([drawn.stable(0.0)[0] for _ in range(self._ticks)], axis=0) for _ in range(before if self._on else 0)
        ]
        self._seen = 0

    def add(self, t: float, by_pod: FloatArray) -> None:
        """Take a tick in; at the end of each block the divisor is estimated anew."""
        self._block = self._block + by_pod
        if self._on and self._seen % self._ticks == 0:
            if t:
                self._blocks, self._block = [*self._blocks[1:], self._block], np.zeros_like(self._block)
            bad = np.stack(self._blocks, axis=1)
            self.divisor = divisor(of_stable(bad, np.full_like(bad, self._each)).used)
        self._seen += 1
