"""Against a real Prometheus; what it does not do on demand (warnings, silence) comes from a server that plays it."""

from __future__ import annotations

import http.server
import inspect
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import prometheus_api_client.exceptions
import pytest
import requests.exceptions
from typing_extensions import override

from canary.analysis.metric import Compare, CounterMetric, HistogramMetric
from canary.analysis.native import NativeSeries, as_buckets, nearest_boundary
from canary.analysis.samples import TrackLabel
from canary.analysis.verdict import Outcome, Reason
from canary.errors import MetricsUnavailable, SpecInvalid
from canary.metrics.planner import plan
from canary.metrics.prometheus import ERRORS, PrometheusSource
from canary.metrics.promql import Selector, escape, fill
from canary.metrics.session import AnalysisSession
from canary.metrics.source import (
    Kind,
    NoData,
    Partial,
    Query,
    Refused,
    Sample,
    SourceConfig,
    Unavailable,
    answer,
    answers,
)
from tests.contract.metrics.conftest import Exporter
from tests.contract.metrics.exposition import Native, exposed
from tests.contract.running import LOCAL, free_port, wait_for


@pytest.fixture
def source(prometheus: str) -> Iterator[PrometheusSource]:
    made = PrometheusSource(SourceConfig("main", prometheus))
    yield made
    made.close()


def samples(source: PrometheusSource, selector: str, window: int = 30) -> Sample | NoData | Partial:
    return source.ask(Query("main", f"{selector}[{window}s]", Kind.SAMPLES, time.time()))


def scraped(source: PrometheusSource, selector: str, least: int = 1) -> Sample:
    found: list[Sample] = []

    def there() -> bool:
        got = samples(source, selector)
        if isinstance(got, Sample) and all(len(series.times) >= least for series in got.series):
            found.append(got)
        return bool(found)

    wait_for(there, 20, f"{selector} is scraped")
    return found[-1]


def test_raw_samples_come_with_their_own_timestamps(source: PrometheusSource, exporter: Exporter):
    exporter.text = 'data_total{code="200"} 41\ndata_total{code="503"} 1\n'
    got = scraped(source, "data_total", least=3)
    assert {series.label("code"): series.values[-1] for series in got.series} == {"200": 41.0, "503": 1.0}
    for series in got.series:
        assert series.label("job") == "app"
        assert np.diff(series.times) == pytest.approx(1.0, abs=0.5)
        # A scrape's series share its time stamp: that is how a series' birth in an up target is seen.
        assert series.times[-1] == got.series[0].times[-1]


def test_an_empty_vector_is_no_data(source: PrometheusSource):
    assert samples(source, 'nothing_like_this_total{a="b"}') == NoData()


def test_a_number_is_a_sample_and_nan_is_kept_for_the_reader_to_refuse(source: PrometheusSource):
    for expression, expected in (("vector(7)", 7.0), ("scalar(vector(7))", 7.0), ("vector(0)/0", np.nan)):
        got = source.ask(Query("main", expression, Kind.VALUE, time.time()))
        assert isinstance(got, Sample)
        assert got.series[0].values == pytest.approx([expected], nan_ok=True)


def test_missed_instants_come_back_at_the_instants_that_were_asked_for(source: PrometheusSource):
    start = time.time() - 10.25  # the client alone would round it
    got = source.ask(Query("main", "vector(1)", Kind.VALUES, start + 6, start=start, step_seconds=2))
    assert isinstance(got, Sample)
    assert got.series[0].times == pytest.approx([start, start + 2, start + 4, start + 6], abs=0.01)


@pytest.mark.parametrize(
    "expression", ["rate(", "sum(up", "up{job=}", "no_such_function(up)"], ids=["open", "sum", "matcher", "function"]
)
def test_a_wrong_query_is_refused_in_prometheus_own_words(source: PrometheusSource, expression: str):
    with pytest.raises(SpecInvalid, match=r"metric source 'main' refuses the query: bad_data: .*parse error"):
        source.ask(Query("main", expression, Kind.VALUE, time.time()))


def test_an_instant_where_a_range_belongs_is_refused(source: PrometheusSource):
    with pytest.raises(SpecInvalid, match="must select a range"):
        source.ask(Query("main", "vector(1)", Kind.SAMPLES, time.time()))


def test_a_target_that_went_away_has_old_samples_only(source: PrometheusSource, exporter: Exporter):
    exporter.text = "stale_total 5\n"
    scraped(source, "stale_total", least=2)
    exporter.text = None
    down = time.time()
    wait_for(lambda: time.time() > down + 3, 10, "three scrapes failed")
    got = samples(source, "stale_total")
    assert isinstance(got, Sample)
    assert got.series[0].times[-1] < down + 1.1


