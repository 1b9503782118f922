"""The vocabulary of scenarios: what a service's two tracks do during one release, second by second.

Every template meets the same releases; what differs from template to template is how its series tell of them
(`exposition.py`). All is drawn from the scenario's and the pod's name, so the same series come out each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import erf, log, sqrt
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

START: Final = 236_111 * 7200 + 1800
"""Unix seconds when the canary first gets traffic; everything lies within one block of two hours."""
BEFORE: Final = 690
"""Seconds of stable's history."""
LASTS: Final = 600
"""Seconds that the release is looked at."""
SCRAPE: Final = 15
"""Seconds between a target's scrapes."""

BAD_SHARE: Final = 0.02
WANTED_SHARE: Final = 0.05
MEDIAN_SECONDS, SPREAD = 0.1, 0.5
"""Durations of requests: log-normal."""
TAIL_SECONDS: Final = 2.0
"""What the requests take that a canary with more slow ones makes wait."""
SLOW_SECONDS: Final = 0.2
"""Above it a request counts as slow, for the factor of such a canary."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One release."""

    means: str
    """In a sentence."""
    factor: float = 1.0
    """The canary's share of bad and of slow requests, and its levels, over stable's."""
    slower: float = 1.0
    """The canary's durations over stable's."""
    requests_per_second: float = 600.0
    rough_start: bool = False
    """Each canary pod has three times the bad requests in its first 20 s; one of stable's pods restarts, one is replaced."""
    autocorrelation: float = 0.0
    """Of each pod's own slow noise, from one 10 s to the next."""
    ramp: float = 1.0
    """How many times the traffic at the end is that of the start, and the square root of it for both tracks' bad shares."""
    seen: bool = True
    """Whether anything tells of the canary."""


SCENARIOS: Final = {
    "healthy": Scenario("the same as stable"),
    "twice": Scenario("twice as many bad or slow requests, levels twice as high", factor=2.0),
    "fivefold": Scenario("five times as many, five times as high", factor=5.0),
    "slower": Scenario("every request takes 20 % longer", slower=1.2),
    "quiet": Scenario("a request every three seconds, of which the canary gets one in ten", requests_per_second=0.3),
    "deploy": Scenario("cold canary pods, a stable pod that restarts, and one that is replaced", rough_start=True),
    "noise": Scenario("slow noise of each pod's own, correlated by 0.9 from one 10 s to the next", autocorrelation=0.9),
    "ramp": Scenario("the morning: traffic triples, and both tracks' bad shares rise with it", ramp=3.0),
    "unseen": Scenario("nobody scrapes the canary, or its series have other labels", seen=False),
}


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod of one track."""

    name: str
    canary: bool
    born: int
    """Seconds since the start, negative before it; its counters are 0 then."""
    dies: int = LASTS
    restarts: int | None = None
    """When its counters begin anew."""

    @property
    def phase(self) -> int:
        """Seconds by which its scrapes are late."""
        return crc32(self.name.encode()) % SCRAPE

    @property
    def first(self) -> int:
        """Index in `SECONDS` of its first."""
        return max(0, self.born + BEFORE)

    @property
    def end(self) -> int:
        """Index in `SECONDS` after its last."""
        return self.dies + BEFORE


def pods(scenario: Scenario) -> tuple[Pod, ...]:
    """Stable's four and the canary's two, the second of which comes with the greater weight."""
    rough = scenario.rough_start
    stable = [Pod(f"5d9c7f6b8-{name}", canary=False, born=-BEFORE) for name in ("b8kzp", "h2m4w", "q9xln")]
    if rough:
        stable[0] = Pod("5d9c7f6b8-b8kzp", canary=False, born=-BEFORE, restarts=60)
        stable.append(Pod("5d9c7f6b8-t7vcd", canary=False, born=-BEFORE, dies=100))
        stable.append(Pod("5d9c7f6b8-w5rjs", canary=False, born=105))
    else:
        stable.append(Pod("5d9c7f6b8-t7vcd", canary=False, born=-BEFORE))
    return (
        *stable,
        Pod("6f8b5c4d7-c4nqk", canary=True, born=-20),
        Pod("6f8b5c4d7-f6zgx", canary=True, born=RAISED - 20),
    )


RAISED: Final = 180
"""Seconds until the weight is raised."""


def weight(seconds: FloatArray) -> FloatArray:
    """The canary's share of requests."""
    return np.where(seconds < 0, 0.0, np.where(seconds < RAISED, 0.1, 0.3))


SECONDS: Final = np.arange(-BEFORE, LASTS, dtype=np.float64)
"""The second that each cell begins with."""


