r"""The sequential comparison of two tracks' counters: evidence that may be looked at on every tick.

Claim
    Requests of both tracks are counted between the same two instants. Given that K of them were bad, each bad one came
    from the candidate with probability ``theta(r) = r*pi / (1 - pi + r*pi)``, where pi is the candidate's share of the
    requests and r the ratio of the two tracks' bad shares. Whatever hits both tracks alike drops out: an incident
    changes K, not theta.

Hypotheses
    Against the candidate: H0 ``r <= r0`` (tolerated), H1 ``r > r0``. For it: H0 ``r >= r0``, H1 ``r < r0``.

Evidence
    For ratios r_j, log-spaced, of equal weights w_j (a mixture, as no single alternative is known):

        log E = logsumexp_j( log w_j + (1/d) * sum_i [ x_c*log(r_j/r0) - K*log((1-pi+r_j*pi) / (1-pi+r0*pi)) ] )

    The sum runs over intervals i, each with its own pi. Intervals are never pooled: pooling across a change of the
    weight gave 99.6 % false alarms in an incident that hit both tracks.

Guarantee
    With d = 1 and bad requests that fall independently given K, E is a test supermartingale under H0: the chance that
    it *ever* reaches 1/alpha is at most alpha (Ville), however often one looks, and stopping early is free. At r < r0
    it holds too, as theta grows with r and each factor grows with x_c. Overdispersion breaks it (bad requests in
    bursts); dividing the exponent by d >= the variance's inflation mends it approximately
    (`canary.analysis.dispersion`). Dividing by any d >= 1 never breaks it: the power of a supermartingale is one
    (Jensen).

    Pods that differ for good break it, too, as the candidate has few: where stable's pods do, r0 is moved by what a new
    pod would hardly ever exceed, and the evidence is halved (`evidence`'s allowance).

Warm-up
    Requests of a candidate's pod in its first seconds are compared with r0 = 10 only, in a process of their own; the
    two are averaged (an average of e-processes is one), 9 parts to 1, which costs the main one 0.05 in log10.

Limit
    Evidence accumulates from the start, so a candidate that goes bad late has a credit to use up first. At 100
    requests/s, 5 %, base 1 %, a fivefold share is found after 70 s at the start, after 230 s when 5 healthy minutes
    came before, 320 s after 10 and 640 s after 30 (medians). A mixture over starting times would shorten the late ones
    for about 2 more in log10 at every time.

Shapes
    Rows are (release, metric) pairs. Counts are float64 of shape (rows,); the state is (rows, J). A tick costs
    O(rows * J), whatever came before.

Numerics
    Log space throughout. An interval without requests on one side adds exactly 0. Fractions of requests are allowed
    (counters are read between scrapes by interpolation). NaN, infinities and negative counts are refused.

Source
    Wald (1945) for the likelihood ratio; Robbins (1970) and Ville (1939) for mixtures and "ever"; Ramdas, Grünwald,
    Vovk and Shafer (2023), "Game-theoretic statistics and safe anytime-valid inference", for averages of e-processes.
    Conditioning on K: Przyborowski and Wilenski (1940).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from canary.errors import SpecInvalid

FloatArray = NDArray[np.float64]

TOLERATED_RATIO: Final = 1.5
"""Default r0. With 1 and one canary pod, ordinary differences between pods gave 14-30 % false alarms; with 1.5, 0-4."""
WARM_UP_RATIO: Final = 10.0
"""r0 for a candidate's requests while it warms up: only a disaster counts."""
WARM_UP_SECONDS: Final = 30.0
"""After a candidate's pod is ready. A canary with three times the errors in its first 30 s was otherwise rolled back in
95 % of runs at 1,000 requests/s."""
WARM_UP_SHARE: Final = 0.1
"""Weight of the warm-up's process in the average."""
MIN_DIVISOR: Final = 1.25
"""d is never below: the margin for what the split of stable cannot see."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """Alternatives, as multiples of the tolerated ratio, and their weights."""

    multiples: FloatArray
    """Shape (J,), r_j / r0, positive."""
    log_weights: FloatArray
    """Shape (J,), natural logarithms; the weights add up to 1."""

    @classmethod
    def spaced(cls, low: float, high: float, size: int = 48) -> Self:
        """Log-spaced multiples with equal weights."""
        return cls(np.geomspace(low, high, size), np.full(size, -np.log(size)))


WORSE: Final = Mixture.spaced(1.05, 50.0)
BETTER: Final = Mixture.spaced(1 / 50.0, 1 / 1.05)


@dataclass(frozen=True, slots=True)
class Interval:
    """What both tracks did between the same two instants; every field of shape (rows,), in requests.

    The candidate's requests of pods that warm up are in the `cold_` fields only, the others in `candidate_` only.
    """

    candidate_bad: FloatArray
    candidate_total: FloatArray
    stable_bad: FloatArray
    stable_total: FloatArray
    cold_bad: FloatArray
    cold_total: FloatArray

    @classmethod
    def of(
        cls,
        candidate_bad: ArrayLike,
        candidate_total: ArrayLike,
        stable_bad: ArrayLike,
        stable_total: ArrayLike,
        cold_bad: ArrayLike = 0.0,
        cold_total: ArrayLike = 0.0,
    ) -> Self:
        """Check and broadcast counts to one shape (rows,).

        Bad requests above the total are cut to it: two counters of one request may be scraped on both sides of it.

        Raises
        ------
        ValueError
            For NaN, infinite or negative counts. A caller has to tell missing from zero before.
        """
        arrays = np.broadcast_arrays(
            *(
                np.atleast_1d(np.asarray(a, dtype=np.float64))
                for a in (candidate_bad, candidate_total, stable_bad, stable_total, cold_bad, cold_total)
            )
        )
        for array in arrays:
            if not (np.isfinite(array).all() and (array >= 0).all()):
                raise ValueError("counts must be finite and not negative")
        c_bad, c_total, s_bad, s_total, w_bad, w_total = arrays
        return cls(
            np.minimum(c_bad, c_total),
            c_total,
            np.minimum(s_bad, s_total),
            s_total,
            np.minimum(w_bad, w_total),
            w_total,
        )


@dataclass(frozen=True, slots=True)
class CompareState:
    """The sums in the exponents before they are divided by d: shape (rows, J) each.

    Undivided, because d is estimated anew all the time and applies to the whole sum.
    """

    against: FloatArray
    cold: FloatArray
    favour: FloatArray

    @classmethod
    def fresh(cls, rows: int, worse: Mixture = WORSE, better: Mixture = BETTER) -> Self:
        """Nothing seen: E = 1 everywhere."""
        j, k = len(worse.multiples), len(better.multiples)
        return cls(np.zeros((rows, j)), np.zeros((rows, j)), np.zeros((rows, k)))


@dataclass(frozen=True, slots=True)
class Evidence:
    """log10 of E, shape (rows,) each."""

    against: FloatArray
    """That the candidate is worse than r0 times stable."""
    favour: FloatArray
    """That it is not."""


def divisor(phi: ArrayLike) -> FloatArray:
    """The exponent's d for a dispersion phi (variance over the binomial's; NaN: not measured, taken as 1)."""
    return MIN_DIVISOR * np.fmax(1.0, np.asarray(phi, dtype=np.float64))


def advance(
    state: CompareState, interval: Interval, r0: ArrayLike, *, worse: Mixture = WORSE, better: Mixture = BETTER
) -> CompareState:
    """Add one interval.

    Parameters
    ----------
    state
        Of shape (rows, J).
    interval
        Of shape (rows,). The order of intervals does not matter.
    r0
        Tolerated ratio, shape (rows,) or a scalar, above 0. It has to stay the same for the whole of a state.

    Raises
    ------
    SpecInvalid
        For a ratio that is not positive and finite.
    """
    tolerated = np.asarray(r0, dtype=np.float64)
    if not (np.isfinite(tolerated).all() and (tolerated > 0).all()):
        raise SpecInvalid(f"the tolerated ratio must be a positive number, not {tolerated.tolist()}")
    # The requests of stable are compared twice, with the warm candidates and with the cold ones: the two processes are
    # averaged, not multiplied, so they need not be independent.
    step = _exponents(
        interval.candidate_bad, interval.candidate_total, interval.stable_bad, interval.stable_total, tolerated, worse
    )
    mirror = _exponents(
        interval.candidate_bad, interval.candidate_total, interval.stable_bad, interval.stable_total, tolerated, better
    )
    cold = state.cold
    if interval.cold_total.any():
        ratio = np.maximum(WARM_UP_RATIO, tolerated)
        cold = cold + _exponents(
            interval.cold_bad, interval.cold_total, interval.stable_bad, interval.stable_total, ratio, worse
        )
    return CompareState(state.against + step, cold, state.favour + mirror)


def evidence(
    state: CompareState,
    d: ArrayLike,
    *,
    allowance: ArrayLike = 1.0,
    worse: Mixture = WORSE,
    better: Mixture = BETTER,
) -> Evidence:
    """Read the evidence.

    Parameters
    ----------
    d
        At least 1, shape (rows,) or a scalar.
    allowance
        By how much pods of one version differ, as a factor on r0, at least 1, shape (rows,) or a scalar
        (`canary.analysis.dispersion`). Above 1 the evidence is against r0 times the next greater multiple of the
        mixture, and is halved: one half of alpha is for pods that differ by more than the allowance.

    Ten bad requests, all the candidate's, at equal shares: with uniform weights over theta the Bayes factor against
    theta = 1/2 is 1024/11 (a test holds this); the mixture in use spreads its weights over ratios instead.

    >>> state = advance(CompareState.fresh(1), Interval.of(10, 1000, 0, 1000), r0=1.0)
    >>> round(float(evidence(state, d=1.0).against[0]), 2)
    2.48
    """
    divide = np.asarray(d, dtype=np.float64)[..., np.newaxis]
    main = _beyond(state.against / divide, np.asarray(allowance, dtype=np.float64), worse)
    cold = _logsumexp(worse.log_weights + state.cold / divide) if state.cold.any() else np.zeros_like(main)
    against = np.logaddexp(np.log(1 - WARM_UP_SHARE) + main, np.log(WARM_UP_SHARE) + cold)
    favour = _logsumexp(better.log_weights + state.favour / divide)
    return Evidence(against / np.log(10), favour / np.log(10))


def _exponents(
    bad: FloatArray, total: FloatArray, other_bad: FloatArray, other_total: FloatArray, r0: FloatArray, mixture: Mixture
) -> FloatArray:
    """The bracket of the formula for one interval: shape (rows, J)."""
    both = total + other_total
    # pi of 0 or 1 gives a bracket of exactly 0, which is what a side without requests has to say.
    one_sided = (total <= 0) | (other_total <= 0)
    pi = np.where(one_sided, 0.0, total / np.where(both > 0, both, 1.0))
    x = np.where(one_sided, 0.0, bad)
    k = np.where(one_sided, 0.0, bad + other_bad)
    # (1-pi+r_j*pi) / (1-pi+r0*pi) = 1 + (r_j-r0)*pi / (1-pi+r0*pi): log1p keeps the small shares exact.
    share = (pi * r0 / (1 - pi + r0 * pi))[:, np.newaxis]
    return np.asarray(
        x[:, np.newaxis] * np.log(mixture.multiples) - k[:, np.newaxis] * np.log1p((mixture.multiples - 1.0) * share)
    )


def _beyond(exponents: FloatArray, allowance: FloatArray, mixture: Mixture) -> FloatArray:
    """The mixture's logarithm against r0 times the allowance: shape (rows,).

    The ratio of two likelihoods over r0's is their own: with r0 moved to a multiple that is in the mixture, the same
    sums serve, and nothing has to be counted again.
    """
    plain = _logsumexp(mixture.log_weights + exponents)
    widened = np.broadcast_to(allowance > 1.0, plain.shape)
    if not widened.any():
        return plain
    last = len(mixture.multiples) - 2
    index = np.minimum(np.searchsorted(mixture.multiples, np.broadcast_to(allowance, plain.shape)), last)
    moved = exponents - np.take_along_axis(exponents, index[:, np.newaxis], axis=-1)
    above = np.arange(len(mixture.multiples)) > index[:, np.newaxis]
    weights = np.where(above, mixture.log_weights, -np.inf)
    # The weights that are left add up to 1 again.
    beyond = _logsumexp(np.where(above, weights + moved, -np.inf)) - _logsumexp(weights)
    return np.where(widened, beyond - np.log(2.0), plain)


def _logsumexp(exponents: FloatArray) -> FloatArray:
    top = exponents.max(axis=-1)
    return np.asarray(top + np.log(np.exp(exponents - top[..., np.newaxis]).sum(axis=-1)))
