"""CloudWatch, New Relic, Graphite, InfluxDB and Dynatrace, by answers in their documented shapes.

One table for what all of them must tell apart; below it what is each one's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from canary.api.language import Language
from canary.errors import MetricsUnavailable, SpecInvalid
from canary.metrics import aws
from canary.metrics.aws import AwsCredentials, Keys
from canary.metrics.cloudwatch import CloudWatchSource
from canary.metrics.dynatrace import DynatraceSource
from canary.metrics.graphite import GraphiteSource
from canary.metrics.influxdb import FluxSource, InfluxqlSource
from canary.metrics.newrelic import NewRelicSource
from canary.metrics.remote import RemoteSource, Stretch
from canary.metrics.source import Kind, NoData, Partial, Query, Sample, SecretHeader, SourceConfig
from tests.contract.metrics.playing import Asked, Played, Say, playing

Points = Sequence[tuple[float, Any]]
STRETCH = Stretch(lookback_seconds=300.0)


def cloudwatch(points: Points, status: str = "Complete", **more: object) -> Say:
    result = {
        "Id": "value",
        "Label": "5xx",
        "Timestamps": [at for at, value in points if value is not None],
        "Values": [value for _, value in points if value is not None],
        "StatusCode": status,
    }
    return Say({"MetricDataResults": [result], "Messages": [], **more})


def newrelic(points: Points, **more: object) -> Say:
    results = [{"beginTimeSeconds": at - 60, "endTimeSeconds": at, "count": value} for at, value in points]
    return Say({"data": {"actor": {"account": {"nrql": {"results": results}}}}, **more})


def graphite(points: Points) -> Say:
    return Say([{"target": "shop.errors", "datapoints": [[value, int(at)] for at, value in points]}])


def influxql(points: Points, **more: object) -> Say:
    values = [[at * 1000, value] for at, value in points]
    series = {"name": "errors", "columns": ["time", "mean"], "values": values, "tags": {"version": "5d9"}}
    return Say({"results": [{"statement_id": 0, **({"series": [series]} if points else {}), **more}]})


def flux(points: Points) -> Say:
    rows = [",result,table,_start,_stop,_time,_value,version"]
    for at, value in points:
        time = np.datetime64(int(at), "s")
        rows.append(
            f",_result,0,1970-01-01T00:00:00Z,1970-01-01T00:20:00Z,{time}Z,{'' if value is None else value},5d9"
        )
    return Say("\r\n".join([*(rows if points else []), "", ""]).encode())


def dynatrace(points: Points, **more: object) -> Say:
    data = {
        "dimensions": ["SERVICE-1"],
        "dimensionMap": {"dt.entity.service": "SERVICE-1"},
        "timestamps": [int(at * 1000) for at, _ in points],
        "values": [value for _, value in points],
    }
    result = {"metricId": "builtin:service.errors", "data": [data] if points else []}
    return Say({"totalCount": 1, "nextPageKey": None, "resolution": "1m", "result": [result], **more})


@dataclass(frozen=True)
class System:
    """How one system is asked, and how it says what all of them say."""

    make: Callable[[SourceConfig, Path], RemoteSource]
    query: str
    points: Callable[[Points], Say]
    refusal: Say
    said: str
    forbidden: Say
    partial: Say | None


def made_cloudwatch(config: SourceConfig, folder: Path) -> RemoteSource:
    (folder / "id").write_text("AKIDEXAMPLE")
    (folder / "secret").write_text("verysecret")
    credentials = AwsCredentials("eu-west-1", str(folder / "id"), str(folder / "secret"))
    return CloudWatchSource(config, STRETCH, credentials, period_seconds=60)


def aws_error(kind: str, message: str) -> Say:
    return Say({"__type": f"com.amazon.coral.service#{kind}", "message": message}, 400)


def nerdgraph_error(message: str, kind: str) -> Say:
    return Say(
        {
            "data": {"actor": {"account": {"nrql": None}}},
            "errors": [{"message": message, "extensions": {"errorClass": kind}}],
        }
    )


HALF = [(960.0, 1.0)]
SYSTEMS = {
    "cloudwatch": System(
        made_cloudwatch,
        """SELECT SUM("5xx") FROM SCHEMA(Shop, version)""",
        cloudwatch,
        aws_error("ValidationError", "Error in expression 'value'"),
        "ValidationError: Error in expression",
        aws_error("AccessDenied", "not authorized to perform GetMetricData"),
        cloudwatch(HALF, "PartialData"),
    ),
    "newrelic": System(
        lambda config, _: NewRelicSource(config, STRETCH, account=7, bucket_seconds=60),
        "SELECT count(*) FROM TransactionError WHERE appName = 'shop'",
        newrelic,
        nerdgraph_error("NRQL Syntax Error: Error at line 1 position 8", "INVALID_INPUT"),
        "NRQL Syntax Error: Error at line 1",
        Say({"errors": [{"message": "The API key provided is invalid"}]}, 401),
        newrelic(HALF, errors=[{"message": "a shard did not answer"}]),
    ),
    "graphite": System(
        lambda config, _: GraphiteSource(config, STRETCH),
        "sumSeries(shop.*.errors)",
        graphite,
        Say(b"Invalid query: no function nope", 400),
        "Invalid query: no function nope",
        Say(b"", 401),
        None,
    ),
    "influxql": System(
        lambda config, _: InfluxqlSource(config, STRETCH, database="shop"),
        "SELECT mean(v) FROM errors WHERE $range GROUP BY time(1m)",
        influxql,
        Say({"error": "error parsing query: found FROM, expected SELECT"}, 400),
        "error parsing query: found FROM",
        Say({"error": "authorization failed"}, 401),
        influxql(HALF, partial=True),
    ),
    "flux": System(
        lambda config, _: FluxSource(config, STRETCH, organization="shop"),
        'from(bucket: "b") |> range($range) |> mean()',
        flux,
        Say({"code": "invalid", "message": "compilation failed: undefined identifier x"}, 400),
        "compilation failed: undefined identifier x",
        Say({"code": "unauthorized", "message": "unauthorized access"}, 401),
        None,
    ),
    "dynatrace": System(
        lambda config, _: DynatraceSource(config, STRETCH, resolution="1m"),
        "builtin:service.errors.total.rate",
        dynatrace,
        Say({"error": {"code": 400, "message": "The metric key is unknown"}}, 400),
        "The metric key is unknown",
        Say({"error": {"code": 401, "message": "Token Authentication failed"}}, 401),
        dynatrace(HALF, warnings=["the result was cut off at 100000 tuples"]),
    ),
}


@pytest.fixture
def server() -> Iterator[Played]:
    with playing(Say(b"")) as played:
        yield played


@pytest.fixture(params=SYSTEMS)
def system(request: pytest.FixtureRequest) -> System:
    return SYSTEMS[request.param]


@pytest.fixture
def ask(system: System, server: Played, tmp_path: Path) -> Iterator[Callable[[Say], Sample | NoData | Partial]]:
    source = system.make(SourceConfig("there", server.url, timeout_seconds=2), tmp_path)

    def one(say: Say) -> Sample | NoData | Partial:
        server.says = say
        return source.ask(Query("there", system.query, Kind.VALUE, 1000.0, language=source.language))

    yield one
    source.close()


def values(got: object) -> list[float]:
    assert isinstance(got, Sample)
    (series,) = got.series
    return [float(value) for value in series.values]


def test_the_newest_point_is_the_value(system: System, ask):
    assert values(ask(system.points([(900.0, 1.0), (960.0, 2.5)]))) == [2.5]


def test_a_gap_is_passed_over(system: System, ask):
    assert values(ask(system.points([(900.0, 1.0), (960.0, None)]))) == [1.0]


def test_nothing_gaps_and_what_is_too_old_are_no_data(system: System, ask):
    assert ask(system.points([])) == NoData()
    assert ask(system.points([(960.0, None)])) == NoData()
    assert ask(system.points([(700.0, 1.0)])) == NoData()


def test_nan_is_kept_for_the_reader_to_refuse(system: System, ask):
    assert np.isnan(values(ask(system.points([(960.0, float("nan"))]))))


def test_a_refused_query_is_refused_in_the_system_s_words(system: System, ask):
    with pytest.raises(SpecInvalid, match=f"'there' refuses the query: {system.said}"):
        ask(system.refusal)


def test_a_refused_key_may_be_replaced_so_it_is_asked_again(system: System, ask):
    with pytest.raises(MetricsUnavailable, match=r"'there' answered 40[0-9]"):
        ask(system.forbidden)


def test_an_answer_that_lacks_parts_is_partial(system: System, ask):
    if system.partial is None:
        return  # it has no way to say so
    assert isinstance(ask(system.partial), Partial)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_limits_and_breakdowns_pass(system: System, ask, status: int):
    with pytest.raises(MetricsUnavailable, match=f"answered {status}"):
        ask(Say(b"later", status, {"Retry-After": "7"}))


@pytest.mark.parametrize("body", [b"<html>login</html>", b'{"what": 1}', b"[1, 2]", b"null"], ids=str)
def test_another_shape_is_no_data_of_ours(system: System, ask, body: bytes):
    if body.startswith(b"<") and system.query.startswith("from("):
        body = b"a,b\r\n<html>"
    with pytest.raises(MetricsUnavailable, match="'there' answered"):
        ask(Say(body))


def test_a_thousand_missed_instants_are_one_question(system: System, server: Played, tmp_path: Path):
    source = system.make(SourceConfig("there", server.url), tmp_path)
    server.says = system.points([(60.0 * k, float(k)) for k in range(1, 17)])
    got = source.ask(
        Query("there", system.query, Kind.VALUES, 960.0, start=600.0, step_seconds=60.0, language=source.language)
    )
    assert values(got) == [float(k) for k in range(10, 17)]
    assert len(server.asked) == 1


# --- each one's own


def one_question(name: str, server: Played, folder: Path, **more: Any) -> Asked:
    system = SYSTEMS[name]
    server.says = system.points([(960.0, 1.0)])
    source = system.make(SourceConfig("there", server.url, **more), folder)
    source.ask(Query("there", system.query, Kind.VALUE, 1000.0, language=source.language))
    return server.asked[-1]


def test_cloudwatch_is_asked_by_a_signed_call_of_its_json_protocol(server: Played, tmp_path: Path):
    asked = one_question("cloudwatch", server, tmp_path)
    assert asked.headers["X-Amz-Target"] == "GraniteServiceVersion20100801.GetMetricData"
    signed = asked.headers["Authorization"]
    assert signed.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-west-1/monitoring/aws4_request" in signed
    assert "verysecret" not in str(asked.headers)
    (query,) = asked.json["MetricDataQueries"]
    assert query == {"Id": "value", "Expression": SYSTEMS["cloudwatch"].query, "Period": 60}
    assert (asked.json["StartTime"], asked.json["EndTime"]) == (700, 1000)


def test_cloudwatch_takes_a_list_of_queries_and_says_what_is_no_list(server: Played, tmp_path: Path):
    source = made_cloudwatch(SourceConfig("there", server.url), tmp_path)
    server.says = cloudwatch([(960.0, 1.0)])
    text = '[{"Id": "a", "MetricStat": {"Stat": "Sum", "Period": 60}, "ReturnData": false}, {"Id": "b", "Expression": "a/60"}]'
    source.ask(Query("there", text, Kind.VALUE, 1000.0, language=Language.CLOUDWATCH))
    assert [each["Id"] for each in server.asked[0].json["MetricDataQueries"]] == ["a", "b"]
    for wrong in ("[1]", "[{]"):
        with pytest.raises(SpecInvalid, match="must be a JSON list"):
            source.ask(Query("there", wrong, Kind.VALUE, 1000.0, language=Language.CLOUDWATCH))


@pytest.mark.parametrize(
    "say",
    [
        cloudwatch(HALF, "InternalError"),
        cloudwatch(HALF, NextToken="more"),
        cloudwatch(HALF, Messages=[{"Code": "MaxMetricsExceeded", "Value": "..."}]),
    ],
    ids=["internal", "next token", "message"],
)
def test_cloudwatch_has_several_ways_to_say_partial(server: Played, tmp_path: Path, say: Say):
    server.says = say
    source = made_cloudwatch(SourceConfig("there", server.url), tmp_path)
    got = source.ask(Query("there", "x", Kind.VALUE, 1000.0, language=Language.CLOUDWATCH))
    assert isinstance(got, Partial)


@pytest.mark.parametrize("kind", ["Throttling", "ThrottlingException", "ExpiredToken", "InvalidClientTokenId"])
def test_cloudwatch_s_limits_and_keys_come_as_400_and_pass_nonetheless(server: Played, tmp_path: Path, kind: str):
    server.says = aws_error(kind, "no")
    source = made_cloudwatch(SourceConfig("there", server.url), tmp_path)
    with pytest.raises(MetricsUnavailable, match=f"answered 400: {kind}"):
        source.ask(Query("there", "x", Kind.VALUE, 1000.0, language=Language.CLOUDWATCH))


def test_keys_of_a_web_identity_are_asked_for_once_until_they_end(server: Played, tmp_path: Path):
    (tmp_path / "token").write_text("jwt")
    now = [1_000_000.0]
    credentials = AwsCredentials(
        "eu-west-1",
        role_arn="arn:aws:iam::1:role/canary",
        web_identity_token_file=str(tmp_path / "token"),
        sts_url=f"{server.url}/sts",
        now=lambda: now[0],
    )
    source = CloudWatchSource(SourceConfig("there", server.url), STRETCH, credentials, period_seconds=60)

    def say(asked: Asked) -> Say:
        if asked.path != "/sts":
            return cloudwatch([(960.0, 1.0)])
        keys = {"AccessKeyId": "ASIA1", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": now[0] + 3600}
        answer = {"AssumeRoleWithWebIdentityResult": {"Credentials": keys}}
        return Say({"AssumeRoleWithWebIdentityResponse": answer})

    server.says = say
    for later in (0, 3000, 600):
        now[0] += later
        source.ask(Query("there", "x", Kind.VALUE, 1000.0, language=Language.CLOUDWATCH))
    assert [asked.path for asked in server.asked] == ["/sts", "/", "/", "/sts", "/"]
    form = server.asked[0].form
    assert (form["WebIdentityToken"], form["RoleArn"]) == (["jwt"], ["arn:aws:iam::1:role/canary"])
    assert server.asked[1].headers["X-Amz-Security-Token"] == "t"
    assert "ASIA1" in server.asked[1].headers["Authorization"]


def test_without_any_keys_it_says_how_to_give_them(server: Played, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_ROLE_ARN", raising=False)
    source = CloudWatchSource(SourceConfig("there", server.url), STRETCH, AwsCredentials("x"), period_seconds=60)
    with pytest.raises(SpecInvalid, match="has no keys: give accessKeyIdFile"):
        source.ask(Query("there", "x", Kind.VALUE, 1000.0, language=Language.CLOUDWATCH))


def test_keys_do_not_show_themselves():
    assert "hidden" not in repr(Keys("id", "hidden", "hidden"))


def test_without_its_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "requests_aws4auth", None)
    with pytest.raises(SpecInvalid, match=r"install canary-delivery\[cloudwatch\]"):
        aws.signature()


def test_new_relic_is_asked_by_a_query_of_its_account_with_the_time_added(server: Played, tmp_path: Path):
    (tmp_path / "key").write_text("NRAK")
    asked = one_question("newrelic", server, tmp_path, other_secrets=(SecretHeader("API-Key", str(tmp_path / "key")),))
    assert asked.path == "/graphql"
    assert asked.headers["API-Key"] == "NRAK"
    variables = asked.json["variables"]
    assert variables["account"] == 7
    assert variables["nrql"].endswith("appName = 'shop' SINCE 700000 UNTIL 1000000 TIMESERIES 60 seconds")


def test_new_relic_is_asked_for_no_more_buckets_than_it_gives(server: Played, tmp_path: Path):
    system = SYSTEMS["newrelic"]
    server.says = system.points([(960.0, 1.0)])
    source = system.make(SourceConfig("there", server.url), tmp_path)
    source.ask(
        Query("there", system.query, Kind.VALUES, 36_300.0, start=600.0, step_seconds=60.0, language=Language.NRQL)
    )
    nrql = server.asked[0].json["variables"]["nrql"]
    assert nrql.endswith("SINCE 300000 UNTIL 36300000 TIMESERIES 99 seconds")  # 36,000 s in 366 buckets at most


@pytest.mark.parametrize(
    ("bucket", "value"),
    [({"percentile.duration": {"95": 1.25}}, 1.25), ({"facet": "a", "appName": "a", "sum": 3}, 3.0)],
)
def test_new_relic_s_number_may_be_a_percentile_or_a_facet_s(server: Played, tmp_path: Path, bucket, value):
    system = SYSTEMS["newrelic"]
    results = [{"beginTimeSeconds": 900, "endTimeSeconds": 960, **bucket}]
    server.says = Say({"data": {"actor": {"account": {"nrql": {"results": results}}}}})
    source = system.make(SourceConfig("there", server.url), tmp_path)
    got = source.ask(Query("there", system.query, Kind.VALUE, 1000.0, language=Language.NRQL))
    assert values(got) == [value]


def test_new_relic_s_two_numbers_are_a_mistake_of_the_query(server: Played, tmp_path: Path):
    system = SYSTEMS["newrelic"]
    results = [{"beginTimeSeconds": 900, "endTimeSeconds": 960, "count": 1, "sum.x": 2}]
    server.says = Say({"data": {"actor": {"account": {"nrql": {"results": results}}}}})
    source = system.make(SourceConfig("there", server.url), tmp_path)
    with pytest.raises(SpecInvalid, match="must select one number, and selects 2"):
        source.ask(Query("there", system.query, Kind.VALUE, 1000.0, language=Language.NRQL))


def test_graphite_is_asked_by_a_form_and_its_tags_are_labels(server: Played, tmp_path: Path):
    asked = one_question("graphite", server, tmp_path)
    assert (asked.method, asked.path) == ("POST", "/render")
    assert asked.form == {
        "target": ["sumSeries(shop.*.errors)"], "from": ["700"], "until": ["1000"], "format": ["json"],
    }  # fmt: skip
    server.says = Say([{"target": "x", "tags": {"name": "x", "version": "5d9"}, "datapoints": [[1, 960]]}])
    source = SYSTEMS["graphite"].make(SourceConfig("there", server.url), tmp_path)
    got = source.ask(Query("there", "x", Kind.VALUE, 1000.0, language=Language.GRAPHITE))
    assert isinstance(got, Sample)
    assert got.series[0].label("version") == "5d9"


def test_influxql_is_asked_with_the_time_in_its_place_and_tags_are_labels(server: Played, tmp_path: Path):
    (tmp_path / "token").write_text("t1")
    secrets = (SecretHeader("Authorization", str(tmp_path / "token"), "Token "),)
    asked = one_question("influxql", server, tmp_path, other_secrets=secrets)
    assert (asked.path, asked.headers["Authorization"]) == ("/query", "Token t1")
    assert asked.form["db"] == ["shop"]
    assert asked.form["q"] == [
        "SELECT mean(v) FROM errors WHERE time > 700000ms AND time <= 1000000ms GROUP BY time(1m)"
    ]


def test_influxql_says_some_errors_with_status_200(server: Played, tmp_path: Path):
    server.says = Say({"results": [{"statement_id": 0, "error": "measurement not found"}]})
    source = SYSTEMS["influxql"].make(SourceConfig("there", server.url), tmp_path)
    with pytest.raises(SpecInvalid, match="refuses the query: measurement not found"):
        source.ask(Query("there", "SELECT x FROM y WHERE $range", Kind.VALUE, 1000.0, language=Language.INFLUXQL))


@pytest.mark.parametrize("name", ["influxql", "flux"])
def test_a_query_without_a_bound_of_time_is_not_sent(server: Played, tmp_path: Path, name: str):
    source = SYSTEMS[name].make(SourceConfig("there", server.url), tmp_path)
    with pytest.raises(SpecInvalid, match=r"needs \$range once"):
        source.ask(Query("there", "SELECT x FROM y", Kind.VALUE, 1000.0, language=source.language))
    assert server.asked == []


def test_flux_is_asked_for_csv_with_the_time_in_its_place(server: Played, tmp_path: Path):
    asked = one_question("flux", server, tmp_path)
    assert (asked.path, asked.query) == ("/api/v2/query", {"org": ["shop"]})
    assert "range(start: 1970-01-01T00:11:40.000Z, stop: 1970-01-01T00:16:40.000Z)" in asked.json["query"]


def test_flux_may_break_off_in_the_middle_of_a_table(server: Played, tmp_path: Path):
    body = flux([(960.0, 1.0)]).body
    assert isinstance(body, bytes)
    server.says = Say(body.rstrip() + b"\r\n\r\nerror,reference\r\nmemory allocation limit reached,897\r\n")
    source = SYSTEMS["flux"].make(SourceConfig("there", server.url), tmp_path)
    with pytest.raises(MetricsUnavailable, match="broke off: memory allocation limit reached"):
        source.ask(Query("there", SYSTEMS["flux"].query, Kind.VALUE, 1000.0, language=Language.FLUX))


def test_dynatrace_is_asked_by_a_selector_and_its_dimensions_are_labels(server: Played, tmp_path: Path):
    (tmp_path / "token").write_text("dt0c01")
    secrets = (SecretHeader("Authorization", str(tmp_path / "token"), "Api-Token "),)
    asked = one_question("dynatrace", server, tmp_path, other_secrets=secrets)
    assert (asked.path, asked.headers["Authorization"]) == ("/api/v2/metrics/query", "Api-Token dt0c01")
    assert asked.query == {
        "metricSelector": ["builtin:service.errors.total.rate"], "from": ["700000"], "to": ["1000000"],
        "resolution": ["1m"],
    }  # fmt: skip


def test_dynatrace_s_further_page_is_a_part_that_is_missing(server: Played, tmp_path: Path):
    server.says = dynatrace(HALF, nextPageKey="AQAAABQB")
    source = SYSTEMS["dynatrace"].make(SourceConfig("there", server.url), tmp_path)
    got = source.ask(Query("there", "x", Kind.VALUE, 1000.0, language=Language.DYNATRACE))
    assert isinstance(got, Partial)
