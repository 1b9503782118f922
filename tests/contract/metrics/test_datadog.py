"""Datadog's metrics API, by answers in its documented shape."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from canary.api.language import Language
from canary.errors import MetricsUnavailable, SpecInvalid
from canary.metrics.datadog import DatadogSource
from canary.metrics.remote import Stretch
from canary.metrics.source import Kind, NoData, Partial, Query, Sample, SecretHeader, SourceConfig
from tests.contract.metrics.playing import Played, Say, playing


def series(*points: tuple[float, float | None], tags: tuple[str, ...] = ()) -> dict[str, object]:
    return {
        "metric": "trace.http.request.errors",
        "aggr": "sum",
        "interval": 20,
        "tag_set": list(tags),
        "scope": ",".join(tags),
        "pointlist": [[at * 1000, value] for at, value in points],
        "length": len(points),
    }


def ok(*many: dict[str, object]) -> Say:
    return Say({"status": "ok", "res_type": "time_series", "series": list(many), "message": "", "query": "q"})


@pytest.fixture
def server() -> Iterator[Played]:
    with playing(ok()) as played:
        yield played


@pytest.fixture
def source(server: Played, tmp_path: Path) -> DatadogSource:
    secrets = []
    for header, content in (("DD-API-KEY", "api"), ("DD-APPLICATION-KEY", "app")):
        (tmp_path / header).write_text(content)
        secrets.append(SecretHeader(header, str(tmp_path / header)))
    return DatadogSource(SourceConfig("dd", server.url, other_secrets=tuple(secrets)), Stretch(120.0, 20.0))


def ask(source: DatadogSource, **more: float) -> Sample | NoData | Partial:
    kind = Kind.VALUES if more else Kind.VALUE
    return source.ask(Query("dd", "sum:errors{service:shop}", kind, 1000.0, language=Language.DATADOG, **more))


def test_the_newest_whole_point_is_the_value(server: Played, source: DatadogSource):
    server.says = ok(series((940, 1.0), (960, None), (980, 3.0), (1000, 99.0)))
    got = ask(source)
    assert isinstance(got, Sample)
    assert got.series[0].values.tolist() == [3.0]  # 20 s before the present, as it is delayed
    asked = server.asked[0]
    assert (asked.path, asked.query["query"]) == ("/api/v1/query", ["sum:errors{service:shop}"])
    assert (asked.query["from"], asked.query["to"]) == (["860"], ["980"])
    assert (asked.headers["DD-API-KEY"], asked.headers["DD-APPLICATION-KEY"]) == ("api", "app")


def test_missed_instants_each_have_their_own_newest_point(server: Played, source: DatadogSource):
    server.says = ok(series((900, 1.0), (930, 2.0), (960, 3.0)))
    got = ask(source, start=940.0, step_seconds=30.0)
    assert isinstance(got, Sample)
    assert got.series[0].values.tolist() == [1.0, 2.0, 3.0]


def test_groups_are_series_with_their_tags(server: Played, source: DatadogSource):
    server.says = ok(series((980, 1.0), tags=("version:5d9", "env")), series((980, 2.0), tags=("version:6f8",)))
    got = ask(source)
    assert isinstance(got, Sample)
    assert [each.label("version") for each in got.series] == ["5d9", "6f8"]


@pytest.mark.parametrize("points", [(), ((860, 1.0),), ((980, None),)], ids=["none", "too old", "null"])
def test_no_point_that_is_new_enough_is_no_data(server: Played, source: DatadogSource, points):
    server.says = ok(series(*points))
    assert ask(source) == NoData()


def test_an_empty_answer_is_no_data(source: DatadogSource):
    assert ask(source) == NoData()


def test_a_query_that_it_cannot_read_is_refused_in_its_words(server: Played, source: DatadogSource):
    for say in (Say({"status": "error", "error": "Rule 'x' is wrong"}), Say({"errors": ["Rule 'x' is wrong"]}, 400)):
        server.says = say
        with pytest.raises(SpecInvalid, match="'dd' refuses the query: Rule 'x' is wrong"):
            ask(source)


def test_keys_that_are_refused_and_limits_are_told(server: Played, source: DatadogSource):
    server.says = Say({"errors": ["Forbidden"]}, 403)
    with pytest.raises(MetricsUnavailable, match="403, refusing the operator's credential: Forbidden"):
        ask(source)
    server.says = Say({"errors": ["Rate limit"]}, 429, {"X-RateLimit-Reset": "12", "X-RateLimit-Remaining": "0"})
    with pytest.raises(MetricsUnavailable, match="429: Rate limit") as told:
        ask(source)
    assert told.value.retry_after_seconds == 12
    with pytest.raises(MetricsUnavailable, match="asked for a pause"):
        ask(source)
    assert len(server.asked) == 2


@pytest.mark.parametrize("body", [{}, [], {"status": "ok"}, {"status": "ok", "series": [{"pointlist": [[1]]}]}])
def test_another_shape_is_told_as_one(server: Played, source: DatadogSource, body):
    server.says = Say(body)
    with pytest.raises(MetricsUnavailable, match="in a shape that is not a datadog source's"):
        ask(source)
