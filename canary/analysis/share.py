"""Intervals for what a report shows: a share of bad requests, and the ratio of two shares.

They are for people's eyes. The judges do not use them: such an interval holds for one look, and evidence for all.
"""

from __future__ import annotations

import math
from typing import Final

Z: Final = 1.959964
"""Normal quantile of a two-sided 95 %."""


def share_interval(bad: float, count: float, dispersion: float = 1.0) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, 0 to 1, of `count` > 0 requests.

    Requests that are `dispersion` times wilder than chance say as much as so many times fewer.

    Source: Wilson (1927), J. Am. Stat. Assoc. 22, 209-212.

    >>> [round(end, 4) for end in share_interval(10, 100)]
    [0.0552, 0.1744]
    """
    n = count / max(1.0, dispersion)
    p = bad / count
    middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    # With none bad, or all, the ends are exactly 0 or 1; rounding may miss them by the last bit.
    return (0.0 if bad <= 0 else max(0.0, middle - half)), (1.0 if bad >= count else min(1.0, middle + half))


def ratio_interval(
    canary: tuple[float, float], stable: tuple[float, float], dispersion: float = 1.0
) -> tuple[float, float]:
    """The 95 % interval of the ratio of two shares, each given as `(bad, count)` with a count above 0.

    Katz' interval on the logarithm, with half a bad request added on both sides so that none bad is no infinity.

    Source: Katz, Baptista, Azen and Pike (1978), Biometrics 34, 469-474; the added halves: Walter (1975), Biometrika.

    >>> [round(end, 2) for end in ratio_interval((60, 1000), (90, 9000))]
    [4.37, 8.31]
    """
    (x, n), (y, m) = canary, stable
    x, n, y, m = x + 0.5, n + 0.5, y + 0.5, m + 0.5
    middle = math.log(x / n) - math.log(y / m)
    half = Z * math.sqrt(max(1.0, dispersion) * max(0.0, 1 / x - 1 / n + 1 / y - 1 / m))
    return math.exp(middle - half), math.exp(middle + half)
