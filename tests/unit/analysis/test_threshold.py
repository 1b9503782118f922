from __future__ import annotations

import numpy as np
import pytest

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
