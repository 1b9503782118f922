from __future__ import annotations

from collections.abc import Callable, Iterable
from math import comb
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from canary.analysis.compare import (
    WARM_UP_SHARE,
    CompareState,
    Interval,
    Mixture,
    advance,
    divisor,
    evidence,
)
from canary.errors import SpecInvalid

TICK_SECONDS = 10.0


Counts = tuple[float | NDArray[np.float64] | NDArray[np.int64], ...]
Draw = Callable[[np.random.Generator, int], Counts]


def judged(intervals: Iterable[Counts], r0: float = 1.5, d: float = 1.25) -> tuple[float, float]:
    state = CompareState.fresh(1)
    for counts in intervals:
        state = advance(state, Interval.of(*counts), r0)
    found = evidence(state, d)
    return float(found.against[0]), float(found.favour[0])


def first_alarm(
    rng: np.random.Generator, sims: int, ticks: int, draw: Draw, d: float = 1.25, alpha: float = 0.01
) -> NDArray[np.float64]:
    """Seconds to the first alarm of each simulated release, inf without one."""
    state = CompareState.fresh(sims)
    first = np.full(sims, np.inf)
    for tick in range(1, ticks + 1):
        state = advance(state, Interval.of(*draw(rng, tick)), 1.5)
        alarm = evidence(state, d).against >= -np.log10(alpha)
        first = np.where(alarm & np.isinf(first), tick * TICK_SECONDS, first)
    return first


def steady(rps: float, weight: float, base: float, ratio: float, sims: int) -> Draw:
    def draw(rng: np.random.Generator, _tick: int) -> Counts:
        n_c = rng.poisson(rps * TICK_SECONDS * weight, sims)
        n_s = rng.poisson(rps * TICK_SECONDS * (1 - weight), sims)
        return rng.binomial(n_c, base * ratio), n_c, rng.binomial(n_s, base), n_s

    return draw


def test_with_uniform_weights_over_theta_the_evidence_is_the_exact_bayes_factor() -> None:
    # BF(10, 0; theta0 = 1/2, Beta(1, 1)) = 2^10 * B(11, 1) = 1024/11. Gauss-Legendre nodes integrate theta^10 exactly;
    # at equal shares theta = r/(1+r), so that the node theta is the ratio theta/(1-theta).
    nodes, weights = np.polynomial.legendre.leggauss(16)
    theta = (nodes + 1) / 2
    uniform = Mixture(theta / (1 - theta), np.log(weights / 2))
    state = advance(
        CompareState.fresh(1, uniform, uniform), Interval.of(10, 500, 0, 500), 1.0, worse=uniform, better=uniform
    )
    exact = evidence(state, 1.0, worse=uniform, better=uniform)
    assert 10 ** exact.favour[0] == pytest.approx(1024 / 11, rel=1e-12)
    mixed = (1 - WARM_UP_SHARE) * 1024 / 11 + WARM_UP_SHARE
    assert 10 ** exact.against[0] == pytest.approx(mixed, rel=1e-12)


@pytest.mark.parametrize(("r0", "total"), [(1.0, 6), (1.5, 9)])
def test_under_the_tolerated_ratio_the_expected_evidence_is_exactly_one(r0: float, total: int) -> None:
    # E is an e-value: its mean over every outcome of K given the shares is 1. Summed, not simulated.
    n_c, n_s = 100.0, 1900.0
    pi = n_c / (n_c + n_s)
    theta = r0 * pi / (1 - pi + r0 * pi)
    x = np.arange(total + 1)
    chance = np.array([comb(total, k) for k in range(total + 1)]) * (theta**x * (1 - theta) ** (total - x))
    state = advance(CompareState.fresh(total + 1), Interval.of(x, n_c, total - x, n_s), r0)
    found = evidence(state, 1.0)
    assert float(chance @ 10**found.against) == pytest.approx(1.0, rel=1e-12)
    assert float(chance @ 10**found.favour) == pytest.approx(1.0, rel=1e-12)


