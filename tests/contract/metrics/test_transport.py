"""Secrets as files: sent as each system wants them, and read again when they have changed, without a restart."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from canary.errors import MetricsUnavailable
from canary.metrics.prometheus import PrometheusSource
from canary.metrics.source import Kind, NoData, Query, SecretHeader, SourceConfig
from canary.metrics.transport import Transport
from tests.contract.metrics.playing import LOCAL, Played, Say, playing

EMPTY = Say({"status": "success", "data": {"resultType": "vector", "result": []}})
QUERY = Query("main", "up", Kind.VALUE, 1.0)


@pytest.fixture
def server() -> Iterator[Played]:
    with playing(EMPTY) as played:
        yield played


def asked_with(server: Played, **config: object) -> PrometheusSource:
    return PrometheusSource(SourceConfig("main", server.url, **config))  # type: ignore[arg-type]


def test_a_token_is_read_at_each_request(server: Played, tmp_path: Path):
    token = tmp_path / "token"
    source = asked_with(server, bearer_token_file=str(token))
    for said in ("first", "second\n"):
        token.write_text(said)
        assert source.ask(QUERY) == NoData()
    assert [asked.headers["Authorization"] for asked in server.asked] == ["Bearer first", "Bearer second"]


def test_a_password_is_read_at_each_request(server: Played, tmp_path: Path):
    password = tmp_path / "password"
    source = asked_with(server, username="canary", password_file=str(password))
    for said in ("first", "zwölf"):
        password.write_text(said)
        source.ask(QUERY)
    sent = [base64.b64decode(asked.headers["Authorization"].removeprefix("Basic ")) for asked in server.asked]
    assert [each.decode() for each in sent] == ["canary:first", "canary:zwölf"]


def test_a_header_may_be_a_file_with_a_word_before_it(server: Played, tmp_path: Path):
    (tmp_path / "key").write_text("k1")
    secrets = (SecretHeader("Authorization", str(tmp_path / "key"), "Api-Token "),)
    asked_with(server, other_secrets=secrets, headers=(("X-Scope-OrgID", "shop"),)).ask(QUERY)
    assert server.asked[0].headers["Authorization"] == "Api-Token k1"
    assert server.asked[0].headers["X-Scope-OrgID"] == "shop"


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "cannot be read: No such file"), (b"a\nb", "one line"), (b"", "one line"), (b"\xff\xfe", "not text")],
    ids=["absent", "two lines", "empty", "bytes"],
)
def test_a_secret_that_is_none_is_told_without_its_content(server: Played, tmp_path: Path, content, says):
    token = tmp_path / "token"
    if content is not None:
        token.write_bytes(content)
    with pytest.raises(MetricsUnavailable, match=says) as told:
        asked_with(server, bearer_token_file=str(token)).ask(QUERY)
    assert "a\\nb" not in str(told.value)
    assert server.asked == []


def test_a_redirect_is_not_followed_with_our_keys(server: Played, tmp_path: Path):
    (tmp_path / "key").write_text("k1")
    with playing(Say(b"", 302, {"Location": server.url})) as redirecting:
        source = asked_with(redirecting, other_secrets=(SecretHeader("DD-API-KEY", str(tmp_path / "key")),))
        with pytest.raises(MetricsUnavailable, match=r"302: it redirects to http://127\.0\.0\.1:\d+, which is not"):
            source.ask(QUERY)
    assert server.asked == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_credential_is_told_as_one(server: Played, status: int):
    server.says = Say({"status": "error", "errorType": "unauthorized", "error": "who are you"}, status)
    with pytest.raises(MetricsUnavailable, match=rf"{status}, refusing the operator's credential: .*who are you"):
        asked_with(server).ask(QUERY)


def test_a_source_that_asks_for_a_pause_gets_it(server: Played):
    now = [100.0]
    transport = Transport(SourceConfig("main", server.url), monotonic=lambda: now[0])
    server.says = Say(b"", 429, {"Retry-After": "30"})
    assert transport.get(server.url).status_code == 429
    now[0] += 29
    with pytest.raises(MetricsUnavailable, match="asked for a pause, of which 1 s are left") as told:
        transport.get(server.url)
    assert told.value.retry_after_seconds == pytest.approx(1)
    assert len(server.asked) == 1
    now[0] += 2
    transport.get(server.url)
    assert len(server.asked) == 2


def test_a_pause_of_a_day_is_not_believed(server: Played):
    now = [100.0]
    transport = Transport(SourceConfig("main", server.url), monotonic=lambda: now[0])
    server.says = Say(b"", 429, {"X-RateLimit-Reset": "86400"})
    transport.get(server.url)
    now[0] += 301
    transport.get(server.url)
    assert len(server.asked) == 2


@dataclass
class Authority:
    """A certificate authority, a server that it vouches for, and that lets its clients in only."""

    ca: trustme.CA
    server: Played

    def give(self, folder: Path, client: str) -> None:
        """Write what a Secret for mutual TLS holds."""
        made = self.ca.issue_cert(common_name=client)
        made.private_key_pem.write_to_path(str(folder / "tls.key"))
        made.cert_chain_pems[0].write_to_path(str(folder / "tls.crt"))
        self.ca.cert_pem.write_to_path(str(folder / "ca.crt"))


@pytest.fixture
def authorities() -> Iterator[Callable[[], Authority]]:
    opened = []

    def make() -> Authority:
        ca = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(LOCAL).configure_cert(context)
        ca.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        manager = playing(EMPTY, context=context)
        opened.append(manager)
        return Authority(ca, manager.__enter__())

    yield make
    for manager in opened:
        manager.__exit__(None, None, None)


def test_certificates_are_taken_anew_when_they_are_replaced(authorities: Callable[[], Authority], tmp_path: Path):
    authority = authorities()
    authority.give(tmp_path, "one")
    files = {"ca_file": "ca.crt", "cert_file": "tls.crt", "key_file": "tls.key"}
    source = asked_with(authority.server, **{name: str(tmp_path / file) for name, file in files.items()})
    assert source.ask(QUERY) == NoData()
    assert source.ask(QUERY) == NoData()
    authority.give(tmp_path, "two")
    assert source.ask(QUERY) == NoData()
    assert [asked.certificate for asked in authority.server.asked] == ["one", "one", "two"]
    source.close()


def test_a_server_of_another_authority_is_not_told_anything(authorities: Callable[[], Authority], tmp_path: Path):
    ours, other = authorities(), authorities()
    ours.give(tmp_path, "one")
    source = asked_with(other.server, ca_file=str(tmp_path / "ca.crt"))
    with pytest.raises(MetricsUnavailable, match="cannot be trusted"):
        source.ask(QUERY)
    assert other.server.asked == []
    other.ca.cert_pem.write_to_path(str(tmp_path / "ca.crt"))  # the bundle is replaced: now it is trusted
    with pytest.raises(MetricsUnavailable, match="main"):  # and asks for a certificate, of which there is none
        source.ask(QUERY)
    assert other.server.asked == []


def test_without_its_certificate_s_file_nothing_is_asked(authorities: Callable[[], Authority], tmp_path: Path):
    authority = authorities()
    authority.give(tmp_path, "one")
    (tmp_path / "tls.key").unlink()
    files = {"cert_file": str(tmp_path / "tls.crt"), "key_file": str(tmp_path / "tls.key")}
    with pytest.raises(MetricsUnavailable, match=r"tls\.key cannot be read: No such file"):
        asked_with(authority.server, **files).ask(QUERY)
