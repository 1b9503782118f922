from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.analysis.samples import Reading, Scraped, Series, increments, scrape_interval

HOW = Reading(max_gap=33.0, interval=15.0, window_start=0.0)


def series(times: list[float], values: list[float], code: str = "200", pod: str = "a") -> Series:
    return Series((("code", code), ("pod", pod)), np.array(times, dtype=float), np.array(values, dtype=float))


def counted(one: Series, edges: list[float], *others: Series, newborn: bool = False, how: Reading = HOW) -> list[float]:
    scraped = Scraped.of([one, *others])
    found = increments(one, np.array(edges, dtype=float), scraped, how, newborn=newborn)
    return [round(float(each), 6) for each in found]


def test_counts_between_scrapes_are_taken_in_proportion():
    assert counted(series([10, 25, 40], [100, 115, 175]), [10, 20, 25, 30]) == [10.0, 5.0, 20.0]


def test_nothing_is_counted_before_the_first_and_after_the_last_sample():
    assert counted(series([10, 25], [100, 115]), [0, 10, 25, 100]) == [0.0, 15.0, 0.0]


@given(
    st.lists(st.integers(0, 100), min_size=2, max_size=20),
    st.lists(st.floats(0, 300), min_size=0, max_size=10),
)
def test_increments_add_up_however_the_instants_are_chosen(steps: list[int], cuts: list[float]):
    times = [15.0 * index for index in range(len(steps))]
    one = series(times, list(np.cumsum(steps)))
    edges = sorted({0.0, 300.0, *cuts})
    assert sum(counted(one, edges)) == pytest.approx(sum(steps[1:]), abs=1e-4)


def test_a_reset_counts_as_nothing_and_never_as_the_whole_counter():
    assert counted(series([0, 15, 30, 45], [1000, 1010, 5, 25]), [0, 15, 30, 45]) == [10.0, 0.0, 20.0]


def test_two_replicas_that_answer_in_turns_do_not_add_a_counter_s_whole_life():
    assert sum(counted(series([0, 15, 30, 45], [10_000, 9_998, 10_030, 10_028]), [0, 45])) <= 40


def test_the_first_error_of_a_pod_that_was_up_counts():
    total = series([0, 15, 30, 45], [100, 110, 120, 130])
    errors = series([30, 45], [3, 4], code="503")
    assert counted(errors, [0, 15, 30, 45], total) == [0.0, 3.0, 1.0]


def test_a_new_pod_of_the_canary_counts_from_zero_and_one_of_stable_from_its_first_sample():
    how = Reading(max_gap=33.0, interval=15.0, window_start=-100.0)
    new = series([30, 45], [50, 70])
    assert counted(new, [0, 15, 30, 45], newborn=True, how=how) == [0.0, 50.0, 20.0]
    assert counted(new, [0, 15, 30, 45], newborn=False, how=how) == [0.0, 0.0, 20.0]


def test_a_series_that_was_there_before_reading_began_is_not_new():
    how = Reading(max_gap=33.0, interval=15.0, window_start=0.0)
    assert counted(series([10, 25], [5000, 5010]), [0, 10, 25], newborn=True, how=how) == [0.0, 10.0]


def test_a_target_that_comes_back_after_prometheus_was_away_is_not_new():
    known = Reading(33.0, 15.0, -500.0, frozenset({(("pod", "a"),)}))
    assert counted(series([30, 45], [5000, 5020]), [0, 30, 45], newborn=True, how=known) == [0.0, 20.0]


def test_one_missed_scrape_is_bridged_and_a_longer_gap_is_not():
    assert counted(series([0, 30, 45], [0, 20, 30]), [0, 45]) == [30.0]
    assert counted(series([0, 60, 75], [0, 5000, 5010]), [0, 75]) == [10.0]


def test_everything_is_complete_as_far_as_the_slowest_living_target():
    quick, slow, dead = (
        series([0, 15, 40], [0, 0, 0]),
        series([0, 15, 30], [0, 0, 0], pod="b"),
        series([0, 5], [0, 0], pod="c"),
    )
    scraped = Scraped.of([quick, slow, dead])
    assert scraped.complete_until(33.0) == 30.0
    assert scraped.complete_until(36.0) == 5.0
    assert Scraped.of([]).complete_until(33.0) is None


def test_the_scrape_interval_is_measured():
    assert scrape_interval([series([0, 15, 30], [0, 0, 0]), series([1, 16, 31.1], [0, 0, 0])]) == pytest.approx(15.0)
    assert scrape_interval([series([0], [0])]) is None