def test_at_the_tolerated_ratio_false_alarms_of_an_hour_of_looks_stay_below_alpha() -> None:
    # 4,000 releases exactly at r0, the worst that H0 allows, looked at 360 times, without the divisor's margin.
    sims, alpha = 4000, 0.05
    draw = steady(100, 0.05, 0.01, 1.5, sims)
    alarms = np.isfinite(first_alarm(np.random.default_rng(11), sims, 360, draw, d=1.0, alpha=alpha)).mean()
    standard_error = np.sqrt(alpha * (1 - alpha) / sims)
    assert alarms <= alpha + 3 * standard_error
    assert alarms > 0  # else the simulation shows nothing


def test_identical_versions_are_never_rolled_back_in_two_thousand_hours() -> None:
    sims = 2000
    for seed, cell in enumerate([(100, 0.05, 0.01), (1000, 0.05, 0.001)]):
        found = first_alarm(np.random.default_rng(seed), sims, 360, steady(*cell, ratio=1.0, sims=sims))
        assert not np.isfinite(found).any()


@pytest.mark.parametrize(
    ("rps", "base", "ratio", "median", "ninety"),
    [
        pytest.param(100, 0.01, 3, 300, 550, id="100 rps, x3"),
        pytest.param(100, 0.01, 5, 70, 130, id="100 rps, x5"),
        pytest.param(1000, 0.01, 2, 260, 450, id="1000 rps, x2"),
        pytest.param(10, 0.01, 5, 600, 1240, id="10 rps, x5"),
    ],
)
def test_a_worse_version_is_found_as_fast_as_the_design_says(
    rps: float, base: float, ratio: float, median: float, ninety: float
) -> None:
    found = first_alarm(np.random.default_rng(5), 1000, 360, steady(rps, 0.05, base, ratio, 1000))
    # Within 15 %, and one look, as times come in steps of 10 s.
    assert np.median(found) <= median * 1.15 + TICK_SECONDS
    assert np.quantile(found, 0.9, method="higher") <= ninety * 1.15 + TICK_SECONDS


def test_an_incident_on_both_tracks_while_the_weight_rises_is_no_alarm_though_pooled_it_is() -> None:
    # Weight 2 % for ten minutes; then 20 %, and both tracks fail five times as often.
    rng = np.random.default_rng(3)
    sims = 500

    def counts(weight: float, base: float) -> tuple[NDArray[np.float64], ...]:
        n_c, n_s = rng.poisson(10_000 * weight, sims), rng.poisson(10_000 * (1 - weight), sims)
        drawn = rng.binomial(n_c, base), n_c, rng.binomial(n_s, base), n_s
        return tuple(np.asarray(a, dtype=np.float64) for a in drawn)

    # Stable served most of the quiet time and the candidate most of its requests in the incident.
    intervals = [counts(0.02, 0.01) for _ in range(60)] + [counts(0.2, 0.05) for _ in range(30)]
    state = CompareState.fresh(sims)
    for interval in intervals:
        state = advance(state, Interval.of(*interval), 1.5)
    assert (evidence(state, 1.25).against >= 2).mean() <= 0.01

    pooled = Interval.of(*(sum(column) for column in zip(*intervals, strict=True)))
    assert (evidence(advance(CompareState.fresh(sims), pooled, 1.5), 1.25).against >= 2).mean() > 0.9


counts = st.tuples(st.integers(0, 50), st.integers(0, 500), st.integers(0, 50), st.integers(0, 5000))


