"""The real client against a socket that answers as an API server does."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from canary.cli.apiserver import ApiServer, connect
from canary.cli.cluster import Target
from canary.cli.exits import NotInstalled
from canary.errors import ApiConflict, ApiUnavailable, CanaryError, Forbidden, NeedsHuman, NotFound, SpecInvalid
from tests.unit.cli import samples

ROLLOUTS = "/apis/canary.delivery/v1alpha1/namespaces/shop/rollouts"
Answer = tuple[int, str | list[str]]


class Server(ThreadingHTTPServer):
    """Answers each request by its method and path, and keeps what was asked."""

    daemon_threads = True
    answers: dict[tuple[str, str], Answer]
    asked: list[tuple[str, str, dict[str, Any] | None, str]]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        self.server.asked.append(
            (self.command, self.path, json.loads(body) if body else None, self.headers["Content-Type"])
        )
        key = ("WATCH" if "watch=true" in query.lower() else self.command, path)
        status, text = self.server.answers.get(key, (404, "404 page not found\n"))
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if status != 404 or text[0] == "{" else "text/plain")
        self.end_headers()
        for part in [text] if isinstance(text, str) else text:
            self.wfile.write(part.encode())

    do_GET = do_PATCH = do_POST = _answer  # noqa: N815 -- names of the standard library

    @override
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.answers, server.asked = {}, []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Callable[[int], Path]:
    def write(port: int) -> Path:
        contexts = [{"name": "test", "context": {"cluster": "test", "user": "grace", "namespace": "shop"}}]
        contexts += [{"name": "plain", "context": {"cluster": "test", "user": "grace"}}]
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": contexts,
            "clusters": [{"name": "test", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "users": [{"name": "grace", "user": {}}],
        }
        path = tmp_path / "config"
        path.write_text(json.dumps(config))
        return path

    return write


@pytest.fixture
def api(server: Server, kubeconfig: Callable[[int], Path]) -> ApiServer:
    return connect(Target(kubeconfig(server.server_port)))


def failure(reason: str, message: str, **details: str) -> str:
    return json.dumps({"kind": "Status", "status": "Failure", "reason": reason, "message": message, "details": details})


def numbered(version: int, **status: Any) -> dict[str, Any]:
    document = samples.in_step(**status)
    document["metadata"]["resourceVersion"] = str(version)
    return document


def event(kind: str, document: dict[str, Any]) -> str:
    return json.dumps({"type": kind, "object": document}) + "\n"


def test_the_namespace_is_the_options_then_the_contexts_then_default(server: Server, kubeconfig):
    file = kubeconfig(server.server_port)
    assert connect(Target(file, namespace="other")).namespace == "other"
    assert connect(Target(file)).namespace == "shop"
    assert connect(Target(file, context="plain")).namespace == "default"


def test_a_rollout_and_a_list_are_read(api: ApiServer, server: Server):
    server.answers["GET", f"{ROLLOUTS}/checkout"] = 200, json.dumps(numbered(7))
    items = [{k: v for k, v in numbered(7).items() if k not in {"apiVersion", "kind"}}]
    server.answers["GET", ROLLOUTS] = 200, json.dumps({"items": items})
    server.answers["GET", "/apis/canary.delivery/v1alpha1/rollouts"] = 200, json.dumps({"items": []})
    seen = api.get_rollout("shop", "checkout")
    assert (seen.name, seen.resource_version, seen.status.weight) == ("checkout", "7", 10)
    assert api.list_rollouts("shop")[0].document["kind"] == "Rollout"
    assert api.list_rollouts(None) == ()


def test_a_patch_carries_the_version_that_was_looked_at(api: ApiServer, server: Server):
    server.answers["GET", f"{ROLLOUTS}/checkout"] = 200, json.dumps(numbered(7))
    server.answers["PATCH", f"{ROLLOUTS}/checkout"] = 200, json.dumps(numbered(8))
    seen = api.get_rollout("shop", "checkout")
    assert api.patch_annotations(seen, {"a": "1", "b": None}).resource_version == "8"
    _, path, body, content = server.asked[-1]
    assert body == {"metadata": {"resourceVersion": "7", "annotations": {"a": "1", "b": None}}}
    assert content == "application/merge-patch+json"
    assert "fieldManager=canary-cli" in path


def test_a_watch_yields_changes_also_when_they_come_in_pieces(api: ApiServer, server: Server):
    whole = event("MODIFIED", numbered(8, message="größer")) + event("BOOKMARK", {"metadata": {}})
    pieces = [whole[:30], whole[30:900], whole[900:], event("DELETED", numbered(9))]
    server.answers["GET", f"{ROLLOUTS}/checkout"] = 200, json.dumps(numbered(7))
    server.answers["WATCH", ROLLOUTS] = 200, pieces
    changes = list(api.watch(api.get_rollout("shop", "checkout"), 5.2))
    assert [seen and seen.status.message for seen in changes] == ["größer", None]
    path = server.asked[-1][1]
    assert "resourceVersion=7" in path
    assert "timeoutSeconds=6" in path
    assert "metadata.name%3Dcheckout" in path


def test_a_version_that_is_too_old_to_watch_ends_the_watch_without_an_error(api: ApiServer, server: Server):
    server.answers["GET", f"{ROLLOUTS}/checkout"] = 200, json.dumps(numbered(7))
    server.answers["WATCH", ROLLOUTS] = 200, event("ERROR", {"code": 410, "reason": "Expired"})
    assert list(api.watch(api.get_rollout("shop", "checkout"), 5)) == []


def test_who_asks_is_what_the_api_server_knows_else_what_the_kubeconfig_says(api: ApiServer, server: Server):
    assert api.whoami() == "grace"
    review = {"status": {"userInfo": {"username": "grace@example.com"}}}
    server.answers["POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews"] = 201, json.dumps(review)
    assert api.whoami() == "grace@example.com"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ((404, "404 page not found\n"), NotInstalled, "canary crds | kubectl apply"),
        ((404, failure("NotFound", 'rollouts "x" not found', name="x")), NotFound, 'rollouts "x" not found'),
        ((401, failure("Unauthorized", "Unauthorized")), Forbidden, "log in again"),
        ((403, failure("Forbidden", 'User "grace" cannot get')), Forbidden, 'User "grace" cannot get'),
        ((409, failure("Conflict", "the object has been modified")), ApiConflict, "the object has been modified"),
        ((422, failure("Invalid", "annotation too long")), SpecInvalid, "annotation too long"),
        ((503, "<html>"), ApiUnavailable, "answers 503"),
    ],
    ids=["crd", "name", "unauthorized", "forbidden", "conflict", "invalid", "down"],
)
def test_each_answer_is_an_error_of_ours(answer: Answer, kind: type[CanaryError], words: str, api, server: Server):
    server.answers["GET", f"{ROLLOUTS}/x"] = answer
    with pytest.raises(CanaryError) as caught:
        api.get_rollout("shop", "x")
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_does_not_listen_is_unavailable_at_once(kubeconfig):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port, nobody answers
        api = connect(Target(kubeconfig(taken.getsockname()[1])))
        with pytest.raises(ApiUnavailable, match=r"does not answer \(connection refused\)$"):
            api.get_rollout("shop", "checkout")


def test_a_cluster_that_cannot_be_named_is_said_so(tmp_path: Path, server: Server, kubeconfig, monkeypatch):
    with pytest.raises(NeedsHuman, match="does not exist"):
        connect(Target(tmp_path / "none"))
    with pytest.raises(NeedsHuman, match="no usable context 'staging'"):
        connect(Target(kubeconfig(server.server_port), context="staging"))
    (tmp_path / "broken").write_text("{")
    with pytest.raises(NeedsHuman, match="cannot be used"):
        connect(Target(tmp_path / "broken"))
    (tmp_path / "broken").write_text("hello")
    with pytest.raises(NeedsHuman, match="broken is no kubeconfig"):
        connect(Target(tmp_path / "broken"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(NeedsHuman, match=r"none \(\$KUBECONFIG\) does not exist"):
        connect(Target())
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(NeedsHuman, match="give one with --kubeconfig"):
        connect(Target())
