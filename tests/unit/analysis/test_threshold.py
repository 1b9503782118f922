from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.analysis.metric import Threshold
from canary.analysis.threshold import Standing, ThresholdState, check, measure, measure_all, standing
from canary.errors import SpecInvalid


def stands(threshold: Threshold, *values: float) -> Standing:
    return standing(measure_all(ThresholdState(), threshold, values), threshold)


def test_a_spike_is_forgiven_and_a_row_of_them_is_not():
    bound = Threshold(maximum=1.0, consecutive=3)
    assert stands(bound, 2, 2, 0, 2, 2) is Standing.TOO_FEW
    assert stands(bound, 2, 2, 2) is Standing.BROKEN


def test_a_spike_that_comes_again_and_again_is_not_forgiven():
    assert stands(Threshold(maximum=1.0, consecutive=3, total=3), 2, 0, 2, 0, 2) is Standing.BROKEN


def test_a_broken_bound_stays_broken():
    assert stands(Threshold(maximum=1.0, consecutive=1), 2, *[0.0] * 50) is Standing.BROKEN


def test_it_passes_only_after_enough_good_measurements_in_a_row():
    bound = Threshold(minimum=1.0, fewest=3)
    assert stands(bound) is Standing.TOO_FEW
    assert stands(bound, 1, 1) is Standing.TOO_FEW
    assert stands(bound, 1, 1, 1) is Standing.HOLDS
    assert stands(bound, 1, 1, 1, 0.5) is Standing.TOO_FEW


@pytest.mark.parametrize(("value", "row"), [(1.0, 0), (2.0, 0), (0.99, 1), (2.01, 1)])
def test_the_bounds_themselves_are_within(value: float, row: int):
    assert measure(ThresholdState(), Threshold(minimum=1.0, maximum=2.0), value).row == row


def test_what_is_not_a_number_is_no_measurement():
    with pytest.raises(ValueError, match="not a number"):
        measure(ThresholdState(), Threshold(maximum=1.0), np.nan)


def test_bounds_that_forbid_nothing_or_everything_are_refused():
    for wrong in (Threshold(), Threshold(minimum=2, maximum=1), Threshold(maximum=1, consecutive=0)):
        with pytest.raises(SpecInvalid):
            check(wrong)
    check(Threshold(minimum=1, maximum=1))


@given(
    st.lists(st.sampled_from([0.0, 2.0]), max_size=40),
    st.integers(1, 5),
    st.none() | st.integers(1, 8),
    st.integers(1, 5),
)
def test_it_fails_by_the_longest_row_or_the_total_and_passes_by_the_last_row_alone(
    values: list[float], consecutive: int, total: int | None, fewest: int
):
    bound = Threshold(maximum=1.0, consecutive=consecutive, total=total, fewest=fewest)
    rows = [(value, len(list(group))) for value, group in groupby(values)]
    longest = max((length for value, length in rows if value == 2.0), default=0)
    last_good = rows[-1][1] if rows and rows[-1][0] == 0.0 else 0
    expected = Standing.HOLDS if last_good >= fewest else Standing.TOO_FEW
    if longest >= consecutive or (total is not None and values.count(2.0) >= total):
        expected = Standing.BROKEN
    assert stands(bound, *values) is expected


def test_both_bounds_hold_at_once_and_a_row_may_change_sides():
    between = Threshold(minimum=1.0, maximum=2.0, consecutive=2)
    assert stands(between, 0.5, 3.0) is Standing.BROKEN
    assert stands(between, 0.5, 1.5, 3.0) is Standing.TOO_FEW
