"""/healthz, /readyz and /metrics."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest


def application(ready: Callable[[], bool], registry: CollectorRegistry) -> web.Application:
    """Return the pages.

    `ready` says whether the caches are filled. Who leads is no matter of readiness, so that a rolling update goes on.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")  # that the loop answers is all that is asked

    async def readyz(_: web.Request) -> web.Response:
        if ready():
            return web.Response(text="ok\n")
        return web.Response(text="the caches are not filled yet\n", status=503)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return app


@contextlib.asynccontextmanager
async def serve(app: web.Application, host: str, port: int) -> AsyncGenerator[None]:
    """Serve for as long as the block lasts.

    Raises
    ------
    OSError
        The address cannot be listened on.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()
