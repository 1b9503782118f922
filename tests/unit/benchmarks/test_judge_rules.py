"""The peers' rules act when their projects' own would."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.judge_rules import Rule, Seen, argo, argo_consecutive, bound, flagger, kayenta, rules, seconds

TICKS = 360


def seen(shares: NDArray[np.float64] | list[float], stable: float = 0.01) -> Seen:
    """One release with these bad shares of the candidate's, tick by tick; healthy afterwards."""
    share = np.full(TICKS, stable)
    share[: len(shares)] = shares
    n = np.full((1, TICKS), 1000.0)
    return Seen(share[np.newaxis] * n, n, n * stable, n)


def condemned_at(rule: Rule, given: Seen, limit: float = 0.05) -> float:
    return float(seconds(rule, rule.values(given), limit)[0])


def test_flagger_rolls_back_one_check_after_the_last_failed_one_and_forgives_none():
    bad_twice = seen([0.1, 0.01, 0.01, 0.1])
    assert condemned_at(flagger(1, 1, 2), bad_twice) == 50.0
    assert condemned_at(flagger(1, 1, 3), bad_twice) == np.inf


def test_argo_fails_at_one_more_than_the_failure_limit():
    assert condemned_at(argo(1, 1, 1), seen([0.1, 0.01, 0.01, 0.1])) == 40.0
    assert condemned_at(argo(1, 1, 0), seen([0.01, 0.1])) == 20.0


def test_consecutive_failures_are_forgiven_by_a_good_measurement():
    assert condemned_at(argo_consecutive(1, 1, 2), seen([0.1, 0.01, 0.1, 0.01])) == np.inf
    assert condemned_at(argo_consecutive(1, 1, 2), seen([0.1, 0.01, 0.1, 0.1])) == 40.0


def test_a_window_is_the_mean_of_what_it_covers():
    assert condemned_at(argo(3, 1, 0), seen([0.01, 0.01, 0.2])) == 30.0
    assert condemned_at(argo(6, 1, 0), seen([0.0, 0.0, 0.0, 0.0, 0.0, 0.2])) == np.inf


def test_kayenta_calls_a_shift_high_and_noise_not():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.001, TICKS)
    rule = kayenta(10, 0.98)
    assert condemned_at(rule, seen(0.05 + noise), limit=1.5) == 600.0
    assert condemned_at(rule, seen(0.01 + noise), limit=1.0) == np.inf
    # Above it by the test, but by less than the ratio that is allowed.
    assert condemned_at(rule, seen(0.014 + noise), limit=1.5) == np.inf


@pytest.mark.parametrize("rule", rules()[::11], ids=lambda rule: f"{rule.peer} {rule.setting}")
def test_the_bound_that_is_found_makes_just_the_false_alarms_that_are_allowed(rule: Rule):
    rng = np.random.default_rng(2)
    n = np.full((300, TICKS), 500.0)
    given = Seen(rng.poisson(10.0, n.shape).astype(np.float64), n, rng.poisson(5.0, n.shape).astype(np.float64), n)
    values = rule.values(given)
    limit = bound(rule, values, 0.01)
    assert np.isfinite(seconds(rule, values, limit)).sum() <= 3
    assert not np.isfinite(limit) or np.isfinite(seconds(rule, values, limit - 1e-9)).sum() > 3
