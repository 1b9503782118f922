from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from canary.analysis.course import MOST, Course


def looked(seconds: int, every: int = 10) -> Course:
    course = Course(0.0, 10.0)
    for at in range(every, seconds + 1, every):
        course = course.add(at, at / 1000)
    return course


def test_each_look_is_a_value_at_first():
    assert looked(50).values == (0.01, 0.02, 0.03, 0.04, 0.05)
    assert looked(50).times == (10, 20, 30, 40, 50)


def test_of_a_long_time_every_so_manieth_value_is_kept_and_the_newest_always():
    for hours in (1, 3, 24):
        course = looked(hours * 3600)
        assert MOST / 2 <= len(course.values) <= MOST
        assert course.values[-1] == round(hours * 3.6, 2)
        full = course.values[:-1]
        assert full == tuple(round(at / 1000, 2) for at in course.times[:-1])


def test_time_without_looks_keeps_what_was_known():
    assert Course(0.0, 10.0).add(10, 1.0).add(50, 3.0).values == (1.0, 1.0, 1.0, 1.0, 3.0)


def test_a_second_look_at_the_same_time_takes_the_firsts_place_and_one_before_the_start_none():
    course = Course(100.0, 10.0).add(110, 1.0).add(110, 1.5)
    assert course.values == (1.5,)
    assert course.add(100, 9.0) == course


def test_the_bars_are_empty_below_none_and_full_at_the_limit():
    assert Course(0.0, 10.0, (-9.0, 0.0, 1.0, 2.0, 50.0)).bars(2.0) == "▁▁▄██"


@given(st.lists(st.floats(0.001, 5000), max_size=80))
def test_it_is_bounded_whatever_the_times_are(times: list[float]):
    course = Course(0.0, 10.0)
    for at in sorted(times):
        course = course.add(at, 1.0)
        assert len(course.values) <= MOST
        assert course.times[-1] >= at > course.times[-1] - course.step_seconds - 1e-6