SERVICE: Final = Pod("service", canary=True, born=-BEFORE)
"""Stands for both tracks together, where a figure is the whole service's: as bad as the canary, since the start."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What one pod did in each second."""

    lives: FloatArray
    """1 while it is there."""
    requests: FloatArray
    bad: FloatArray
    wanted: FloatArray
    """Orders, say: fewer of them are worse."""
    level: FloatArray
    """By how many times its gauges differ from the usual."""


@lru_cache(maxsize=512)
def counted(name: str, pod: Pod) -> Counted:
    """What a pod did in a scenario."""
    scenario = SCENARIOS[name]
    rng = np.random.default_rng(crc32(f"{name} {pod.name}".encode()))
    living = ((pod.born <= SECONDS) & (pod.dies > SECONDS)).astype(np.float64)
    grown = 1 + (scenario.ramp - 1) * np.clip(SECONDS / LASTS, 0, 1)
    per_second = scenario.requests_per_second * grown * _share(scenario, pod)
    factor = scenario.factor if pod.canary else 1.0
    noise = _noise(scenario.autocorrelation, rng)
    share = BAD_SHARE * factor * np.sqrt(grown) * noise
    if scenario.rough_start and pod.canary:
        share = np.where(SECONDS - max(pod.born + 20, 0) < 20, 3 * share, share)
    requests = rng.poisson(per_second * living).astype(np.float64)
    bad = rng.binomial(requests.astype(np.int64), np.minimum(share, 1.0)).astype(np.float64)
    slow_start = 1 + 0.02 * rng.standard_normal(len(SECONDS)) if not scenario.autocorrelation else noise**0.3
    level = np.where(SECONDS < 0, 1.0, factor) * grown**0.1 * slow_start
    wanted = rng.binomial(requests.astype(np.int64), WANTED_SHARE / factor).astype(np.float64)
    return Counted(living, requests, bad, wanted, level)


def _share(scenario: Scenario, pod: Pod) -> FloatArray:
    """A pod's share of all requests."""
    mates = [each for each in pods(scenario) if each.canary == pod.canary]
    if pod not in mates:
        return np.zeros(len(SECONDS))
    # A canary pod gets traffic when it is ready, which is 20 s after its birth.
    ready = {each: each.born + 20 if each.canary else each.born for each in mates}
    there = {each: (ready[each] <= SECONDS) & (each.dies > SECONDS) for each in mates}
    of_track = weight(SECONDS) if pod.canary else 1 - weight(SECONDS)
    return np.asarray(of_track * there[pod] / np.maximum(1, np.sum(list(there.values()), axis=0)))


def _noise(autocorrelation: float, rng: np.random.Generator) -> FloatArray:
    """A factor around 1 that changes every 10 s."""
    if not autocorrelation:
        return np.ones(len(SECONDS))
    steps = rng.normal(0, 0.25, len(SECONDS) // 10 + 1)
    state = [float(steps[0])]
    for step in steps[1:]:
        state.append(autocorrelation * state[-1] + sqrt(1 - autocorrelation**2) * float(step))
    return np.asarray(np.exp(np.repeat(state, 10)[: len(SECONDS)]))


def faster_than(scenario: Scenario, *, canary: bool, bounds: tuple[float, ...]) -> FloatArray:
    """The share of requests that take no longer than each bound in seconds."""
    median = MEDIAN_SECONDS * (scenario.slower if canary else 1.0)
    usual = np.array([_below(bound, median) for bound in bounds])
    # Enough requests wait for long that the share of slow ones is `factor` times stable's.
    slow = 1 - _below(SLOW_SECONDS, median)
    waiting = ((scenario.factor if canary else 1.0) - 1) * slow
    return np.asarray((1 - waiting) * usual + waiting * (np.array(bounds) >= TAIL_SECONDS))


def _below(bound: float, median: float) -> float:
    return 0.5 + 0.5 * erf(log(bound / median) / (SPREAD * sqrt(2))) if bound > 0 else 0.0


@lru_cache(maxsize=512)
def durations(name: str, pod: Pod, bounds: tuple[float, ...]) -> FloatArray:
    """How many requests a pod answered within each bound, the last being infinity: shape (bounds + 1, seconds)."""
    rng = np.random.default_rng(crc32(f"{name} {pod.name} durations".encode()))
    shares = np.diff(faster_than(SCENARIOS[name], canary=pod.canary, bounds=bounds), prepend=0.0, append=1.0)
    drawn = rng.multinomial(counted(name, pod).requests.astype(np.int64), np.maximum(shares, 0.0))
    return np.asarray(np.cumsum(drawn, axis=1, dtype=np.float64).T)
