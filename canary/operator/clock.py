"""Time as a value that is handed in, so that nothing has to sleep to be tested."""

from __future__ import annotations

import asyncio
import heapq
import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks: `now()` for what is written down, `monotonic()` for how long something takes."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some instant, never set back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; a negative time gives the loop one turn."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds of the loop's own clock: deadlines and timers then agree."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(max(0.0, seconds))


class FakeClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now: float = 1_700_000_000.0, monotonic: float = 1_000.0) -> None:
        self._now = now
        self._monotonic = monotonic
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since some instant."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance()` has gone this far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        self._count += 1
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic + seconds, self._count, woken))
        await woken

    @property
    def waited_for(self) -> bool:
        """Whether somebody sleeps until a later time; nobody does while work is being done in threads."""
        return any(not woken.done() for _, _, woken in self._sleepers)

    async def advance(self, seconds: float, *, turns: int = 20) -> None:
        """Go on, and wake the sleepers in their order; after each, others get `turns` turns of the loop."""
        until = self._monotonic + seconds
        await self._settle(turns)
        while self._sleepers and self._sleepers[0][0] <= until:
            at, _, woken = heapq.heappop(self._sleepers)
            self._go_to(max(at, self._monotonic))
            if not woken.done():
                woken.set_result(None)
            await self._settle(turns)
        self._go_to(until)
        await self._settle(turns)

    def _go_to(self, monotonic: float) -> None:
        self._now += monotonic - self._monotonic
        self._monotonic = monotonic

    async def _settle(self, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
