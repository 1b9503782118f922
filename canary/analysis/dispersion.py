r"""Overdispersion: how much wilder bad requests vary than independent ones would, measured on stable alone.

Claim
    Bad requests come in bursts (a slow database, a batch of one user's), and pods differ. The comparison takes them as
    independent; its exponent is divided by the variance's inflation phi. Stable against itself has ratio 1 whatever
    happens, so any excess variance there is phi, not a difference between versions.

Hypotheses
    H0 ``phi <= 1`` (binomial), H1 ``phi > 1``.

Method
    Over the last ten minutes in blocks of 60 s. Within a block of K bad requests, each part p of stable (a pod; or half
    of the pods) expects ``e_p = K * n_p / N`` of them. Pearson's statistic, the sum of ``(x_p - e_p)^2 / e_p``, has
    ``parts - 1`` degrees of freedom a block; phi is its sum over the blocks divided by the degrees of freedom. Twice:
    for pods against each other, the sharper estimate, and for the pods split in two halves, which also sees what
    several pods share; the halves count where they are clearly higher. Blocks of 10 s miss slow noise: AR(1) noise of
    .9 gave 13.9 % false alarms, blocks of 60 s 0.7 %.

    A point estimate of a noisy ratio is too low half of the time, so the upper 90 % bound is used as soon as the data
    refuse phi = 1 at 5 %. Until then phi is 1: always taking the bound would slow a well-behaved service for nothing.

Guarantee
    None that is exact, as phi is estimated. Simulated at the tolerated ratio (alpha 1 %, 100 requests/s, an hour of
    looks): ten stable pods 0-0.6 % false alarms for phi of 1, 2, 5 and 10; two pods 0.2, 3.4, 3.8 and 2.0 %. Noise of
    the candidate alone, or of all of stable at once but not of the candidate, is not seen. The divisor's floor of 1.25
    and the tolerated ratio are the margin.

Source
    Pearson (1900); McCullagh and Nelder, "Generalized Linear Models" (1989), 4.5.2, for phi; Wilson and Hilferty (1931)
    for the quantile of chi-square, within 1 % from 3 degrees of freedom on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

BLOCK_SECONDS: Final = 60.0
WINDOW_SECONDS: Final = 600.0
FEWEST_BAD: Final = 20.0
"""Bad requests in the window below which nothing is concluded. Arbitrary: the error of phi is then above 30 %."""
_Z_REFUSE: Final = 1.6449
"""Normal quantile of 0.95: phi = 1 is refused at 5 %."""
_Z_BOUND: Final = -1.2816
"""Normal quantile of 0.10: the upper bound of 90 %."""


@dataclass(frozen=True, slots=True)
class Dispersion:
    """phi of each row, shape (rows,)."""

    estimate: FloatArray
    """Point estimate; NaN where too little was measured."""
    used: FloatArray
    """What the divisor takes: at least 1; the upper bound where phi = 1 is refused; NaN where nothing was measured."""
    lowest: FloatArray
    """Lower 95 % bound."""


def pearson(bad: ArrayLike, total: ArrayLike) -> Dispersion:
    """Estimate phi from parts that are alike.

    Parameters
    ----------
    bad, total
        Shape (rows, blocks, parts), float64, requests. A part that was not there in a block has a total of 0.

    >>> even = pearson([[[10, 10], [10, 10]]], [[[1000, 1000], [1000, 1000]]])
    >>> float(even.estimate[0]), float(even.used[0])
    (0.0, 1.0)
    """
    x = np.asarray(bad, dtype=np.float64)
    n = np.asarray(total, dtype=np.float64)
    k = x.sum(axis=-1)
    exposure = n.sum(axis=-1)
    share = n / np.where(exposure > 0, exposure, 1.0)[..., np.newaxis]
    expected = share * k[..., np.newaxis]
    seen = expected > 0
    statistic = np.where(seen, (x - expected) ** 2 / np.where(seen, expected, 1.0), 0.0).sum(axis=(-1, -2))
    degrees = np.maximum(seen.sum(axis=-1) - 1, 0).sum(axis=-1).astype(np.float64)
    enough = (degrees > 0) & (k.sum(axis=-1) >= FEWEST_BAD)
    df = np.where(enough, degrees, 1.0)
    estimate = np.where(enough, statistic / df, np.nan)
    refused = estimate > _chi_square_quantile(df, _Z_REFUSE) / df
    upper = estimate * df / _chi_square_quantile(df, _Z_BOUND)
    used = np.where(enough, np.where(refused, np.maximum(upper, 1.0), 1.0), np.nan)
    return Dispersion(estimate, used, estimate * df / _chi_square_quantile(df, _Z_REFUSE))


def of_stable(bad: ArrayLike, total: ArrayLike) -> Dispersion:
    """Estimate phi pod against pod and half against half, and keep the halves' where they are clearly higher.

    Parameters
    ----------
    bad, total
        Shape (rows, blocks, pods). Pods are split by their position, even against odd: give them in a stable order.
    """
    x = np.asarray(bad, dtype=np.float64)
    n = np.asarray(total, dtype=np.float64)
    pods = pearson(x, n)
    halves = pearson(
        np.stack([x[..., ::2].sum(axis=-1), x[..., 1::2].sum(axis=-1)], axis=-1),
        np.stack([n[..., ::2].sum(axis=-1), n[..., 1::2].sum(axis=-1)], axis=-1),
    )
    # NaN compares as false: halves that say nothing are left out.
    by_halves = halves.lowest > np.nan_to_num(pods.used, nan=0.0)
    return Dispersion(
        np.where(by_halves, halves.estimate, pods.estimate),
        np.where(by_halves, halves.used, pods.used),
        np.where(by_halves, halves.lowest, pods.lowest),
    )


def _chi_square_quantile(degrees: FloatArray, z: float) -> FloatArray:
    """Wilson and Hilferty's approximation, `z` being the normal quantile of the same probability."""
    spread = 2.0 / (9.0 * degrees)
    return np.asarray(degrees * np.maximum(1.0 - spread + z * np.sqrt(spread), 1e-3) ** 3)
