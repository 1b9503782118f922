from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from canary.analysis.values import ValueState, autocorrelation, evidence, inflation, one_sided_t

R0 = 1.5


def noise(rng: np.random.Generator, count: int, coefficient: float) -> NDArray[np.float64]:
    """AR(1) of standard deviation 1."""
    drawn = rng.normal(size=count)
    for index in range(1, count):
        drawn[index] = coefficient * drawn[index - 1] + np.sqrt(1 - coefficient**2) * drawn[index]
    return drawn


def series(
    rng: np.random.Generator, ratio: float, coefficient: float = 0.0, sd: float = 0.2, count: int = 360
) -> NDArray[np.float64]:
    stable = 1 + sd * noise(rng, count, coefficient)
    return np.column_stack([ratio * (1 + sd * noise(rng, count, coefficient)), stable])


def seconds_to_fail(pairs: NDArray[np.float64], alpha: float = 0.01) -> float:
    """At 10 s, looked at every minute."""
    for full in range(18, len(pairs) + 1, 6):
        if evidence(ValueState(pairs[:full]), R0, 10.0)[0] >= -np.log10(alpha):
            return full * 10.0
    return np.inf


def test_under_equal_means_the_expected_evidence_is_exactly_one():
    # The direction of m independent Gaussians is uniform on the sphere, whatever their scale; the cosine c of its angle
    # to (1, .., 1) has a density like (1 - c**2)**((m-3)/2). Near 1, where evidence is large, the nodes are dense.
    angles = np.pi * ((np.arange(1500) + 0.5) / 1500) ** 2
    cosines, widths = np.cos(angles), np.sqrt(angles)  # d angle, up to a constant
    for count in (3, 5):
        chances = np.sin(angles) ** (count - 2) * widths
        found = np.exp(one_sided_t(np.sqrt(count) * cosines, count))
        assert (chances * found).sum() / chances.sum() == pytest.approx(1.0, abs=2e-3)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(1e-3, 1e9), st.floats(0.5, 3))
def test_the_unit_of_a_value_changes_nothing(seed: int, unit: float, ratio: float):
    pairs = series(np.random.default_rng(seed), ratio, count=60)
    plain, scaled = (evidence(ValueState(each), R0, 10.0) for each in (pairs, pairs * unit))
    assert scaled == pytest.approx(plain, abs=1e-6)


@pytest.mark.parametrize("coefficient", [0.0, 0.5, 0.9])
def test_at_the_tolerated_ratio_false_alarms_are_rare_at_every_look_however_the_noise_lasts(coefficient: float):
    rng = np.random.default_rng(7)
    alarms = [seconds_to_fail(series(rng, R0, coefficient)) < np.inf for _ in range(40)]
    # Of 40 runs at alpha 1 %, three or more alarms have a chance below 1 %.
    assert sum(alarms) <= 2


def test_taking_samples_for_independent_would_be_wrong():
    # What the batches and the divisor are for: t statistics of single samples, with noise of .9, alarm all the time.
    rng = np.random.default_rng(7)
    alarms = 0
    for _ in range(40):
        pairs = series(rng, R0, 0.9)
        y = pairs[:, 0] - R0 * pairs[:, 1]
        taus = [y[:n].sum() / np.sqrt((y[:n] ** 2).sum()) for n in range(18, 361, 6)]
        found = [float(one_sided_t(np.array([t]), n)[0]) for t, n in zip(taus, range(18, 361, 6), strict=True)]
        alarms += max(found) >= np.log(100)
    assert alarms >= 12


@pytest.mark.parametrize(("coefficient", "within"), [(0.0, 300.0), (0.5, 420.0), (0.9, 1500.0)])
def test_a_value_twice_as_high_is_found_within_minutes(coefficient: float, within: float):
    rng = np.random.default_rng(3)
    found = [seconds_to_fail(series(rng, 2.0, coefficient, sd=0.03)) for _ in range(9)]
    assert np.median(found) <= within


def test_equal_values_give_evidence_for_the_candidate():
    against, favour = evidence(ValueState(series(np.random.default_rng(1), 1.0, count=60)), R0, 10.0)
    assert against < 0
    assert favour > np.log10(20)


@pytest.mark.parametrize("pair", [(0.0, 0.0), (3.0, 2.0)], ids=["both empty", "exactly tolerated"])
def test_no_difference_at_all_is_no_evidence(pair: tuple[float, float]):
    assert evidence(ValueState(np.tile(pair, (60, 1))), R0, 10.0) == (0.0, 0.0)


def test_a_constant_that_is_higher_is_found():
    assert evidence(ValueState(np.tile((4.0, 1.0), (60, 1))), R0, 10.0)[0] > 2


def test_before_three_batches_nothing_is_said():
    assert evidence(ValueState(np.tile((4.0, 1.0), (17, 1))), R0, 10.0) == (0.0, 0.0)


def test_the_inflation_is_that_of_batches_of_an_ar_1_noise():
    rng = np.random.default_rng(5)
    long = noise(rng, 180_000, 0.9)
    means = long.reshape(-1, 6).mean(axis=1)
    many = means.reshape(-1, 100).mean(axis=1)
    assert inflation(0.9, 6) == pytest.approx(100 * many.var() / means.var(), rel=0.2)
    assert autocorrelation(long[:3600]) == pytest.approx(0.9, abs=0.03)
