"""Threads for what is synchronous: few, and daemons, so that a hanging request never keeps the process."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import TypeAlias, TypeVar

T = TypeVar("T")
_Job: TypeAlias = Callable[[], None]


class Threads:
    """A pool. concurrent.futures' pool joins its threads when the interpreter ends; a stop has to take seconds."""

    def __init__(self, count: int, name: str) -> None:
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._count = count
        self._name = name
        self._started = 0

    async def run(self, work: Callable[[], T], *, limit_seconds: float) -> T:
        """Run `work` in a thread and return what it returns.

        Raises
        ------
        TimeoutError
            It took longer than the limit. Work that no thread had begun is dropped; else the thread goes on, and its
            outcome is dropped.
        """
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()

        def tell(result: T | None, error: BaseException | None) -> None:
            if outcome.done():
                return  # given up on
            if error is not None:
                outcome.set_exception(error)
            else:
                outcome.set_result(result)  # type: ignore[arg-type]  # None only together with an error

        def job() -> None:
            if outcome.done():
                return  # given up on before its turn came: others wait
            try:
                result, error = work(), None
            except Exception as raised:  # noqa: BLE001 -- handed to the caller
                result, error = None, raised
            if not loop.is_closed():
                loop.call_soon_threadsafe(tell, result, error)

        self._submit(job)
        async with asyncio.timeout(limit_seconds):
            return await outcome

    def _submit(self, job: _Job) -> None:
        if self._started < self._count:  # called in the loop's thread only
            self._started += 1
            threading.Thread(target=self._serve, name=f"{self._name}-{self._started}", daemon=True).start()
        self._jobs.put(job)

    def _serve(self) -> None:
        while True:
            self._jobs.get()()