@pytest.mark.parametrize("value", ['a"b', "a'b", "a\\b", "a\nb", "a{b}", "a\tb", "ä", "\x07", "$1", "a|b.*"])
def test_prometheus_reads_escaped_text_as_the_text_itself(source: PrometheusSource, value: str):
    for quote in "\"'":
        text = f"label_replace(vector(1), 'x', {quote}{escape(value.replace('$', '$$'), quote)}{quote}, '', '')"
        got = source.ask(Query("main", text, Kind.VALUE, time.time()))
        assert isinstance(got, Sample)
        assert got.series[0].label("x") == value


def test_an_argument_in_a_pattern_matches_itself_only(source: PrometheusSource, exporter: Exporter):
    exporter.text = 'pattern_total{path="a.b|c"} 1\npattern_total{path="axb"} 1\npattern_total{path="c"} 1\n'
    scraped(source, "pattern_total")
    got = samples(source, fill('pattern_total{path=~"${args.x}"}', {"args.x": "a.b|c"}))
    assert isinstance(got, Sample)
    assert [series.label("path") for series in got.series] == ["a.b|c"]


def test_a_query_longer_than_an_address_may_be_is_answered(source: PrometheusSource):
    many = "|".join(f"deployment-{number}" for number in range(5000))
    assert len(many) > 64_000
    assert samples(source, Selector.parse("up").narrowed([("pod", many)])) == NoData()


def test_a_source_that_is_not_there_is_unavailable():
    gone = PrometheusSource(SourceConfig("main", f"http://{LOCAL}:{free_port()}"))
    got = answer({"main": gone}, Query("main", "up", Kind.VALUE, 1.0))
    assert isinstance(got, Unavailable)
    assert "metric source 'main' cannot be reached" in got.message


def test_a_source_without_a_name_in_the_configuration_is_refused_with_the_known_names():
    got = answer({"main": PrometheusSource(SourceConfig("main", "http://x"))}, Query("mian", "up", Kind.VALUE, 1.0))
    assert got == Refused("no metric source is named 'mian' (the operator's configuration has: main)")


def test_a_release_is_judged_through_the_real_prometheus(source: PrometheusSource, exporter: Exporter):
    counted = {"old": [0, 0], "new": [0, 0]}

    def tell() -> None:
        exporter.text = "".join(
            f'rq_total{{hash="{h}",code="{code}"}} {n}\n'
            for h, both in counted.items()
            for code, n in zip(("200", "503"), both, strict=True)
            if n or code == "200"
        )

    tell()
    scraped(source, "rq_total")
    metric = CounterMetric(
        "http/errors",
        "main",
        bad='rq_total{code=~"5.."}',
        total="rq_total",
        candidate=(TrackLabel("hash", "new"),),
        stable=(TrackLabel("hash", "old"),),
        judge=Compare(),
        interval_seconds=1.0,
    )
    session = AnalysisSession.start([metric], started_at=time.time())
    end = time.monotonic() + 30
    while time.monotonic() < end and (session.verdict is None or session.verdict.outcome is not Outcome.FAIL):
        counted["old"][0] += 180
        counted["old"][1] += 2
        counted["new"][0] += 18
        counted["new"][1] += 4  # born in an up target, at its first error
        tell()
        time.sleep(0.3)  # the pace of the traffic, not a wait for luck
        now = time.time()
        planned = plan(session.needs(now))
        session = session.ingest(now, planned.replies(answers({"main": source}, planned.queries)))
    assert session.verdict is not None
    assert (session.verdict.outcome, session.verdict.reason) == (Outcome.FAIL, Reason.EVIDENCE_AGAINST)


def test_a_native_histogram_is_judged_through_the_real_prometheus(source: PrometheusSource, exporter: Exporter):
    # Schema 3: buckets of 9 %. -16 ends at 0.25 s; 5 at 1.54 s is slow. The canary's slow bucket appears late.
    name, slow = "native_seconds", 12
    counted = {"old": {-16: 0, 5: 0}, "new": {-16: 0}}

    def tell() -> None:
        exporter.binary = exposed(name, [Native({"hash": h}, 3, counts) for h, counts in counted.items()])

    metric = HistogramMetric(
        "http/latency",
        "main",
        buckets=name,
        bound=0.3,
        candidate=(TrackLabel("hash", "new"),),
        stable=(TrackLabel("hash", "old"),),
        judge=Compare(),
        interval_seconds=1.0,
    )
    try:
        tell()
        scraped(source, name)
        session = AnalysisSession.start([metric], started_at=time.time())
        end = time.monotonic() + 30
        while time.monotonic() < end and (session.verdict is None or session.verdict.outcome is not Outcome.FAIL):
            counted["old"][-16] += 170
            counted["old"][5] += 10
            counted["new"][-16] += 18 - slow
            counted["new"][5] = counted["new"].get(5, 0) + slow
            tell()
            time.sleep(0.3)  # the pace of the traffic, not a wait for luck
            now = time.time()
            planned = plan(session.needs(now))
            session = session.ingest(now, planned.replies(answers({"main": source}, planned.queries)))
    finally:
        exporter.binary = None
    assert session.verdict is not None
    (reading,) = session.verdict.readings
    assert reading.outcome is Outcome.FAIL
    assert reading.canary.ratio == pytest.approx(slow / 18)
    assert reading.stable.ratio == pytest.approx(10 / 180)
    assert "share above 0.297302" in reading.message  # the boundary nearest to 0.3


