r"""Overdispersion: how much wilder bad requests vary than independent ones would, measured on stable alone.

Claim
    Bad requests come in bursts (a slow database, a batch of one user's), and pods differ. The comparison takes them as
    independent; its exponent is divided by the variance's inflation phi. Stable against itself has ratio 1 whatever
    happens, so any excess variance there is phi, not a difference between versions.

Hypotheses
    H0 ``phi <= 1`` (binomial), H1 ``phi > 1``.

Method
    Over the last ten minutes in blocks of 60 s. Within a block of K bad requests, each part p of stable (a pod; or half
    of the pods) expects ``e_p = K * n_p * f_p / sum(n * f)`` of them, f_p being its own factor in all blocks. Pearson's
    statistic, the sum of ``(x_p - e_p)^2 / e_p``, has ``(blocks - 1) * (parts - 1)`` degrees of freedom; phi is the
    statistic divided by them. Twice: for pods against each other, the sharper estimate, and for the pods split in two
    halves, which also sees what several pods share; the halves count where they are clearly higher.

    Slow noise makes a pod's bad minutes follow each other. Where its residuals are correlated from block to block, phi
    is raised to what it is in the long run.

    The pods' own factors are another matter: they do not average out, and one canary pod has one, too. Their standard
    deviation is estimated as DerSimonian and Laird do, from everything counted so far, where the pods' sums refuse at
    1 % that they are alike. Then the candidate is only held against what a new pod of the same version would hardly
    ever show: Student's prediction bound, passed with half of alpha; the evidence has the other half.

    A point estimate of a noisy ratio is too low half of the time, so the upper 95 % bound is used as soon as the data
    refuse phi = 1 at 5 %. Until then phi is 1: always taking the bound would slow a well-behaved service for nothing.

Guarantee
    None that is exact, as all of this is estimated. `make bench NAME=statistics` simulates how far it holds with the
    candidate exactly at the tolerated ratio (docs/analysis.md has the table). What it cannot see is noise of all of
    stable at once that the candidate does not share, or of the candidate alone: no split of stable shows it. The first
    is told to who reads the report (`wanders`).

Source
    Pearson (1900); McCullagh and Nelder, "Generalized Linear Models" (1989), 4.5.2, for phi; DerSimonian and Laird
    (1986) for the variance between pods; Wilson and Hilferty (1931) for the quantile of chi-square, within 1 % from 3
    degrees of freedom on; Cornish and Fisher (1938) for Student's.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
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
_Z_BOUND: Final = -1.6449
"""Normal quantile of 0.05: the upper bound of 95 %."""
_Z_SPREAD: Final = 2.3263
"""Normal quantile of 0.99: that pods are alike is refused at 1 %."""
_FEWEST_BLOCKS: Final = 5
"""Blocks below which nothing is said about how they follow each other."""
_MOST_FOLLOWING: Final = 0.8
"""Largest correlation from block to block that is reckoned with: nine times the variance in the long run."""
SPREAD_CHANCE: Final = 0.005
"""Of a healthy candidate's pods to differ by more than the allowance: half of the default alpha."""
_MOST: Final = 3.0
"""Largest logarithm of an allowance: what is twenty times as bad is no difference between pods."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How much pods of one version differ for good, shape (rows,)."""

    sd: FloatArray
    """Standard deviation of the pods' own factors, in logarithms; 0 where no difference is proven."""
    degrees: FloatArray
    """Pods that were measured, less one."""


@dataclass(frozen=True, slots=True)
class Dispersion:
    """phi of each row, shape (rows,)."""

    estimate: FloatArray
    """Point estimate; NaN where too little was measured."""
    used: FloatArray
    """What the divisor takes: at least 1; the upper bound where phi = 1 is refused; NaN where nothing was measured."""
    lowest: FloatArray
    """Lower 95 % bound."""


def pearson(bad: ArrayLike, total: ArrayLike, *, own: bool = False) -> Dispersion:
    """Estimate phi from parts that are alike.

    Parameters
    ----------
    bad, total
        Shape (rows, blocks, parts), float64, requests. A part that was not there in a block has a total of 0.
    own
        Whether each part has a factor of its own, the same in all blocks, which is then no dispersion but `spread`.

    >>> even = pearson([[[10, 10], [10, 10]]], [[[1000, 1000], [1000, 1000]]])
    >>> float(even.estimate[0]), float(even.used[0])
    (0.0, 1.0)
    """
    x = np.asarray(bad, dtype=np.float64)
    expected = expectation(x, np.asarray(total, dtype=np.float64))
    lost = 0.0
    if own:
        parts = expected.sum(axis=-2)
        factor = np.where(parts > 0, x.sum(axis=-2) / np.where(parts > 0, parts, 1.0), 1.0)
        expected = expectation(x, expected * factor[..., np.newaxis, :])
        lost = np.maximum((parts > 0).sum(axis=-1) - 1, 0).astype(np.float64)
    seen = expected > 0
    statistic = np.where(seen, (x - expected) ** 2 / np.where(seen, expected, 1.0), 0.0).sum(axis=(-1, -2))
    degrees = np.maximum(seen.sum(axis=-1) - 1, 0).sum(axis=-1).astype(np.float64) - lost
    enough = (degrees > 0) & (x.sum(axis=(-1, -2)) >= FEWEST_BAD)
    df = np.where(enough, degrees, 1.0)
    estimate = np.where(enough, statistic / df, np.nan)
    refused = estimate > chi_square_quantile(df, _Z_REFUSE) / df
    upper = estimate * df / chi_square_quantile(df, _Z_BOUND)
    used = np.where(enough, np.where(refused, np.maximum(upper, 1.0), 1.0), np.nan)
    return Dispersion(estimate, used, estimate * df / chi_square_quantile(df, _Z_REFUSE))


