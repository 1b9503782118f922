r"""The sequential comparison of two values' series: saturation, memory, queue lengths, sampled at the same instants.

Claim
    At instant t the candidate's value is c_t and stable's s_t. With the tolerated ratio r0, ``y_t = c_t - r0 * s_t`` is
    above 0 on average if the candidate's mean is above r0 times stable's, whatever both have in common.

Hypotheses
    H0 ``E[y] <= 0``, H1 ``E[y] > 0``. For the candidate the mirror, with ``-y``. A decrease is the same with the tracks
    changed round.

Evidence
    Values follow each other: memory now is about memory ten seconds ago. So y is averaged over batches of a minute, and
    the batches' means Y_1..Y_m are tested by a mixture of one-sided t tests over effect sizes delta_j (mean over
    standard deviation, log-spaced over [0.05, 20], equal weights)::

        E = mean_j  p(T | delta_j) / p(T | 0),   T = (Y_1, .., Y_m) up to its scale

    which needs no estimate of the variance: the scale is integrated out, numerically, under the right Haar measure.
    What correlation is left between batches weakens it, as overdispersion does for counts: log E is divided by
    ``d = 1.25 * max(1, VIF)``, VIF being the inflation of the variance of a sum of batches' means by an AR(1) noise,
    whose coefficient is estimated on all samples, corrected for its bias, and taken one standard error higher.

Guarantee
    For independent Gaussian batches with d = 1 E is an e-process: P(E ever reaches 1/alpha) <= alpha at every look and
    any variance. Otherwise it is approximate: means of batches are near to Gaussian by the central limit theorem, and
    AR(1) is a model. Simulated with the candidate exactly at the tolerated ratio, AR(1) noise of 20 % on both tracks,
    an hour of looks, alpha 1 %, 400 runs: coefficient 0: 0 %, .5: 0 %, .9: 0.3 % false alarms; twice the value with
    noise of 3 % is found after 4, 5 and 13 minutes (medians). A trend that only one version has (a cache that fills)
    is a difference, and is found as one. Heavy tails slow it; a drift that is slower than the release is not noise to
    it: compare what settles within minutes.

Shapes
    Pairs are of shape (n, 2): the candidate's value and stable's, in the order of time.

Source
    Lai (1976) and Wang and Ramdas (2024), "Anytime-valid t-tests and confidence sequences for Gaussian means with
    unknown variance", for the test; Perez-Ortiz, Lardy, de Heide and Grünwald (2024) for the right Haar prior;
    Alexopoulos and Seila (1996) for batch means; Marriott and Pope (1954) for the bias of an autocorrelation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from canary.analysis.compare import MIN_DIVISOR

FloatArray = NDArray[np.float64]

BATCH_SECONDS: Final = 60.0
"""What is averaged. Arbitrary: several scrapes, and a step of five minutes has five."""
FEWEST_BATCHES: Final = 3
"""Before which nothing is said: of two, the spread is unknown."""
MOST_PAIRS: Final = 4320
"""Kept at most: twelve hours at 10 s. Arbitrary; older ones are forgotten then."""
EFFECTS: Final = np.geomspace(0.05, 20.0, 24)
_HIGHEST: Final = 0.97
"""Of the AR(1) coefficient: more cannot be told from a trend within a release."""
_NODES: Final = np.linspace(-8.0, 8.0, 65)


@dataclass(frozen=True, slots=True)
class ValueState:
    """The values of both tracks so far."""

    pairs: FloatArray = field(default_factory=lambda: np.zeros((0, 2)))
    """Shape (n, 2)."""

    def add(self, pairs: FloatArray) -> ValueState:
        """Take in more, in the order of time."""
        return ValueState(np.concatenate([self.pairs, pairs])[-MOST_PAIRS:]) if len(pairs) else self

    @property
    def means(self) -> tuple[float, float]:
        """The candidate's and stable's; NaN without values."""
        if not len(self.pairs):
            return math.nan, math.nan
        candidate, stable = self.pairs.mean(axis=0)
        return float(candidate), float(stable)

    def batches(self, interval_seconds: float) -> int:
        """How many batches are full."""
        return len(self.pairs) // batch_length(interval_seconds)


def batch_length(interval_seconds: float) -> int:
    """Values in a batch."""
    return max(1, round(BATCH_SECONDS / interval_seconds))


def evidence(state: ValueState, tolerated_ratio: float, interval_seconds: float) -> tuple[float, float]:
    """log10 of E that the candidate's mean is above r0 times stable's, and that it is below."""
    length = batch_length(interval_seconds)
    full = len(state.pairs) // length
    if full < FEWEST_BATCHES:
        return 0.0, 0.0
    pairs = state.pairs[: full * length]
    y = pairs[:, 0] - tolerated_ratio * pairs[:, 1]
    means = y.reshape(full, length).mean(axis=1)
    squares = float((means * means).sum())
    if squares <= 0.0:
        return 0.0, 0.0  # at the tolerated ratio throughout, or both at nothing
    d = MIN_DIVISOR * max(1.0, inflation(autocorrelation(y), length))
    tau = float(means.sum()) / math.sqrt(squares)
    found = one_sided_t(np.array([tau, -tau]), full) / d / math.log(10)
    return float(found[0]), float(found[1])


def one_sided_t(tau: FloatArray, count: int) -> FloatArray:
    """Natural logarithm of E for ``tau = sum(Y) / sqrt(sum(Y**2))``, shape (n,), of `count` >= 2 batches.

    With u the inverse of the standard deviation in units of ``1 / sqrt(sum(Y**2))``, the likelihood of an effect delta
    is the integral of ``u**(count-1) * exp(-u**2/2 + delta*tau*u - count*delta**2/2)`` over u, up to a constant.
    """
    slope = tau[:, np.newaxis] * EFFECTS
    ratios = _integral(slope, count) - _integral(np.zeros((1, 1)), count) - count * EFFECTS**2 / 2
    top = ratios.max(axis=1, keepdims=True)
    return np.asarray(top[:, 0] + np.log(np.exp(ratios - top).mean(axis=1)))


def autocorrelation(y: FloatArray) -> float:
    """The AR(1) coefficient of a series, shape (n,): corrected for its bias, and one standard error higher."""
    count = len(y)
    centred = y - y.mean()
    spread = float((centred * centred).sum())
    if count < 3 or spread <= 0:
        return 0.0
    first = float((centred[1:] * centred[:-1]).sum()) / spread
    first += (1 + 3 * first) / count
    return min(_HIGHEST, max(0.0, first + math.sqrt(max(1 - first * first, 0.02) / count)))


def inflation(coefficient: float, length: int) -> float:
    """How many times larger the variance of a sum of batches' means is than if the batches were independent.

    >>> inflation(0.0, 6), round(inflation(0.9, 6), 1)
    (1.0, 3.9)
    """
    phi = coefficient
    return 1.0 / (1.0 - 2.0 * phi * (1.0 - phi**length) / (length * (1.0 - phi * phi)))


def _integral(slope: FloatArray, count: int) -> FloatArray:
    """Logarithm of the integral of u**(count-1) * exp(-u**2/2 + slope*u) over u > 0, around its peak."""
    power = count - 1
    peak = (slope + np.sqrt(slope * slope + 4.0 * power)) / 2.0
    u = peak[..., np.newaxis] + _NODES  # the integrand is at most as wide as a Gaussian of standard deviation 1
    inside = u > 1e-9
    log_u = np.log(np.where(inside, u, 1.0))
    exponents = np.where(inside, power * log_u - u * u / 2 + slope[..., np.newaxis] * u, -np.inf)
    top = exponents.max(axis=-1)
    return np.asarray(top + np.log(np.exp(exponents - top[..., np.newaxis]).sum(axis=-1)))
