"""Releases whose intervals are read from raw counters, by the code that reads Prometheus' in the operator.

Two cells of `benchmarks.statistics` are about reading: counters that are born at their first error, and a candidate whose
samples come later than stable's. Each counter is drawn with its scrape times, and `canary.analysis.samples` cuts the
intervals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from canary.analysis.dispersion import BLOCK_SECONDS, WINDOW_SECONDS
from canary.analysis.samples import GAP_INTERVALS, Labels, Reading, Scraped, Series, total
from canary.analysis.simulation import FloatArray

EVERY = 10.0
PODS = 10


@dataclass(frozen=True, slots=True)
class Counted:
    """Releases' intervals, read before: a `canary.analysis.simulation.Source`."""

    bad: FloatArray
    """Stable's, shape (releases, intervals, pods), from ten minutes before the start on."""
    total: FloatArray
    candidate_bad: FloatArray
    """Shape (releases, intervals)."""
    candidate_total: FloatArray

    @property
    def releases(self) -> int:
        return len(self.bad)

    def history(self) -> tuple[FloatArray, FloatArray]:
        before, ticks = round(WINDOW_SECONDS / EVERY), round(BLOCK_SECONDS / EVERY)
        shape = (self.releases, before // ticks, ticks, PODS)
        bad, every = (each[:, :before].reshape(shape).sum(axis=2) for each in (self.bad, self.total))
        return bad, every

    def interval(self, t: float) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        tick = round((WINDOW_SECONDS + t) / EVERY)
        bad, every = self.bad[:, tick], self.total[:, tick]
        return bad, every, self.candidate_bad[:, tick], self.candidate_total[:, tick]

    def late(self, ticks: int) -> Counted:
        """The same with the candidate's counts so many intervals later."""
        return Counted(
            self.bad,
            self.total,
            np.roll(self.candidate_bad, ticks, axis=1),
            np.roll(self.candidate_total, ticks, axis=1),
        )


def read(
    releases: int,
    seconds: float,
    *,
    requests: Callable[[float], tuple[float, float]],
    share: Callable[[float], float],
    ratio: float,
    handlers: int = 1,
    scrape: float = EVERY,
    lose_births: bool = False,
    seed: int = 1,
) -> Counted:
    """Draw counters of ten stable pods and one of the candidate's, and read them.

    Parameters
    ----------
    requests
        Stable's and the candidate's requests a second at a time.
    share
        Stable's bad share at a time.
    ratio
        The candidate's over stable's.
    handlers
        Into how many series each pod's bad requests are split; each is born at its first.
    lose_births
        The naive way: a counter of stable's counts from its first sample on.
    """
    rng = np.random.default_rng(seed)
    edges = np.arange(-WINDOW_SECONDS, seconds + EVERY / 2, EVERY)
    # A second's resolution is enough for rates that change in steps.
    moments = np.arange(-WINDOW_SECONDS - 2 * scrape, seconds + 2 * scrape)
    rates = np.array([[*requests(t), share(t)] for t in moments])
    means = {
        "all": np.concatenate([[0.0], np.cumsum(rates[:, 0] / PODS)]),
        "bad": np.concatenate([[0.0], np.cumsum(rates[:, 0] / PODS * rates[:, 2])]),
        "canary": np.concatenate([[0.0], np.cumsum(rates[:, 1])]),
        "canary bad": np.concatenate([[0.0], np.cumsum(rates[:, 1] * rates[:, 2] * ratio)]),
    }
    whole = np.append(moments, moments[-1] + 1)
    n = len(edges) - 1
    found = Counted(
        np.zeros((releases, n, PODS)), np.zeros((releases, n, PODS)), np.zeros((releases, n)), np.zeros((releases, n))
    )
    for release in range(releases):
        pods = []
        for pod in range(PODS + 1):
            labels: Labels = (("pod", f"pod-{pod}"),)
            times = np.arange(moments[0] + rng.uniform(0, scrape), moments[-1], scrape)
            kind = "canary" if pod == PODS else "all"
            every = np.round(np.interp(times, whole, means[kind]))
            mean = np.interp(times, whole, means["canary bad" if pod == PODS else "bad"]) / handlers
            steps = np.maximum(np.diff(mean, prepend=mean[0]), 0.0)
            counts = np.cumsum(rng.poisson(np.broadcast_to(steps, (handlers, len(steps)))), axis=1)
            bad = [
                Series((*labels, ("handler", str(h))), times[row > 0], row[row > 0].astype(np.float64))
                for h, row in enumerate(counts)
            ]
            pods.append((Series(labels, times, every), [each for each in bad if len(each.times)]))
        scraped = Scraped.of(each[0] for each in pods)
        how = Reading(GAP_INTERVALS * scrape, scrape, float(moments[0]) - 1000.0)
        nobody = Scraped({})
        for pod, (every_series, bad_series) in enumerate(pods):
            newborn = pod == PODS
            known = nobody if lose_births and not newborn else scraped
            x = total(bad_series, edges, known, how, newborn=newborn)
            m = total([every_series], edges, scraped, how, newborn=False)
            if newborn:
                found.candidate_bad[release], found.candidate_total[release] = x, m
            else:
                found.bad[release, :, pod], found.total[release, :, pod] = x, m
    return found
