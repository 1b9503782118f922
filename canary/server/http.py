"""/healthz, /readyz and /metrics."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from canary.operator.config import Config
from canary.operator.operator import Operator
from canary.operator.telemetry import Telemetry


def application(operator: Operator, telemetry: Telemetry) -> web.Application:
    """Return the pages."""

    async def healthz(_: web.Request) -> web.Response:
        """The loop answers: that is what this shows."""
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        """Ready means warm caches; who leads is no matter of readiness, so that a rolling update goes on."""
        if operator.listed.is_set():
            return web.Response(text="ok\n")
        return web.Response(text="the caches are not filled yet\n", status=503)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(telemetry.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return app


@contextlib.asynccontextmanager
async def serve(config: Config, operator: Operator, telemetry: Telemetry) -> AsyncGenerator[None]:
    """Serve the pages for as long as the block lasts."""
    runner = web.AppRunner(application(operator, telemetry), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    host, port = config.address
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()
