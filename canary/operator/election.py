"""Keeping the Lease: reads and writes it, and says who leads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from canary.errors import ApiConflict, CanaryError, NotFound
from canary.operator import lease
from canary.operator.client import Api
from canary.operator.clock import Clock
from canary.operator.kinds import LEASE, Obj

RETRY_SECONDS: Final = 1.0
"""Between looks at a Lease that another holds, and between tries that failed."""
MANAGER: Final = "canary-lease"

_log = structlog.get_logger(__name__)


class Election:
    """Runs for the Lease until it is stopped; any error only costs a try."""

    def __init__(self, api: Api, clock: Clock, *, namespace: str, name: str, identity: str) -> None:
        self._api = api
        self._clock = clock
        self._namespace = namespace
        self._name = name
        self._candidacy = lease.Candidacy(identity)
        self._base: Obj | None = None

    @property
    def leads(self) -> bool:
        """Whether this process may act now; to be asked before every write."""
        return lease.leads(self._candidacy, self._clock.monotonic())

    @property
    def holder(self) -> str:
        """Who holds the Lease, as last seen; empty when nobody does."""
        return self._candidacy.seen.holder if self._candidacy.seen else ""

    async def run(self, *, elected: Callable[[], None], deposed: Callable[[], None]) -> None:
        """Keep trying until cancelled; the callbacks tell of changes, `deposed` before anyone else can be elected."""
        led = False
        while True:
            await self._try()
            if self.leads and not led:
                led = True
                _log.info("elected", lease=f"{self._namespace}/{self._name}", identity=self._candidacy.identity)
                elected()
            if led:
                # At the end of the term we stop, even if a request still hangs.
                led = await self._hold()
                if not led:
                    _log.warning("deposed", lease=f"{self._namespace}/{self._name}", holder=self.holder)
                    deposed()
            else:
                await self._clock.sleep(RETRY_SECONDS)

    async def resign(self) -> None:
        """Let another take over at once. The workers have stopped before this is called."""
        led, self._candidacy = self.leads, lease.stepped_down(self._candidacy)
        if not led or self._base is None:
            return
        empty = lease.released(self._candidacy, self._base, self._namespace, self._name)
        try:
            await self._api.replace(LEASE, empty, manager=MANAGER)
        except CanaryError as error:
            _log.warning("lease not released", error=str(error))

    async def _hold(self) -> bool:
        """Renew until the term ends unrenewed; return False then."""
        await self._clock.sleep(lease.RENEW_SECONDS)
        while True:
            until = self._candidacy.held_until
            left = (until or 0.0) - self._clock.monotonic()
            if left <= 0:
                self._candidacy = lease.stepped_down(self._candidacy)
                return False
            attempt = asyncio.create_task(self._try())
            timer = asyncio.create_task(self._clock.sleep(left))
            try:
                await asyncio.wait({attempt, timer}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                attempt.cancel()
                timer.cancel()
            if not self.leads:
                continue
            renewed = self._candidacy.held_until != until
            await self._clock.sleep(lease.RENEW_SECONDS if renewed else min(RETRY_SECONDS, left))

    async def _try(self) -> None:
        try:
            await self._read_and_claim()
        except CanaryError as error:
            _log.warning("lease not reached", lease=f"{self._namespace}/{self._name}", error=str(error))
        except Exception:  # noqa: BLE001 -- a defect here must not end the process that serves the traffic decisions
            _log.exception("lease")

    async def _read_and_claim(self) -> None:
        if not self.leads:  # a holder knows the version it wrote; a conflict tells it of any other
            self._base = await self._read()
            self._candidacy = lease.observed(self._candidacy, self._base, self._clock.monotonic())
        wanted = lease.claim(self._candidacy, self._clock.monotonic())
        if wanted is None:
            return
        body = lease.record(self._candidacy, self._base, self._namespace, self._name, self._clock.now())
        sent_at = self._clock.monotonic()
        try:
            if wanted.resource_version is None:
                self._base = await self._api.create(LEASE, body, manager=MANAGER)
            else:
                self._base = await self._api.replace(LEASE, body, manager=MANAGER)
        except ApiConflict:
            self._base = await self._read()
            self._candidacy = lease.observed(self._candidacy, self._base, self._clock.monotonic())
            return
        self._candidacy = lease.granted(self._candidacy, self._base, sent_at, self._clock.monotonic())

    async def _read(self) -> Obj | None:
        try:
            return await self._api.get(LEASE, self._namespace, self._name)
        except NotFound:
            return None