@given(st.lists(counts, min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_the_order_of_the_ticks_does_not_matter(intervals: list[Counts], random: Random) -> None:
    shuffled = list(intervals)
    random.shuffle(shuffled)
    assert judged(shuffled) == pytest.approx(judged(intervals), abs=1e-9)


@given(st.lists(counts, min_size=1, max_size=20))
def test_one_row_beside_others_is_judged_as_if_alone(intervals: list[Counts]) -> None:
    state = CompareState.fresh(3)
    for c_bad, c_total, s_bad, s_total in np.asarray(intervals, dtype=np.float64):
        state = advance(
            state, Interval.of([5, c_bad, 0], [9, c_total, 90], [0, s_bad, 7], [100, s_total, 10]), [1.0, 1.5, 3.0]
        )
    found = evidence(state, [2.0, 1.25, 1.25])
    assert (found.against[1], found.favour[1]) == pytest.approx(judged(intervals), abs=1e-9)


@given(st.lists(counts, min_size=1, max_size=20))
def test_judging_tick_by_tick_equals_the_formula_over_all_intervals_at_once(intervals: list[Counts]) -> None:
    # The formula as it is written in the module's text, straight and slow.
    r0, d = 1.5, 1.25
    ratios = r0 * np.geomspace(1.05, 50, 48)
    total = np.zeros(48)
    for c_bad, c_total, s_bad, s_total in np.asarray(intervals, dtype=np.float64):
        if c_total > 0 and s_total > 0:
            x, k = min(c_bad, c_total), min(c_bad, c_total) + min(s_bad, s_total)
            pi = c_total / (c_total + s_total)
            total += x * np.log(ratios / r0) - k * np.log((1 - pi + ratios * pi) / (1 - pi + r0 * pi))
    expected = np.log10((1 - WARM_UP_SHARE) * np.exp(total / d).mean() + WARM_UP_SHARE)
    assert judged(intervals)[0] == pytest.approx(expected, abs=1e-9)


@given(counts, st.integers(2, 7))
def test_reading_the_counters_more_often_changes_nothing_while_the_shares_stay(
    interval: tuple[int, ...], parts: int
) -> None:
    pieces = [tuple(count / parts for count in interval)] * parts
    assert judged(pieces) == pytest.approx(judged([interval]), abs=1e-9)


@pytest.mark.parametrize("interval", [(9, 10, 0, 0), (0, 0, 9, 1000), (0, 0, 0, 0)])
def test_a_side_without_requests_says_nothing(interval: Counts) -> None:
    assert judged([interval]) == pytest.approx((0.0, 0.0), abs=1e-12)


def test_requests_of_a_warming_pod_count_only_as_a_disaster() -> None:
    def cold(bad: float) -> float:
        state = advance(CompareState.fresh(1), Interval.of(0, 0, 95, 9500, bad, 500), 1.5)
        return float(evidence(state, 1.25).against[0])

    assert judged([(25, 500, 95, 9500)])[0] > 2  # five times as bad: found when the pod is warm
    assert cold(25) < 0.1
    assert cold(400) > 2  # eighty times as bad is a disaster also for a cold pod


def test_evidence_for_needs_requests_and_bad_ones_to_compare_with() -> None:
    healthy = judged([(10, 1000, 100, 10_000)] * 20)
    assert healthy[1] > 2
    assert healthy[0] < 0
    assert judged([(0, 1000, 0, 10_000)] * 20)[1] == pytest.approx(0.0, abs=1e-12)


def test_a_larger_divisor_never_makes_evidence_louder() -> None:
    bad = [(20, 500, 95, 9500)]
    assert judged(bad, d=1.25)[0] > judged(bad, d=2.5)[0] > judged(bad, d=25)[0]


def test_the_divisor_has_a_floor_and_takes_an_unknown_dispersion_as_one() -> None:
    assert divisor([np.nan, 0.3, 1.0, 4.0]).tolist() == [1.25, 1.25, 1.25, 5.0]


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_a_count_that_is_no_count_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite and not negative"):
        Interval.of(1, value, 1, 1)


@pytest.mark.parametrize("r0", [0.0, -1.0, np.nan, np.inf])
def test_a_tolerated_ratio_that_is_no_ratio_is_refused(r0: float) -> None:
    with pytest.raises(SpecInvalid, match="positive"):
        advance(CompareState.fresh(1), Interval.of(1, 1, 1, 1), r0)
