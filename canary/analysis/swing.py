"""What would have changed a verdict of `compare`: how many bad requests of the candidate fewer, or more."""

from __future__ import annotations

from typing import Final

import numpy as np

from canary.analysis.compare import WORSE, CompareState, evidence

MOST: Final = 1 << 20
"""Bad requests above which nobody asks any more. Arbitrary."""


def swing(state: CompareState, divide: float, pi: float, r0: float, limit: float, allowance: float = 1.0) -> int | None:
    """Return how many of the candidate's bad requests change the verdict; None when no number does.

    At or above the limit: the least number fewer with which evidence against it is below. Below the limit: the least
    number more, at once, with which it is reached. The requests are thought of as sent at the mean share, so the number
    is exact while the weight stays the same, and near otherwise.

    Parameters
    ----------
    state
        Of one row.
    divide
        The exponent's d.
    pi
        The candidate's share of the requests so far, 0 to 1.
    r0
        The tolerated ratio.
    limit
        log10 of E at which it fails.
    allowance
        As `evidence` has it.

    Evidence grows with each bad request, as each alternative holds the candidate for the likelier culprit: the number
    is found by bisection.
    """
    if not 0 < pi < 1:
        return None
    # One bad request more at pi: its term in the formula, for each alternative.
    share = pi * r0 / (1 - pi + r0 * pi)
    each = np.log(WORSE.multiples) - np.log1p((WORSE.multiples - 1.0) * share)

    def against(more: int) -> float:
        moved = CompareState(state.against + more * each, state.cold, state.favour)
        return float(evidence(moved, [divide], allowance=allowance).against[0])

    sign = -1 if against(0) >= limit else 1

    def changed(number: int) -> bool:
        return (against(sign * number) >= limit) is (sign > 0)

    high = 1
    while not changed(high):
        high *= 2
        if high > MOST:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if changed(middle) else (middle, high)
    return high
