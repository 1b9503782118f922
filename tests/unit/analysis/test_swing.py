from __future__ import annotations

import numpy as np
import pytest

from canary.analysis.compare import CompareState, Interval, advance, divisor, evidence
from canary.analysis.swing import swing


def state(bad: float, total: float, stable_bad: float, stable_total: float) -> CompareState:
    return advance(CompareState.fresh(1), Interval.of(bad, total, stable_bad, stable_total), r0=1.5)


def against(bad: float, d: float) -> float:
    return float(evidence(state(bad, 1000, 90, 9000), d).against[0])


@pytest.mark.parametrize("phi", [1.0, 3.0])
@pytest.mark.parametrize("bad", [12, 20, 31, 32, 33, 60, 120])
def test_so_many_requests_and_not_one_less_change_the_verdict(bad: int, phi: float):
    d = float(divisor([phi])[0])
    found = swing(state(bad, 1000, 90, 9000), d, 0.1, 1.5, 2.0)
    assert found is not None
    # One interval at one share: moving a bad request from or to it is exact.
    failed = against(bad, d) >= 2.0
    sign = -1 if failed else 1
    assert (against(bad + sign * found, d) >= 2.0) is not failed
    assert (against(bad + sign * (found - 1), d) >= 2.0) is failed


def test_without_requests_on_one_side_nothing_would_change_it():
    assert swing(CompareState.fresh(1), 1.25, 0.0, 1.5, 2.0) is None
    assert swing(CompareState.fresh(1), 1.25, 1.0, 1.5, 2.0) is None


def test_evidence_that_came_in_the_warm_up_is_not_taken_away_by_warm_requests():
    cold = advance(CompareState.fresh(1), Interval.of(0, 0, 90, 9000, 300, 400), r0=1.5)
    assert evidence(cold, 1.25).against[0] > 2
    assert swing(cold, 1.25, 0.04, 1.5, 2.0) is None
    assert np.isfinite(cold.against).all()
