"""A web service that answers with JSON, and everything that it may answer instead."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from canary.api.language import Language
from canary.errors import MetricsUnavailable, SpecInvalid
from canary.metrics.source import Kind, NoData, Partial, Query, Refused, Sample, SourceConfig, answer
from canary.metrics.web import WebSource
from tests.contract.metrics.playing import Played, Say, playing

ORDERS = {"data": [{"shop": "a", "perMinute": 41.5}, {"shop": "b", "perMinute": None}], "ok": True, "text": "12"}


@pytest.fixture
def server() -> Iterator[Played]:
    with playing(Say(ORDERS)) as played:
        yield played


def ask(server: Played, text: str, kind: Kind = Kind.VALUE) -> Sample | NoData | Partial:
    source = WebSource(SourceConfig("shop", f"{server.url}/api"))
    return source.ask(Query("shop", text, kind, 60.0, language=Language.WEB))


@pytest.mark.parametrize(
    ("path", "value"),
    [("$.data[0].perMinute", 41.5), ("$.data[?@.shop == 'a'].perMinute", 41.5), ("$.text", 12.0)],
)
def test_the_jsonpath_s_number_is_the_value(server: Played, path: str, value: float):
    got = ask(server, f"/orders/rate?shop=a%26b\n{path}")
    assert isinstance(got, Sample)
    assert (got.series[0].values.tolist(), got.series[0].times.tolist()) == ([value], [60.0])
    assert (server.asked[0].path, server.asked[0].query) == ("/api/orders/rate", {"shop": ["a&b"]})


@pytest.mark.parametrize("path", ["$.nothing", "$.data[1].perMinute", "$.data[?@.shop == 'c'].perMinute"])
def test_nothing_there_and_null_are_no_data(server: Played, path: str):
    assert ask(server, f"/x\n{path}") == NoData()


def test_nan_is_kept_for_the_reader_to_refuse(server: Played):
    server.says = Say(b'{"v": NaN}')
    got = ask(server, "/x\n$.v")
    assert isinstance(got, Sample)
    assert got.series[0].values.tolist() != got.series[0].values.tolist()


def test_several_numbers_are_a_mistake_of_the_query(server: Played):
    with pytest.raises(SpecInvalid, match="must find one number, and found 2 values"):
        ask(server, "/x\n$.data[*].shop")


@pytest.mark.parametrize("path", ["$.ok", "$.data", "$.data[0].shop"])
def test_what_is_no_number_is_an_error_that_shows_it(server: Played, path: str):
    with pytest.raises(MetricsUnavailable, match=r"what \$.* finds is no number"):
        ask(server, f"/x\n{path}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("$.v", "a path that begins with / and, in the next line, a JSONPath"),
        ("/x", "a path that begins with / and, in the next line, a JSONPath"),
        ("http://elsewhere/\n$.v", "a path that begins with /"),
        ("/x/../secret\n$.v", "may not have"),
        ("/x\n$.[", "is no JSONPath"),
    ],
)
def test_a_query_that_cannot_be_is_refused(server: Played, text: str, says: str):
    with pytest.raises(SpecInvalid, match=says):
        ask(server, text)
    assert server.asked == []


@pytest.mark.parametrize(
    ("say", "error", "says"),
    [
        (Say({"message": "no such shop"}, 400), SpecInvalid, "refuses the query: no such shop"),
        (Say({"error": {"message": "who"}}, 401), MetricsUnavailable, "401, refusing the operator's credential: who"),
        (Say(b"<html>gone", 404), MetricsUnavailable, "404: <html>gone"),
        (Say(b"", 503), MetricsUnavailable, "503: without a text"),
        (Say(b"<html>login"), MetricsUnavailable, "not JSON"),
    ],
    ids=["400", "401", "404", "503", "html"],
)
def test_an_error_is_told_by_what_it_means(server: Played, say: Say, error: type[Exception], says: str):
    server.says = say
    with pytest.raises(error, match=says):
        ask(server, "/x\n$.v")


def test_counters_are_not_read_from_it(server: Played):
    with pytest.raises(SpecInvalid, match="counters need a source of PromQL"):
        ask(server, "/x\n$.v", Kind.SAMPLES)


def test_a_query_in_another_language_is_refused_before_it_is_asked(server: Played):
    source = WebSource(SourceConfig("shop", server.url))
    got = answer({"shop": source}, Query("shop", "up", Kind.VALUE, 1.0))
    assert isinstance(got, Refused)
    assert "metric source 'shop' takes queries in web, and this one is in promql: set" in got.message
    assert server.asked == []
