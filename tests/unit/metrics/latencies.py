"""A world whose pods count durations in a classic histogram."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import erf, inf, log, sqrt

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from canary.analysis.metric import Compare, EventJudge, HistogramMetric
from canary.analysis.samples import Series, Track
from tests.unit.metrics.world import CANARY, STABLE, Pod, Rate, World

BOUNDS = ("0.05", "0.1", "0.25", "0.5", "1.0")


def durations(judge: EventJudge | None = None, bound: float = 0.25) -> HistogramMetric:
    return HistogramMetric(
        "http/latency",
        "main",
        buckets="http_request_duration_seconds_bucket",
        bound=bound,
        candidate=CANARY,
        stable=STABLE,
        judge=judge or Compare(),
        interval_seconds=5.0,
    )


def shares(median: float, bounds: Sequence[str], sigma: float = 0.8) -> list[float]:
    """Of each bucket, not cumulated, of a lognormal duration."""
    below = [0.5 * (1 + erf(log(float(bound) / median) / sigma / sqrt(2))) for bound in bounds] + [1.0]
    return [float(each) for each in np.diff([0.0, *below])]


@dataclass
class Slow:
    pod: Pod
    bounds: tuple[str, ...]
    counted: NDArray[np.float64]
    """Cumulated over time and over buckets; shape (seconds + 1, bounds + 1)."""
    relabelled_at: float = inf
    """From then on bounds are written as 1e0."""


class Latencies(World):
    """Durations are lognormal around `median(t)` seconds."""

    slow: list[Slow]

    def answer(
        self,
        track: Track,
        pods: int,
        rps: float,
        median: Rate,
        *,
        bounds: tuple[str, ...] = BOUNDS,
        born: float = 0.0,
        dies: float = inf,
        relabelled_at: float = inf,
    ) -> None:
        """Add pods that share `rps` requests a second."""
        self.slow = getattr(self, "slow", [])
        for index in range(pods):
            name = f"{track[1].value}-{index}-{len(self.slow)}"
            pod = Pod(name, track, born, phase=float(self.rng.uniform(0, self.interval)), dies=dies)
            rows = np.zeros((self.lasts + 1, len(bounds) + 1))
            for second in range(self.lasts):
                if born <= second < dies:
                    n = self.rng.poisson(rps / pods)
                    rows[second + 1] = self.rng.multinomial(n, shares(median(second), bounds))
            self.slow.append(Slow(pod, bounds, np.cumsum(np.cumsum(rows, axis=0), axis=1), relabelled_at))

    @override
    def series(self, start: float, end: float) -> Iterable[Series]:
        for slow in self.slow:
            times = self.scrapes(slow.pod, start, end)
            if not len(times):
                continue
            for column, bound in enumerate([*slow.bounds, "+Inf"]):
                values = np.floor(np.interp(times, np.arange(self.lasts + 1), slow.counted[:, column]))
                late = times >= slow.relabelled_at
                for written, kept in ((bound, ~late), (f"{float(bound):.1e}" if bound != "+Inf" else bound, late)):
                    if kept.any():
                        labels = {label.name: label.value for label in slow.pod.track}
                        labels |= {"le": written, "pod": slow.pod.name, "job": "pods", "instance": slow.pod.name}
                        yield Series(tuple(sorted(labels.items())), times[kept], values[kept])
