"""Watching with kopf, and with nothing else of it: its events go to a callback, and it writes nothing.

kopf runs in a thread and a loop of its own, because when it stops it cancels every task of its loop. Only `on.event`
handlers are registered: they neither annotate objects nor add finalizers. There are no timers, daemons, indices or
peering.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import kopf
import structlog
from kubernetes.aio.client import Configuration

from canary.operator.kinds import Kind, Obj

OnEvent: TypeAlias = Callable[[Kind, str | None, Obj], None]
"""Called in the caller's loop with kind, event type (None for listed objects) and the object."""

RESTART_SECONDS: Final = 2.0
"""Between kopf's end, whatever ended it, and its next start."""
_log = structlog.get_logger(__name__)


class Watches:
    """kopf's watches for a set of kinds, restarted when they end."""

    def __init__(
        self,
        kinds: Sequence[Kind],
        on_event: OnEvent,
        configuration: Configuration,
        *,
        namespaces: Sequence[str] = (),
    ) -> None:
        self._kinds = kinds
        self._on_event = on_event
        self._configuration = configuration
        self._namespaces = namespaces
        self._stop = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="kopf", daemon=True)
        self.ready = threading.Event()
        """Set once kopf has started; its lists follow."""

    def start(self) -> None:
        """Start watching; events come to the running loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def stop(self) -> None:
        """Tell kopf to stop.

        It takes seconds and holds nothing that has to be given back, so nobody waits: the thread is a daemon.
        """
        self._stop.set()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        logging.getLogger("kopf").setLevel(logging.WARNING)
        # It warns that it does not see signals in this thread: they are the process's, and it is told to stop.
        logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
        while not self._stop.is_set():
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of kopf's own making; ours are errors in the tests
                    asyncio.run(self._operate())
            except Exception:  # noqa: BLE001 -- whatever ends kopf, the watches have to go on
                _log.exception("watches ended")
            if not self._stop.is_set():
                _log.warning("watches restart", after_seconds=RESTART_SECONDS)
                time.sleep(RESTART_SECONDS)

    async def _operate(self) -> None:
        await kopf.operator(
            registry=self._registry(asyncio.current_task()),
            settings=_settings(self._kinds),
            standalone=True,
            clusterwide=not self._namespaces,
            namespaces=list(self._namespaces),
            stop_flag=self._stop,
            ready_flag=self.ready,
        )

    def _registry(self, main: asyncio.Task[None] | None) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.cleanup(registry=registry, id="cleanup")
        async def cleanup(**_: Any) -> None:  # noqa: ANN401 -- kopf's protocol
            # kopf closes its connections next, and lets what its discovery has begun run into that: each request then
            # fails with nobody to take the error. At this point all that kopf still needs is this task and its main.
            left = asyncio.all_tasks() - {main, asyncio.current_task()}
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

        @kopf.on.login(registry=registry, id="login")
        async def login(**_: Any) -> kopf.ConnectionInfo:  # noqa: ANN401 -- kopf's protocol
            return await for_kopf(self._configuration)

        for kind in self._kinds:
            self._register(registry, kind)
        return registry

    def _register(self, registry: kopf.OperatorRegistry, kind: Kind) -> None:
        @kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id=f"watch-{kind.plural}")
        async def seen(event: Any, **_: Any) -> None:  # noqa: ANN401 -- kopf's protocol
            assert self._loop is not None  # noqa: S101 -- set by start(), before this thread runs
            self._loop.call_soon_threadsafe(self._on_event, kind, event["type"], dict(event["object"]))


def _settings(kinds: Sequence[Kind]) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    for kind in kinds:
        if kind.field_selector:
            settings.watching.field_selectors[kind.plural] = kind.field_selector
    settings.posting.enabled = False
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 310
    settings.watching.inactivity_timeout = 70
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = (0.5, 1, 2, 2, 2)  # its own grow to 21 s: too late after an outage
    settings.scanning.disabled = True  # no right to watch CRDs is wanted; the operator restarts us when a kind appears
    settings.queueing.idle_timeout = 1.0  # its per-object tasks; thousands of them idle otherwise
    settings.process.ultimate_exiting_timeout = None  # it would kill the process ten minutes after we let the thread be
    return settings


async def for_kopf(configuration: Configuration) -> kopf.ConnectionInfo:
    """Return the same connection as kopf wants it; called again when kopf's token was refused or has expired."""
    prefixed = configuration.get_api_key_with_prefix("BearerToken")
    header = (prefixed if isinstance(prefixed, str) else await prefixed) or ""
    scheme, _, token = header.rpartition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        username=configuration.username or None,
        password=configuration.password or None,
        scheme=scheme or None,
        token=token or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        proxy_url=configuration.proxy,
    )