def test_prometheus_own_fraction_of_a_native_histogram_is_ours(source: PrometheusSource, exporter: Exporter):
    try:
        exporter.binary = exposed("own_seconds", [Native({}, 3, {-20: 10, -16: 30, -14: 7, 5: 3})])
        got = scraped(source, "own_seconds")
        (series,) = got.series
        assert isinstance(series, NativeSeries)
        for bound in (nearest_boundary(each, 3) for each in (0.2, 0.25, 0.3, 1.5)):
            ours = as_buckets(series, [bound], "le")[0].values[-1] / series.values[-1]
            query = f"histogram_fraction(0, {bound!r}, own_seconds)"
            said = source.ask(Query("main", query, Kind.VALUE, time.time()))
            assert isinstance(said, Sample)
            assert ours == pytest.approx(said.series[0].values[-1])
        with pytest.raises(SpecInvalid, match="gives native histograms"):
            source.ask(Query("main", "own_seconds", Kind.VALUE, time.time()))
    finally:
        exporter.binary = None


def test_a_histogram_is_judged_through_the_real_prometheus(source: PrometheusSource, exporter: Exporter):
    bounds = ("0.1", "0.5", "1", "+Inf")
    counted = {"old": np.zeros(4), "new": np.zeros(4)}
    each_time = {"old": np.array([150, 178, 180, 180]), "new": np.array([9, 12, 18, 18])}

    def tell() -> None:
        exporter.text = "# TYPE took_seconds histogram\n" + "".join(
            f'took_seconds_bucket{{hash="{h}",le="{bound}"}} {n:g}\n'
            for h, row in counted.items()
            for bound, n in zip(bounds, row, strict=True)
        )

    tell()
    scraped(source, "took_seconds_bucket")
    metric = HistogramMetric(
        "http/latency",
        "main",
        buckets="took_seconds_bucket",
        bound=0.5,
        candidate=(TrackLabel("hash", "new"),),
        stable=(TrackLabel("hash", "old"),),
        judge=Compare(),
        interval_seconds=1.0,
    )
    session = AnalysisSession.start([metric], started_at=time.time())
    end = time.monotonic() + 30
    while time.monotonic() < end and (session.verdict is None or session.verdict.outcome is not Outcome.FAIL):
        for h, more in each_time.items():
            counted[h] += more
        tell()
        time.sleep(0.3)  # the pace of the traffic, not a wait for luck
        now = time.time()
        planned = plan(session.needs(now))
        assert len(planned.queries) <= 1
        session = session.ingest(now, planned.replies(answers({"main": source}, planned.queries)))
    assert session.verdict is not None
    assert (session.verdict.outcome, session.verdict.reason) == (Outcome.FAIL, Reason.EVIDENCE_AGAINST)
    reading = session.verdict.readings[0]
    assert reading.stable.ratio == pytest.approx(2 / 180)
    assert reading.canary.ratio == pytest.approx(6 / 18)


Play = Callable[[http.server.BaseHTTPRequestHandler], None]


@pytest.fixture
def played() -> Iterator[Callable[[Play], PrometheusSource]]:
    """A source whose server does what the test says."""
    servers: list[http.server.ThreadingHTTPServer] = []
    release = threading.Event()

    def start(play: Play) -> PrometheusSource:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                if play is not silence:
                    play(self)
                else:
                    release.wait(10)

            @override
            def log_message(self, *_: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer((LOCAL, 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return PrometheusSource(SourceConfig("main", f"http://{LOCAL}:{server.server_address[1]}", timeout_seconds=0.3))

    yield start
    release.set()
    for server in servers:
        server.shutdown()
        server.server_close()


def silence(_handler: http.server.BaseHTTPRequestHandler) -> None:
    """Accept, and never answer."""


def say(status: int, body: object, **headers: str) -> Play:
    def play(handler: http.server.BaseHTTPRequestHandler) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(raw)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(raw)

    return play


QUERY = Query("main", "up[1m]", Kind.SAMPLES, 1.0)


def test_warnings_make_an_answer_partial_however_much_it_holds(played: Callable[[Play], PrometheusSource]):
    body = {
        "status": "success",
        "warnings": ["store gateway 10.0.0.7 unavailable"],
        "data": {"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "1"]]}]},
    }
    assert played(say(200, body)).ask(QUERY) == Partial(("store gateway 10.0.0.7 unavailable",))
    assert isinstance(played(say(200, {**body, "warnings": []})).ask(QUERY), Sample)


def test_victoriametrics_says_partial_in_its_own_field(played: Callable[[Play], PrometheusSource]):
    body = {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "1"]}]}}
    value = replace(QUERY, kind=Kind.VALUE)
    assert isinstance(played(say(200, {**body, "isPartial": True})).ask(value), Partial)
    assert isinstance(played(say(200, {**body, "isPartial": False})).ask(value), Sample)


