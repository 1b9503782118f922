"""A prefix that narrows must never lose a match."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.metrics.prefix import literal_prefix

PIECES = [
    "a",
    "b-",
    "\\.",
    "\\|",
    ".",
    "c?",
    "d*",
    "e+",
    "(?:f)?",
    "[gh]",
    "(?:i|j)",
    "|",
    "k{0}",
    "[|]",
    "(?:",
    ")",
    "\\d",
]


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=6), text=st.text("ab-.|cdefghijk1", max_size=6))
def test_whatever_matches_begins_with_the_prefix(pieces, text):
    pattern = "".join(pieces)
    try:
        found = re.compile(pattern)
    except re.error:
        return
    assert found.fullmatch(text) is None or text.startswith(literal_prefix(pattern))


@pytest.mark.parametrize(
    ("pattern", "prefix"),
    [
        ("shop/.+-checkout:[a-z0-9-]+", "shop/"),
        ("checkout(?:-canary)?-5d9-[a-z0-9]+", "checkout"),
        ("shop_checkout-canary_80", "shop_checkout-canary_80"),
        ("a\\.b.*", "a.b"),
        ("ab?c", "a"),
        ("ab+", "ab"),
        ("a(b|c)", "a"),
        ("a|b", ""),
        ("\\d+", ""),
        (".*", ""),
        ("", ""),
    ],
)
def test_the_prefix_is_as_long_as_it_can_be(pattern, prefix):
    assert literal_prefix(pattern) == prefix
