"""The watches against an API server that answers slowly: what is told to stop stops, and says nothing wrong."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from canary.operator.kinds import WATCHED
from canary.operator.watches import Watches
from lab import waiting

ANSWER_SECONDS = 0.2
"""Of each request: long enough that a stop falls between question and answer."""


class SlowApi:
    """Tells its groups, and then keeps whoever asks for one of them waiting."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.came = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        self.came.set()
        await asyncio.sleep(ANSWER_SECONDS)
        version = {"groupVersion": "apps/v1", "version": "v1"}
        groups = [{"name": "apps", "versions": [version], "preferredVersion": version}]
        return web.json_response({"versions": ["v1"], "groups": groups, "resources": []})


@pytest.fixture
async def api() -> AsyncIterator[tuple[SlowApi, Configuration]]:
    server = SlowApi()
    application = web.Application()
    application.router.add_get("/{path:.*}", server.answer)
    runner = web.AppRunner(application, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server, configuration
    await runner.cleanup()


@pytest.mark.parametrize("path", ["/api", "/api/v1"], ids=["at its first question", "at its second"])
async def test_watches_that_are_stopped_while_kopf_discovers_end_without_an_error(
    path: str, api: tuple[SlowApi, Configuration], caplog: pytest.LogCaptureFixture
) -> None:
    server, configuration = api
    watches = Watches([kind for kind in WATCHED if not kind.optional], lambda *_: None, configuration)
    with caplog.at_level(logging.INFO):
        watches.start()
        async with asyncio.timeout(30):
            while path not in server.asked:
                server.came.clear()
                await server.came.wait()
        watches.stop()
        await asyncio.to_thread(waiting.until, "kopf to end", lambda: not watches.alive)
        gc.collect()  # an error that nobody takes is told when its task is dropped
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [text for text in told if "OS signals are ignored" not in text] == []
