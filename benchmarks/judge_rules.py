"""The peers' rules, on the same simulated releases, each with what a user of it can tune.

Each rule is written down after what its project documents and its source does (Flagger 1.44, Argo Rollouts 1.9,
Kayenta's NetflixACAJudge); none of their code is here. Every rule ends in one number that is compared with a bound: a
release is condemned at the first look whose statistic is above the bound. So the bound that makes 1 % of false alarms
can be found exactly, as a quantile of the largest statistic of each release, which is more than a user can do.

Shapes
    Counts are (releases, ticks) of 10 s; what is compared with the bound is (releases, looks).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

from canary.analysis.simulation import FloatArray

EVERY: Final = 10.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the rules are given of many releases."""

    bad: FloatArray
    """The candidate's bad requests, shape (releases, ticks)."""
    total: FloatArray
    stable_bad: FloatArray
    stable_total: FloatArray


@dataclass(frozen=True, slots=True)
class Rule:
    """A peer's rule with everything set but its bound."""

    peer: str
    setting: str
    looks: FloatArray
    """Seconds at which it acts, shape (looks,)."""
    values: Callable[[Seen], FloatArray]
    """Shape (releases, looks): what is compared with the bound."""
    failures: int = 1
    """Looks above the bound, in all, that condemn."""


def instants(every: int) -> FloatArray:
    """Seconds of an hour's looks, each so many ticks."""
    return np.arange(every, 361, every, dtype=np.float64) * EVERY


def windowed(counts: FloatArray, ticks: int) -> FloatArray:
    """Sums over the last `ticks`, or as many as there are; shape of `counts`."""
    sums = np.cumsum(counts, axis=1)
    before = np.zeros_like(sums)
    before[:, ticks:] = sums[:, :-ticks]
    return sums - before


def rate(seen: Seen, window: int, every: int) -> FloatArray:
    """The candidate's bad share over a window in ticks, at each look: shape (releases, looks)."""
    bad, total = (windowed(each, window)[:, every - 1 :: every] for each in (seen.bad, seen.total))
    return np.asarray(bad / np.maximum(total, 1.0))


def flagger(window: int, every: int, failures: int) -> Rule:
    """So many checks that fail, which are never forgiven while the analysis goes on; the rollback is one check later."""
    # Acting one interval after the look: the times are shifted, not the statistic.
    looks = instants(every) + every * EVERY
    name = f"rate over {window * EVERY:.0f} s each {every * EVERY:.0f} s, threshold {failures}"
    return Rule("flagger", name, looks, lambda seen: rate(seen, window, every), failures)


def argo(window: int, every: int, limit: int) -> Rule:
    """More failed measurements in all than `failureLimit`."""
    looks = instants(every)
    name = f"rate over {window * EVERY:.0f} s each {every * EVERY:.0f} s, failureLimit {limit}"
    return Rule("argo", name, looks, lambda seen: rate(seen, window, every), limit + 1)


def argo_consecutive(window: int, every: int, row: int) -> Rule:
    """So many failed measurements in a row: asked for (argo-rollouts #4792), not in 1.9."""
    looks = instants(every)

    def lowest_of_row(seen: Seen) -> FloatArray:
        values = rate(seen, window, every)
        lowest = values.copy()
        for back in range(1, row):
            lowest[:, back:] = np.minimum(lowest[:, back:], values[:, :-back])
            lowest[:, :back] = -np.inf
        return lowest

    name = f"rate over {window * EVERY:.0f} s each {every * EVERY:.0f} s, {row} in a row"
    return Rule("argo", name, looks, lowest_of_row)


def kayenta(every_minutes: int, confidence: float) -> Rule:
    """Mann-Whitney on the minutes' bad shares so far, and the ratio of their means above `allowedIncrease`.

    High where the confidence interval of the shift (Hodges and Lehmann's, by order statistics of all differences,
    normal approximation of the rank sum) lies above a quarter of the shift's estimate. The bound is `allowedIncrease`.
    """
    looks = instants(6 * every_minutes)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)

    def ratios(seen: Seen) -> FloatArray:
        shape = (len(seen.bad), 60, 6)
        first, second = (
            bad.reshape(shape).sum(axis=2) / np.maximum(total.reshape(shape).sum(axis=2), 1.0)
            for bad, total in ((seen.bad, seen.total), (seen.stable_bad, seen.stable_total))
        )
        found = np.full((len(first), len(looks)), -np.inf)
        for index, look in enumerate(looks):
            n = round(look / 60)
            x, y = first[:, :n], second[:, :n]
            rank = int(np.floor(n * n / 2 - z * np.sqrt(n * n * (2 * n + 1) / 12)))
            if rank < 1:
                continue
            middle = n * n // 2
            differences = (x[:, :, np.newaxis] - y[:, np.newaxis, :]).reshape(len(x), -1).astype(np.float32)
            ordered = np.partition(differences, (rank - 1, middle), axis=1)
            high = ordered[:, rank - 1] > 0.25 * np.abs(ordered[:, middle])
            ratio = x.mean(axis=1) / np.maximum(y.mean(axis=1), 1e-12)
            found[:, index] = np.where(high, ratio, -np.inf)
        return found

    return Rule("kayenta", f"each {every_minutes} min, {confidence:.1%} confidence", looks, ratios)


def rules() -> Sequence[Rule]:
    """Every setting that is tried."""
    shapes = [(1, 1), (3, 1), (6, 1), (6, 3), (6, 6), (30, 3), (30, 6)]
    return [
        *(flagger(window, every, n) for window, every in shapes for n in (1, 2, 5, 10)),
        *(argo(window, every, n) for window, every in shapes for n in (0, 1, 4, 9)),
        *(argo_consecutive(window, every, n) for window, every in shapes for n in (2, 3, 5)),
        *(kayenta(minutes, confidence) for minutes in (5, 10, 30) for confidence in (0.98,)),
    ]


def bound(rule: Rule, values: FloatArray, false_alarms: float) -> float:
    """The least bound with which at most this share of good releases is ever condemned."""
    # A release is condemned when its n-th largest value is above the bound.
    nth = np.sort(values, axis=1)[:, -rule.failures]
    return float(np.sort(nth)[len(nth) - 1 - int(false_alarms * len(nth))])


def seconds(rule: Rule, values: FloatArray, limit: float) -> FloatArray:
    """Until each release is condemned, shape (releases,); infinity where it is not."""
    condemned = np.cumsum(values > limit, axis=1) >= rule.failures
    return np.where(condemned.any(axis=1), rule.looks[condemned.argmax(axis=1)], np.inf)
