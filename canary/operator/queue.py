"""The deadline queue: which key is to be looked at when, and never by two workers at once."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from canary.operator.clock import Clock

K = TypeVar("K")


class DeadlineQueue(Generic[K]):
    """Keys with deadlines, in seconds of the clock's `monotonic()`.

    A key is in the queue at most once, with the earliest deadline that was asked for. While a worker has the key it
    is busy: what is asked for meanwhile is parked, and counts from `done()` on, so that work on one key is serial and
    no wake-up is lost.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, K]] = []
        self._deadlines: dict[K, float] = {}
        self._busy: dict[K, float | None] = {}
        self._sequence = 0
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._deadlines)

    @property
    def overdue(self) -> int:
        """Keys whose deadline has passed and that no worker has taken: what the queue is behind by."""
        now = self._clock.monotonic()
        return sum(1 for deadline in self._deadlines.values() if deadline <= now)

    def put(self, key: K, *, after_seconds: float = 0.0) -> None:
        """Ask for a look at the key after so many seconds, unless one is due earlier."""
        deadline = self._clock.monotonic() + max(0.0, after_seconds)
        if key in self._busy:
            parked = self._busy[key]
            self._busy[key] = deadline if parked is None else min(parked, deadline)
            return
        present = self._deadlines.get(key)
        if present is not None and present <= deadline:
            return
        self._deadlines[key] = deadline
        self._sequence += 1
        heapq.heappush(self._heap, (deadline, self._sequence, key))
        self._notify()

    def forget(self, key: K) -> None:
        """Drop the key's deadline: its object is gone."""
        self._deadlines.pop(key, None)
        if key in self._busy:
            self._busy[key] = None

    async def get(self) -> K:
        """Wait for the next key that is due; it is busy until `done()`."""
        while True:
            changed = self._changed
            now = self._clock.monotonic()
            key = self._pop(now)
            if key is not None:
                return key
            waiting: set[asyncio.Task[object]] = {asyncio.create_task(changed.wait())}
            if self._heap:
                waiting.add(asyncio.create_task(self._clock.sleep(self._heap[0][0] - now)))
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in waiting:
                    task.cancel()

    def done(self, key: K) -> None:
        """Give the key back; a look that was asked for meanwhile comes at its deadline."""
        parked = self._busy.pop(key, None)
        if parked is not None:
            self.put(key, after_seconds=parked - self._clock.monotonic())

    def _pop(self, now: float) -> K | None:
        while self._heap:
            deadline, _, key = self._heap[0]
            if self._deadlines.get(key) != deadline:
                heapq.heappop(self._heap)  # an older deadline of a key that has an earlier one, or that was forgotten
                continue
            if deadline > now:
                return None
            heapq.heappop(self._heap)
            del self._deadlines[key]
            self._busy[key] = None
            return key
        return None

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait after failures in a row: doubling, bounded, scattered so that keys do not come together."""

    first_seconds: float = 0.5
    longest_seconds: float = 60.0

    def seconds(self, failures: int, random: Callable[[], float]) -> float:
        """Return the wait after the n-th failure (1, 2, ...); `random` gives 0 to 1 and takes off up to a half."""
        whole = min(self.longest_seconds, self.first_seconds * 2.0 ** min(failures - 1, 30))
        return float(whole * (1.0 - 0.5 * random()))
