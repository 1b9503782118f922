from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.errors import SpecInvalid
from canary.metrics.promql import Selector, escape, fill, fill_label, regex_of


@pytest.mark.parametrize(
    ("text", "narrowed"),
    [
        ("up", 'up{ns=~"a"}'),
        ("up{}", 'up{ns=~"a"}'),
        (' up { job = "x" , } ', 'up{job = "x",ns=~"a"}'),
        ('{__name__=~"up|down"}', '{__name__=~"up|down",ns=~"a"}'),
        ('up{job=\'}\', a!="\\"}"}', 'up{job=\'}\', a!="\\"}",ns=~"a"}'),
    ],
)
def test_the_tracks_labels_are_added_to_what_the_template_selects(text: str, narrowed: str):
    assert Selector.parse(text).narrowed([("ns", "a")]) == narrowed


@pytest.mark.parametrize(
    "text", ["rate(up[1m])", "up[5m]", "up offset 1m", 'up{job="x"} or up{a="b"}', "up{job}", "up{job=x}", "", "{}"]
)
def test_what_is_not_a_plain_selector_is_refused(text: str):
    with pytest.raises(SpecInvalid):
        Selector.parse(text)


@given(st.text())
def test_no_argument_can_leave_its_string(value: str):
    filled = fill('up{job="${args.x}"}', {"args.x": value})
    assert Selector.parse(filled).narrowed([]) == filled
    inside = filled.removeprefix('up{job="').removesuffix('"}')
    assert '"' not in inside.replace("\\\\", "").replace('\\"', "")
    assert "\n" not in inside


def test_inside_a_regular_expression_an_argument_means_itself():
    assert fill('up{job=~"${args.x}.*"}', {"args.x": "a.b|c"}) == 'up{job=~"a\\\\.b\\\\|c.*"}'
    assert fill('up{job="${args.x}"}', {"args.x": "a.b|c"}) == 'up{job="a.b|c"}'
    assert fill_label("${args.x}-.*", {"args.x": "a.b"}, regex=True) == "a\\.b-.*"


@pytest.mark.parametrize("text", ["rate(up[${args.x}])", "up{job=`${args.x}`}", "${args.x}", 'up{job="a"} > ${args.x}'])
def test_outside_of_a_quoted_string_no_argument_is_put_in(text: str):
    with pytest.raises(SpecInvalid, match="only between quotes"):
        fill(text, {"args.x": "5m"})


def test_an_unknown_variable_is_named_with_the_known_ones():
    with pytest.raises(SpecInvalid, match=r"\$\{nmespace\} is not a variable \(known: namespace\)"):
        fill('up{a="${nmespace}"}', {"namespace": "x"})


def test_only_the_open_quote_is_escaped_as_promql_refuses_the_other():
    assert escape("'\"", '"') == "'\\\""
    assert escape("'\"", "'") == "\\'\""


@given(st.lists(st.text(alphabet=st.characters(codec="ascii")), min_size=1))
def test_a_regular_expression_of_values_matches_just_them(values: list[str]):

    assert all(re.fullmatch(regex_of(values), value) for value in values)
    assert bool(re.fullmatch(regex_of(values), "not one of them")) == ("not one of them" in values)
