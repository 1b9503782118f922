"""Starting and stopping the process: connection, watches, signals."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import structlog

from canary.metrics.prometheus import PrometheusSource
from canary.operator import logs
from canary.operator.client import KubernetesApi
from canary.operator.clock import SystemClock
from canary.operator.config import Config
from canary.operator.connection import for_kopf, load_configuration
from canary.operator.kinds import WATCHED, Kind
from canary.operator.operator import Operator
from canary.operator.telemetry import Telemetry
from canary.operator.watches import Watches

Serve: TypeAlias = Callable[[Config, Operator, Telemetry], AbstractAsyncContextManager[None]]
"""What shows the operator to others while it runs; see `canary.server`."""
_log = structlog.get_logger(__name__)


async def run(config: Config, *, serve: Serve) -> None:
    """Run the operator until SIGTERM or SIGINT.

    Raises
    ------
    SpecInvalid
        The configuration names no cluster that can be reached in principle.
    """
    logs.configure(config.file.log_level)
    telemetry = Telemetry()
    configuration = await load_configuration(config.kubeconfig, config.context)
    api = KubernetesApi(configuration, count=telemetry.written)
    sources = {source.name: PrometheusSource(source) for source in config.sources()}
    operator = Operator(config, api, clock=SystemClock(), sources=sources, telemetry=telemetry)
    watching: list[Watches] = []

    def watch(available: frozenset[Kind]) -> None:
        for old in watching:
            old.stop()
        watching.clear()
        chosen = [kind for kind in WATCHED if kind in available]
        watches = Watches(chosen, operator.on_event, lambda: for_kopf(configuration), namespaces=config.file.namespaces)
        watches.start()
        watching.append(watches)

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _log.info("started", identity=config.identity, pid=os.getpid())
    try:
        async with serve(config, operator, telemetry):
            await operator.run(stop=stop, on_kinds=watch)
    finally:
        for watches in watching:
            watches.stop()
        await api.close()
        _log.info("stopped")