def test_a_remark_on_the_query_makes_no_answer_partial(played: Callable[[Play], PrometheusSource]):
    body = {
        "status": "success",
        "infos": ["PromQL info: metric might not be a counter"],
        "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "1"]}]},
    }
    assert isinstance(played(say(200, body)).ask(replace(QUERY, kind=Kind.VALUE)), Sample)


def test_a_silent_source_costs_its_timeout_and_no_retries(played: Callable[[Play], PrometheusSource]):
    source = played(silence)
    began = time.monotonic()
    with pytest.raises(MetricsUnavailable, match=r"did not answer within 0\.3 s"):
        source.ask(QUERY)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("play", "says"),
    [
        pytest.param(
            say(503, {"status": "error", "errorType": "unavailable", "error": "no"}), "answered 503", id="503"
        ),
        pytest.param(say(502, b"<html>Bad Gateway"), "answered 502: <html>Bad Gateway", id="proxy"),
        pytest.param(say(401, b""), "answered 401", id="401"),
        pytest.param(say(200, b"<html>login"), "not JSON", id="login page"),
        pytest.param(say(200, {"status": "success"}), "a shape that is not", id="no data"),
        pytest.param(say(200, [1]), "a shape that is not", id="list"),
        pytest.param(
            say(200, {"data": {"result": [{"metric": {}, "values": [[1, "x"]]}]}}), "a shape that is not", id="value"
        ),
        pytest.param(say(200, {"data": {"result": [{"metric": {}}]}}), "a shape that is not", id="no values"),
    ],
)
def test_every_broken_answer_is_unavailable_and_says_how(
    played: Callable[[Play], PrometheusSource], play: Play, says: str
):
    with pytest.raises(MetricsUnavailable, match=says):
        played(play).ask(QUERY)


def test_a_source_that_asks_for_patience_is_heard(played: Callable[[Play], PrometheusSource]):
    with pytest.raises(MetricsUnavailable) as raised:
        played(say(429, b"slow down", Retry_After="7")).ask(QUERY)
    assert raised.value.retry_after_seconds == 7


def test_a_query_that_cannot_be_executed_is_refused(played: Callable[[Play], PrometheusSource]):
    body = {"status": "error", "errorType": "execution", "error": "many-to-many matching not allowed"}
    with pytest.raises(SpecInvalid, match="execution: many-to-many"):
        played(say(422, body)).ask(QUERY)


def test_headers_and_parameters_of_the_configuration_are_sent(played: Callable[[Play], PrometheusSource]):
    seen: dict[str, str] = {}

    def play(handler: http.server.BaseHTTPRequestHandler) -> None:
        seen.update(handler.headers.items())
        say(200, {"data": {"result": []}})(handler)

    source = played(play)
    tenant = PrometheusSource(
        SourceConfig("main", source.config.url, headers=(("X-Scope-OrgID", "shop"),), timeout_seconds=1)
    )
    assert tenant.ask(QUERY) == NoData()
    assert seen["X-Scope-OrgID"] == "shop"


def test_a_token_is_read_at_each_request(played: Callable[[Play], PrometheusSource], tmp_path: Path):
    seen: list[str | None] = []

    def play(handler: http.server.BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers["Authorization"])
        say(200, {"data": {"result": []}})(handler)

    token = tmp_path / "token"
    url = played(play).config.url
    source = PrometheusSource(SourceConfig("main", url, timeout_seconds=1, bearer_token_file=str(token)))
    for written in ("old", "new"):
        token.write_text(f"{written}\n")
        assert source.ask(QUERY) == NoData()
    assert seen == ["Bearer old", "Bearer new"]
    token.unlink()
    with pytest.raises(MetricsUnavailable, match=r"secret file .* cannot be read: No such file"):
        source.ask(QUERY)


def test_every_error_of_the_client_has_its_place_in_the_table():
    modules = (requests.exceptions, prometheus_api_client.exceptions)
    errors = [
        found
        for module in modules
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, Exception) and not issubclass(found, Warning) and found.__module__ == module.__name__
    ]
    assert len(errors) > 20
    assert [e for e in errors if not issubclass(e, tuple(known for known, _, _ in ERRORS))] == []
