"""Workers that take keys from the queue, one pass at a time for each key, and give failed ones back with a backoff."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from canary.errors import ApiConflict, CanaryError, Retryable
from canary.operator.cache import Name
from canary.operator.clock import Clock
from canary.operator.queue import Backoff, DeadlineQueue
from canary.operator.telemetry import Telemetry

_log = structlog.get_logger(__name__)


class Workers:
    """Run passes while this process leads."""

    def __init__(
        self,
        queue: DeadlineQueue[Name],
        reconcile: Callable[[Name], Awaitable[float | None]],
        *,
        clock: Clock,
        random: Callable[[], float],
        telemetry: Telemetry,
        count: int,
    ) -> None:
        self._queue = queue
        self._reconcile = reconcile
        self._clock = clock
        self._random = random
        self._telemetry = telemetry
        self._count = count
        self._failures: dict[Name, int] = {}
        self._backoff = Backoff()
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy: dict[asyncio.Task[None], Name] = {}
        self._stopping = False

    def start(self) -> None:
        """Begin to work."""
        self._stopping = False
        for number in range(self._count):
            task = asyncio.create_task(self._work(), name=f"worker-{number}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def abandon(self) -> None:
        """Stop at once, in mid-pass: somebody else may lead in a moment. Effects are idempotent."""
        for task in list(self._tasks):
            task.cancel()
        self._tasks.clear()

    async def finish(self, limit_seconds: float) -> None:
        """Let the passes under way end, within the limit, and take no new ones."""
        self._stopping = True
        for task in list(self._tasks):
            if task not in self._busy:
                task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=limit_seconds)
        self.abandon()

    async def _work(self) -> None:
        me = asyncio.current_task()
        assert me is not None  # noqa: S101 -- a coroutine that runs has a task
        while not self._stopping:
            key = await self._queue.get()
            self._busy[me] = key
            try:
                await self._one(key)
            finally:
                del self._busy[me]
                self._queue.done(key)

    async def _one(self, key: Name) -> None:
        began = self._clock.monotonic()
        try:
            again = await self._reconcile(key)
        except ApiConflict as error:
            # The watch brings the newer version in a moment; decided on it, the pass will do.
            _log.info("conflict", rollout="/".join(key), error=str(error))
            self._retry(key, error)
        except CanaryError as error:
            _log.warning("pass failed", rollout="/".join(key), reason=error.reason, error=str(error))
            self._retry(key, error)
        except Exception as error:  # noqa: BLE001 -- a defect in one Rollout's pass must not end the others'
            _log.exception("pass failed", rollout="/".join(key))
            self._retry(key, error)
        else:
            self._failures.pop(key, None)
            if again is not None:
                self._queue.put(key, after_seconds=again)
        self._telemetry.passes.observe(self._clock.monotonic() - began)

    def _retry(self, key: Name, error: Exception) -> None:
        self._failures[key] = failures = self._failures.get(key, 0) + 1
        self._telemetry.errors.labels(error.reason if isinstance(error, CanaryError) else type(error).__name__).inc()
        wait = self._backoff.seconds(failures, self._random)
        if isinstance(error, ApiConflict):
            wait = min(wait, 0.1 * failures)
        if isinstance(error, Retryable) and error.retry_after_seconds is not None:
            wait = max(wait, error.retry_after_seconds)
        self._queue.put(key, after_seconds=wait)
