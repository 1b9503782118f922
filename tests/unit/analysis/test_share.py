"""Intervals that reports show, against published values and by how often they cover the truth."""

from __future__ import annotations

import numpy as np
import pytest

from canary.analysis.share import ratio_interval, share_interval


def test_wilsons_published_example():
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    for bad, count, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert share_interval(bad, count) == pytest.approx((low, high), abs=5e-5)


def test_all_bad_and_none_bad_have_an_end_that_is_exact():
    assert share_interval(0, 7)[0] == 0.0
    assert share_interval(7, 7)[1] == 1.0


def test_wilder_requests_widen_both_intervals():
    assert share_interval(10, 100, 4.0) == share_interval(2.5, 25)
    (low, high), (wide_low, wide_high) = (ratio_interval((10, 100), (50, 900), d) for d in (1.0, 4.0))
    assert wide_low < low < high < wide_high


@pytest.mark.parametrize(("canary", "stable"), [((0, 100), (0, 1000)), ((5, 100), (0, 1000)), ((0, 100), (5, 1000))])
def test_none_bad_is_no_infinity(canary, stable):
    low, high = ratio_interval(canary, stable)
    assert 0 < low < high < np.inf


def test_both_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(5)
    canary, stable = rng.binomial(2000, 0.02, 1000), rng.binomial(20000, 0.01, 1000)
    by_share = [low <= 0.02 <= high for low, high in (share_interval(int(x), 2000) for x in canary)]
    by_ratio = [
        low <= 2 <= high
        for low, high in (ratio_interval((int(x), 2000), (int(y), 20000)) for x, y in zip(canary, stable, strict=True))
    ]
    for found in (by_share, by_ratio):
        assert np.mean(found) == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 1000))
