"""What a variable's value can do to a query in each language: nothing but stand where it was put."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.api.language import Language
from canary.errors import SpecInvalid
from canary.metrics.language import fill_in

IN_PLACE = {
    Language.PROMQL: 'sum(x{a="${args.x}"})',
    Language.DATADOG: "sum:errors{service:${args.x},env:prod}.as_count()",
    Language.CLOUDWATCH: """SELECT AVG(Latency) FROM "Shop" WHERE version = '${args.x}'""",
    Language.NRQL: "SELECT count(*) FROM Transaction WHERE appName = '${args.x}'",
    Language.GRAPHITE: "seriesByTag('name=errors', 'app=${args.x}')",
    Language.INFLUXQL: "SELECT mean(v) FROM errors WHERE app = '${args.x}' AND $range",
    Language.FLUX: 'from(bucket: "b") |> range($range) |> filter(fn: (r) => r.app == "${args.x}")',
    Language.DYNATRACE: 'builtin:service.errors:filter(eq("app","${args.x}"))',
    Language.WEB: "/rate?app=${args.x}\n$.value",
}


def test_every_language_has_its_place():
    assert IN_PLACE.keys() == set(Language)


@pytest.mark.parametrize("language", Language)
def test_a_plain_value_stands_where_the_variable_stood(language):
    filled = fill_in(language, IN_PLACE[language], {"args.x": "shop-1.eu_2"})
    assert filled == IN_PLACE[language].replace("${args.x}", "shop-1.eu_2")


@pytest.mark.parametrize("language", [each for each in Language if each not in {Language.PROMQL, Language.WEB}])
@pytest.mark.parametrize(
    "value", ["a'", 'a"', "a\\", "a`", "a\nb", "a}", "a{b", "a*", "a%", "a~", "${x}", "a|b", "\x00"]
)
def test_a_value_that_could_change_the_query_is_refused_by_name(language, value):
    with pytest.raises(SpecInvalid, match=rf"\$\{{args\.x\}} is .* could change a {language} query"):
        fill_in(language, IN_PLACE[language], {"args.x": value})


@pytest.mark.parametrize(
    ("language", "text", "says"),
    [
        (Language.DATADOG, "sum:${args.x}{*}", "only inside of braces"),
        (Language.NRQL, "SELECT ${args.x} FROM Transaction", "only between quotes"),
        (Language.NRQL, "SELECT average(`${args.x}`) FROM Transaction", "only between quotes"),
        (Language.INFLUXQL, "SELECT mean(v) FROM e WHERE app =~ /${args.x}/ AND $range", "only between quotes"),
        (Language.FLUX, "from(bucket: b) |> filter(fn: (r) => r.x == ${args.x})", "only between quotes"),
        (Language.CLOUDWATCH, "SEARCH(${args.x})", "only between quotes"),
        (Language.DYNATRACE, "builtin:${args.x}", "only between quotes"),
        (Language.WEB, "/rate\n$.${args.x}", "only between quotes"),
        (Language.NRQL, "SELECT count(*) FROM T WHERE a = 'x\\'' AND b = ${args.x}", "only between quotes"),
        (Language.WEB, "/rate?x=${args.y}\n$.v", "is not a variable"),
    ],
)
def test_a_variable_elsewhere_is_refused_with_the_place_where_it_may_stand(language, text, says):
    with pytest.raises(SpecInvalid, match=says):
        fill_in(language, text, {"args.x": "1"})


def test_a_tag_s_value_ends_no_tag_and_a_path_s_no_part_of_it():
    for language, text, value in (
        (Language.DATADOG, IN_PLACE[Language.DATADOG], "a,host:b"),
        (Language.DATADOG, IN_PLACE[Language.DATADOG], "a OR host"),
        (Language.GRAPHITE, "shop.${args.x}.errors", "a.b"),
    ):
        with pytest.raises(SpecInvalid, match="could change"):
            fill_in(language, text, {"args.x": value})


@given(value=st.text(max_size=8))
def test_a_web_query_s_path_takes_any_value_and_keeps_its_parts(value):
    path, expression = fill_in(Language.WEB, "/a/${args.x}?b=${args.x}\n$.v", {"args.x": value}).split("\n")
    assert expression == "$.v"
    assert set(path) <= set(string.ascii_letters + string.digits + "/?=%-_.~")
    assert (path.count("/"), path.count("?"), path.count("=")) == (2, 1, 1)


def test_a_variable_may_stand_in_a_jsonpath_s_string_only():
    text = "/rates\n$.apps[?@.name == '${args.x}'].rate"
    assert fill_in(Language.WEB, text, {"args.x": "shop"}).endswith("'shop'].rate")
    with pytest.raises(SpecInvalid, match="could change"):
        fill_in(Language.WEB, text, {"args.x": "a' || true || '"})
