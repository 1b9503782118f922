"""Starting and stopping the process: connection, watches, pages, signals."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import structlog

from canary.errors import SpecInvalid
from canary.operator import logs
from canary.operator.client import KubernetesApi
from canary.operator.clock import SystemClock
from canary.operator.config import Config
from canary.operator.connection import load_configuration
from canary.operator.kinds import WATCHED, Kind
from canary.operator.operator import Operator
from canary.operator.telemetry import Telemetry
from canary.server.http import application, serve

if TYPE_CHECKING:
    from canary.operator.watches import Watches

_log = structlog.get_logger(__name__)


def run(config: Config) -> None:
    """Run the operator in this process, until SIGTERM or SIGINT.

    Raises
    ------
    SpecInvalid
        The configuration names no cluster, or an address that cannot be listened on.
    """
    logs.configure(config.file.log_level)
    asyncio.run(operate(config))


async def operate(config: Config) -> None:
    """Do the same in a loop that is there already; see `run`."""
    telemetry = Telemetry()
    configuration = await load_configuration(config.kubeconfig, config.context)
    api = KubernetesApi(configuration, count=telemetry.written)
    operator = Operator(config, api, clock=SystemClock(), sources=config.open_sources(), telemetry=telemetry)
    watching: list[Watches] = []

    def watch(available: frozenset[Kind]) -> None:
        # Only now: what was listed can be acted on while kopf is being loaded.
        from canary.operator.watches import Watches  # noqa: PLC0415

        for old in watching:
            old.stop()
        chosen = [kind for kind in WATCHED if kind in available]
        namespaces = config.file.namespaces
        watching[:] = [Watches(chosen, operator.on_event, configuration, namespaces=namespaces)]
        watching[0].start()

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _log.info("started", identity=config.identity, pid=os.getpid())
    try:
        async with serve(application(operator.listed.is_set, telemetry.registry), *config.address):
            await operator.run(stop=stop, on_kinds=watch)
    except OSError as error:
        raise SpecInvalid(f"Cannot listen on {config.file.listen}: {error.strerror}. Give --listen another.") from error
    finally:
        for watches in watching:
            watches.stop()
        await api.close()
        _log.info("stopped")
