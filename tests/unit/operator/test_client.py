"""The API client against a real HTTP server: what is sent, and what its answers become."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from canary.errors import ApiConflict, ApiUnavailable, CanaryError, Forbidden, NotFound, Retryable, SpecInvalid
from canary.operator import client
from canary.operator.client import KubernetesApi
from canary.operator.kinds import CONFIG_MAP, DEPLOYMENT, ROLLOUT
from canary.operator.lease import MARGIN_SECONDS


class Server:
    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str, str]] = []
        self.status = 200
        self.body: dict[str, Any] = {"metadata": {}}
        self.headers: dict[str, str] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        self.requests.append((request.method, str(request.rel_url), request.content_type, text))
        return web.json_response(self.body, status=self.status, headers=self.headers)


@contextlib.asynccontextmanager
async def serving(server: Server) -> AsyncIterator[KubernetesApi]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]  # started above
    configuration = Configuration(host=f"http://127.0.0.1:{port}")
    api = KubernetesApi(configuration)
    try:
        yield api
    finally:
        await api.close()
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (403, Forbidden),
        (404, NotFound),
        (409, ApiConflict),
        (422, SpecInvalid),
        (429, ApiUnavailable),
        (500, ApiUnavailable),
        (503, ApiUnavailable),
    ],
)
async def test_an_answer_becomes_the_error_that_says_what_to_do(status, error):
    server = Server()
    server.status, server.body = status, {"kind": "Status", "message": "because"}
    async with serving(server) as api:
        with pytest.raises(error, match="get Deployment ns/name: because"):
            await api.get(DEPLOYMENT, "ns", "name")


async def test_retry_after_is_kept():
    server = Server()
    server.status, server.headers = 429, {"Retry-After": "7"}
    async with serving(server) as api:
        with pytest.raises(Retryable) as caught:
            await api.get(DEPLOYMENT, "ns", "name")
    assert caught.value.retry_after_seconds == 7


async def test_a_server_that_does_not_answer_is_unavailable(monkeypatch):
    monkeypatch.setattr(client, "REQUEST_TIMEOUT_SECONDS", 0.2)
    api = KubernetesApi(Configuration(host="http://127.0.0.1:9"))
    try:
        with pytest.raises(ApiUnavailable, match="did not answer"):
            await api.get(DEPLOYMENT, "ns", "name")
    finally:
        await api.close()


def test_a_write_is_given_up_before_another_operator_may_lead():
    assert client.WRITE_TIMEOUT_SECONDS < MARGIN_SECONDS


async def test_each_write_says_its_kind_of_patch_and_its_manager():
    server = Server()
    async with serving(server) as api:
        await api.patch(ROLLOUT, "ns", "r", {"status": {}}, manager="m", subresource="status")
        await api.patch(DEPLOYMENT, "ns", "d", [{"op": "test", "path": "/a", "value": 1}], manager="m")
        await api.apply(DEPLOYMENT, {"metadata": {"namespace": "ns", "name": "d"}}, manager="m")
    assert [(method, url, kind) for method, url, kind, _ in server.requests] == [
        (
            "PATCH",
            "/apis/canary.delivery/v1alpha1/namespaces/ns/rollouts/r/status?fieldManager=m",
            "application/merge-patch+json",
        ),
        ("PATCH", "/apis/apps/v1/namespaces/ns/deployments/d?fieldManager=m", "application/json-patch+json"),
        (
            "PATCH",
            "/apis/apps/v1/namespaces/ns/deployments/d?fieldManager=m&force=true",
            "application/apply-patch+yaml",
        ),
    ]
    assert api.writes == {"Rollout": 1, "Deployment": 2}


async def test_a_failed_test_of_a_json_patch_is_a_conflict():
    server = Server()
    server.status = 422
    async with serving(server) as api:
        with pytest.raises(ApiConflict):
            await api.patch(DEPLOYMENT, "ns", "d", [{"op": "test", "path": "/a", "value": 1}], manager="m")


async def test_what_is_gone_or_another_is_deleted_already():
    server = Server()
    async with serving(server) as api:
        for status in (404, 409):
            server.status = status
            await api.delete(DEPLOYMENT, "ns", "d", uid="u")
        with pytest.raises(CanaryError):
            await api.delete(DEPLOYMENT, "ns", "d")


async def test_of_config_maps_only_ours_are_listed():
    server = Server()
    async with serving(server) as api:
        await api.list(CONFIG_MAP)
    assert server.requests[0][1] == "/api/v1/configmaps?fieldSelector=metadata.name%3Dcanary-rejected-versions"


@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_dry_run_says_so_to_the_server_and_is_not_counted_as_a_write(dry_run):
    server = Server()
    async with serving(server) as api:
        await api.patch(DEPLOYMENT, "shop", "checkout", {"spec": {}}, manager="canary-probe", dry_run=dry_run)
    (_, url, _, _), *_ = server.requests
    assert ("dryRun=All" in url) is dry_run
    assert api.writes["Deployment"] == (0 if dry_run else 1)
