"""Durations and decimal numbers as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.api.decimals import Alpha, DecimalText, Number, ToleratedRatio
from canary.api.duration import LONGEST_SECONDS, Duration


@given(st.integers(1, LONGEST_SECONDS))
def test_every_number_of_seconds_up_to_a_week_can_be_written_and_read(seconds):
    assert Duration.of_seconds(seconds).seconds == seconds


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("5m", 300), ("1h30m", 5400), ("168h", LONGEST_SECONDS)])
def test_a_duration_is_read_and_printed_as_written(text, seconds):
    assert (Duration(text).seconds, str(Duration(text))) == (seconds, text)


@pytest.mark.parametrize(
    "text", ["", "5", "s", "5 m", "-5m", "1.5h", "500ms", "30m1h", "1d", "0s", "0h0m0s", "168h1s", "5m\n", "٣m"]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="must be a duration such as 90s, 5m or 1h30m"):
        Duration(text)


@pytest.mark.parametrize(
    ("kind", "text", "value"), [(Alpha, "0.01", 0.01), (ToleratedRatio, "2", 2.0), (Number, "-0.5", -0.5)]
)
def test_a_number_is_read(kind: type[DecimalText], text, value):
    assert kind(text).value == value


@pytest.mark.parametrize("text", ["", "0", "1", "-0.1", "1e-2", ".01", "nan", "inf", "0.01\n", "0,01", "٠.٠١"])
def test_what_is_no_alpha_is_refused(text):
    with pytest.raises(ValueError, match="must be a number in quotes"):
        Alpha(text)
