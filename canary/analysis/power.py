r"""How long a worse candidate stays unseen: what `compare` can and cannot find with so much traffic.

Claim
    A bad request comes from the candidate with probability ``q1 = rho*pi / (1 - pi + rho*pi)`` where the candidate's
    share of bad requests is rho times stable's, and with at most ``q0``, the same with the tolerated ratio r0. Each bad
    request then adds, on average, the divergence ``KL(q1 || q0)`` to the logarithm of the evidence, divided by d.

Method
    Wald's approximation of the mean time to ``log E = log(1 / alpha)``, plus what the mixture over ratios costs.

Guarantee
    None: half of the releases need longer. Within a factor of 1.4 of the medians that `benchmarks/statistics` simulates
    for ratios of 2 to 10.

Source
    Wald (1945), "Sequential tests of statistical hypotheses"; Robbins (1970) for the mixture's cost.
"""

from __future__ import annotations

import math
from typing import Final

from canary.analysis.compare import MIN_DIVISOR, TOLERATED_RATIO

MIXTURE_COST: Final = 2.0
"""In the evidence's natural logarithm: of 48 alternatives a handful are near the truth."""


def seconds_to_find(
    *,
    requests_per_second: float,
    weight: float,
    bad_share: float,
    ratio: float,
    tolerated_ratio: float = TOLERATED_RATIO,
    alpha: float = 0.01,
    divisor: float = MIN_DIVISOR,
) -> float:
    """Return the seconds after which half of the candidates that are so much worse are found, roughly.

    Parameters
    ----------
    requests_per_second
        Of both tracks together.
    weight
        The candidate's share of them, above 0 and below 1.
    bad_share
        Stable's share of bad requests, above 0 and below 1.
    ratio
        The candidate's share of bad requests over stable's. It cannot be above `1 / bad_share`.
    tolerated_ratio, alpha, divisor
        As `canary.analysis.compare` has them.

    Returns
    -------
    float
        Infinity when nothing would ever be found: without traffic, or at a ratio that is tolerated.

    >>> round(seconds_to_find(requests_per_second=1000, weight=0.05, bad_share=0.01, ratio=2))
    243
    >>> seconds_to_find(requests_per_second=1000, weight=0.05, bad_share=0.01, ratio=1.5)
    inf
    """
    rho = min(ratio, 1.0 / bad_share)
    if rho <= tolerated_ratio or requests_per_second <= 0:
        return math.inf
    found, tolerated = _from_candidate(rho, weight), _from_candidate(tolerated_ratio, weight)
    growth = found * math.log(found / tolerated) + (1 - found) * math.log((1 - found) / (1 - tolerated))
    bad_per_second = requests_per_second * bad_share * (1 - weight + rho * weight)
    return divisor * (math.log(1 / alpha) + MIXTURE_COST) / (bad_per_second * growth)


def _from_candidate(ratio: float, weight: float) -> float:
    """Return the chance that a bad request is the candidate's."""
    return ratio * weight / (1 - weight + ratio * weight)
