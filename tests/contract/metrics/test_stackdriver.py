"""Google Cloud Monitoring: Prometheus' shapes, Google's tokens."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from canary.errors import MetricsUnavailable, SpecInvalid
from canary.metrics.source import Kind, NoData, Query, Sample, SourceConfig
from canary.metrics.stackdriver import StackdriverSource
from tests.contract.metrics.playing import Asked, Played, Say, playing

QUERY = Query("gcm", "up", Kind.VALUE, 60.0)
VECTOR = {"resultType": "vector", "result": [{"metric": {"pod": "a"}, "value": [60, "0.5"]}]}


@pytest.fixture
def server() -> Iterator[Played]:
    def say(asked: Asked) -> Say:
        if asked.path == "/token":
            number = sum(each.path == "/token" for each in played.asked)
            return Say({"access_token": f"t{number}", "expires_in": 3600, "token_type": "Bearer"})
        return Say({"status": "success", "data": VECTOR})

    with playing(say) as played:
        yield played


def account(server: Played, email: str) -> str:
    key = trustme.CA().issue_cert("x", key_type=trustme.KeyType.RSA).private_key_pem.bytes().decode()
    told = {
        "type": "service_account", "client_email": email, "private_key_id": "1", "private_key": key,
        "token_uri": f"{server.url}/token",
    }  # fmt: skip
    return json.dumps(told)


def opened(server: Played, file: Path) -> StackdriverSource:
    config = SourceConfig("gcm", f"{server.url}/v1/projects/shop/location/global/prometheus")
    return StackdriverSource(config, credentials_file=str(file))


def test_a_token_is_got_once_and_again_when_the_credentials_are_replaced(server: Played, tmp_path: Path):
    file = tmp_path / "key.json"
    file.write_text(account(server, "one@shop"))
    source = opened(server, file)
    for _ in range(2):
        got = source.ask(QUERY)
        assert isinstance(got, Sample)
        assert got.series[0].values.tolist() == [0.5]
    file.write_text(account(server, "two@shop"))
    source.ask(QUERY)
    asked = [each for each in server.asked if each.path != "/token"]
    assert {each.path for each in asked} == {"/v1/projects/shop/location/global/prometheus/api/v1/query"}
    assert [each.headers["Authorization"] for each in asked] == ["Bearer t1", "Bearer t1", "Bearer t2"]


def test_an_empty_answer_is_no_data(server: Played, tmp_path: Path):
    file = tmp_path / "key.json"
    file.write_text(account(server, "one@shop"))
    source = opened(server, file)
    source.ask(QUERY)
    server.says = Say({"status": "success", "data": {"resultType": "vector", "result": []}})
    assert source.ask(QUERY) == NoData()


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "cannot be read: No such file"), ("{", "gets no token from Google"), ("{}", "gets no token from Google")],
    ids=["absent", "no JSON", "empty"],
)
def test_credentials_that_are_none_are_told(server: Played, tmp_path: Path, content, says):
    if content is not None:
        (tmp_path / "key.json").write_text(content)
    with pytest.raises(MetricsUnavailable, match=says):
        opened(server, tmp_path / "key.json").ask(QUERY)
    assert server.asked == []


def test_a_token_that_google_refuses_is_told(server: Played, tmp_path: Path):
    (tmp_path / "key.json").write_text(account(server, "one@shop"))
    server.says = Say({"error": "invalid_grant", "error_description": "Invalid JWT"}, 400)
    with pytest.raises(MetricsUnavailable, match=r"gets no token from Google: .*invalid_grant"):
        opened(server, tmp_path / "key.json").ask(QUERY)


def test_without_its_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "google.auth", None)
    with pytest.raises(SpecInvalid, match=r"install canary-delivery\[google\]"):
        StackdriverSource(SourceConfig("gcm", "http://x"), credentials_file=None)