def expectation(bad: FloatArray, total: FloatArray) -> FloatArray:
    """What each part would have of its block's bad requests, were all alike: shape of `bad`, (..., blocks, parts)."""
    exposure = total.sum(axis=-1)
    share = total / np.where(exposure > 0, exposure, 1.0)[..., np.newaxis]
    return np.asarray(share * bad.sum(axis=-1)[..., np.newaxis])


def spread(bad: ArrayLike, expected: ArrayLike, phi: ArrayLike) -> Spread:
    """Estimate how much pods differ for good, from what each counted in all blocks together.

    Parameters
    ----------
    bad, expected
        Shape (rows, parts): bad requests of each pod, and their `expectation`, summed over the blocks.
    phi
        Dispersion within pods, shape (rows,); NaN and less than 1 are taken as 1.
    """
    x, e = np.asarray(bad, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    within = np.fmax(1.0, np.asarray(phi, dtype=np.float64))
    seen = e > 0
    statistic = np.where(seen, (x - e) ** 2 / np.where(seen, e, 1.0), 0.0).sum(axis=-1) / within
    degrees = np.maximum(seen.sum(axis=-1) - 1.0, 0.0)
    df = np.where(degrees > 0, degrees, 1.0)
    refused = (degrees > 0) & (x.sum(axis=-1) >= FEWEST_BAD) & (statistic > chi_square_quantile(df, _Z_SPREAD))
    total = e.sum(axis=-1)
    scale = total - (e**2).sum(axis=-1) / np.where(total > 0, total, 1.0)
    variance = within * (statistic - df) / np.where(scale > 0, scale, 1.0)
    return Spread(np.where(refused, np.sqrt(np.maximum(variance, 0.0)), 0.0), degrees)


def allowance(found: Spread, candidates: ArrayLike = 1.0, chance: float = SPREAD_CHANCE) -> FloatArray:
    """By how much the candidate's pods may differ from stable's without being of a worse version: shape (rows,).

    The upper bound, passed with the given chance, of the factor of the mean of `candidates` new pods over that of the
    measured ones: Student's prediction interval for logarithms. 1 where no difference is proven.
    """
    df = np.maximum(found.degrees, 1.0)
    pods = np.maximum(np.asarray(candidates, dtype=np.float64), 1.0)
    away = _student_quantile(df, NormalDist().inv_cdf(1.0 - chance))
    return np.asarray(np.exp(np.minimum(found.sd * away * np.sqrt(1.0 / pods + 1.0 / (df + 1.0)), _MOST)))


def of_stable(bad: ArrayLike, total: ArrayLike) -> Dispersion:
    """Estimate phi pod against pod and half against half, and keep the halves' where they are clearly higher.

    Where a pod's bad minutes follow each other, phi is that of long times: what it would be in blocks so long that
    they do not.

    Parameters
    ----------
    bad, total
        Shape (rows, blocks, pods), in the order of time. Pods are split by their position, even against odd: give them
        in a stable order.
    """
    x = np.asarray(bad, dtype=np.float64)
    n = np.asarray(total, dtype=np.float64)
    pods = pearson(x, n, own=True)
    halves = pearson(
        np.stack([x[..., ::2].sum(axis=-1), x[..., 1::2].sum(axis=-1)], axis=-1),
        np.stack([n[..., ::2].sum(axis=-1), n[..., 1::2].sum(axis=-1)], axis=-1),
        own=True,
    )
    # NaN compares as false: halves that say nothing are left out.
    by_halves = halves.lowest > np.nan_to_num(pods.used, nan=0.0)
    longer = _lengthening(x, n, pods)
    return Dispersion(
        np.where(by_halves, halves.estimate, pods.estimate),
        np.where(by_halves, halves.used, pods.used) * longer,
        np.where(by_halves, halves.lowest, pods.lowest),
    )


def _lengthening(bad: FloatArray, total: FloatArray, pods: Dispersion) -> FloatArray:
    """By how much phi grows from blocks to long times: shape (rows,), 1 where blocks do not follow each other.

    With a correlation of rho from block to block of what is not chance, ``phi - 1`` of phi, the sum over many blocks
    has the variance ``phi + 2 (phi - 1) rho / (1 - rho)`` of one (a first-order autoregression's).
    """
    blocks, parts = bad.shape[-2:]
    if blocks < _FEWEST_BLOCKS or parts < 2:
        return np.ones(bad.shape[:-2])
    residual = _residuals(bad, total)
    square = (residual**2).sum(axis=(-1, -2))
    follows = (residual[..., 1:, :] * residual[..., :-1, :]).sum(axis=(-1, -2))
    found = follows / np.where(square > 0, square, 1.0) * blocks / (blocks - 1)
    # Taking out each pod's mean makes neighbours look opposed, by one over their number.
    found = found + 1.0 / blocks
    proven = (found > _Z_REFUSE / np.sqrt((blocks - 1) * (parts - 1))) & (pods.used > 1.0)
    phi = np.where(proven, pods.used, 2.0)
    rho = np.clip(found * phi / (phi - 1), 0.0, _MOST_FOLLOWING)
    return np.where(proven, 1.0 + 2.0 * (phi - 1) / phi * rho / (1 - rho), 1.0)


def _residuals(bad: FloatArray, total: FloatArray) -> FloatArray:
    """Each part's bad requests less what is expected of it and its own factor, in standard deviations."""
    expected = expectation(bad, total)
    parts = expected.sum(axis=-2)
    factor = np.where(parts > 0, bad.sum(axis=-2) / np.where(parts > 0, parts, 1.0), 1.0)
    expected = expectation(bad, expected * factor[..., np.newaxis, :])
    return np.asarray((bad - expected) / np.sqrt(np.where(expected > 0, expected, np.inf)))


def wanders(bad: ArrayLike, total: ArrayLike, pods: Dispersion) -> NDArray[np.bool_]:
    """Whether stable's bad share changes from block to block as a whole, more than its pods' own bursts explain.

    Where the candidate changes with it, as in an incident of both, the comparison does not see it. Where it does not,
    no split of stable tells how much to allow for: that is to be said, not reckoned with.

    Parameters
    ----------
    bad, total
        Shape (rows, blocks, pods).
    pods
        What `of_stable` says of the same.

    Returns
    -------
    Shape (rows,): refused at 1 % that time adds nothing.
    """
    k = np.asarray(bad, dtype=np.float64).sum(axis=-1)
    n = np.asarray(total, dtype=np.float64).sum(axis=-1)
    # Blocks are the parts here, and all the time is one block.
    expected = expectation(k, n)
    seen = expected > 0
    degrees = np.maximum(seen.sum(axis=-1) - 1.0, 1.0)
    statistic = np.where(seen, (k - expected) ** 2 / np.where(seen, expected, 1.0), 0.0).sum(axis=-1)
    refused = statistic / np.fmax(1.0, pods.used) > chi_square_quantile(degrees, _Z_SPREAD)
    return np.asarray(refused & (seen.sum(axis=-1) >= _FEWEST_BLOCKS) & (k.sum(axis=-1) >= FEWEST_BAD))


def follows(
    candidate: tuple[ArrayLike, ArrayLike], stable: tuple[ArrayLike, ArrayLike], pods: Dispersion
) -> NDArray[np.bool_]:
    """Whether the candidate was seen to change with stable: in enough blocks, with no more between them than chance.

    Parameters
    ----------
    candidate, stable
        Bad requests and all of them, shape (rows, blocks) each.
    pods
        What `of_stable` says of stable.
    """
    bad = np.stack([np.asarray(candidate[0], dtype=np.float64), np.asarray(stable[0], dtype=np.float64)], axis=-1)
    total = np.stack([np.asarray(candidate[1], dtype=np.float64), np.asarray(stable[1], dtype=np.float64)], axis=-1)
    # Each track's own factor is the ratio in question; what is left is how they change.
    found = pearson(bad, total, own=True)
    enough = (bad.shape[-2] >= _FEWEST_BLOCKS) & (bad[..., 0].sum(axis=-1) >= FEWEST_BAD)
    return np.asarray(enough & ~(found.lowest > np.fmax(1.0, pods.used)) & ~np.isnan(found.estimate))


def chi_square_quantile(degrees: FloatArray, z: float) -> FloatArray:
    """Wilson and Hilferty's approximation, `z` being the normal quantile of the same probability."""
    spread = 2.0 / (9.0 * degrees)
    return np.asarray(degrees * np.maximum(1.0 - spread + z * np.sqrt(spread), 1e-3) ** 3)


def _student_quantile(degrees: FloatArray, z: float) -> FloatArray:
    """Cornish and Fisher's expansion about the normal quantile `z`, within 1 % from 4 degrees of freedom on."""
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return np.asarray(z + first / degrees + second / degrees**2 + third / degrees**3)
