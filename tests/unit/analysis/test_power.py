"""The time to find a worse candidate, against what was simulated for the same formulas."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.analysis.power import seconds_to_find

MEDIANS = [
    (100, 0.01, 3, 300),
    (100, 0.01, 5, 70),
    (1000, 0.001, 3, 290),
    (1000, 0.001, 5, 70),
    (1000, 0.01, 2, 260),
    (1000, 0.01, 3, 40),
    (10, 0.01, 5, 600),
    (10, 0.01, 10, 170),
]
"""Requests/s, base rate, ratio, median seconds at 5 % with a look every 10 s: 1,000 simulated releases each."""


@pytest.mark.parametrize(("rate", "base", "ratio", "median"), MEDIANS)
def test_it_is_near_the_median_that_was_simulated(rate, base, ratio, median):
    told = seconds_to_find(requests_per_second=rate, weight=0.05, bad_share=base, ratio=ratio)
    assert median / 1.4 - 10 <= told <= median * 1.4


@given(
    rate=st.floats(0.1, 10_000),
    weight=st.floats(0.01, 0.9),
    base=st.floats(0.0005, 0.1),
    ratio=st.floats(1.6, 9.0),
)
def test_more_traffic_and_a_worse_candidate_are_found_sooner(rate, weight, base, ratio):
    told = seconds_to_find(requests_per_second=rate, weight=weight, bad_share=base, ratio=ratio)
    twice = seconds_to_find(requests_per_second=2 * rate, weight=weight, bad_share=base, ratio=ratio)
    worse = seconds_to_find(requests_per_second=rate, weight=weight, bad_share=base, ratio=ratio * 1.1)
    assert twice == pytest.approx(told / 2)
    assert worse < told


def test_what_is_tolerated_is_never_found_and_neither_is_anything_without_requests():
    assert math.isinf(seconds_to_find(requests_per_second=100, weight=0.1, bad_share=0.01, ratio=1.5))
    assert math.isinf(seconds_to_find(requests_per_second=0, weight=0.1, bad_share=0.01, ratio=5))


def test_a_share_of_bad_requests_cannot_be_above_one():
    at_most = seconds_to_find(requests_per_second=10, weight=0.1, bad_share=0.5, ratio=2)
    assert seconds_to_find(requests_per_second=10, weight=0.1, bad_share=0.5, ratio=9) == at_most
