"""A door of TCP in front of a part, that a test can make slow."""

from __future__ import annotations

import asyncio
import contextlib
import threading


class SlowDoor:
    """Passes connections on, each chunk of the answer held back by `delay_seconds`.

    It runs in a thread of the lab's own process.
    """

    def __init__(self, listen: tuple[str, int], target: tuple[str, int]) -> None:
        self.delay_seconds = 0.0
        """0 passes everything on at once."""
        self._listen = listen
        self._target = target
        self._open = threading.Event()
        self._failure: OSError | None = None
        # asyncio itself refers to tasks, and a connection to its reader, only weakly: a connection that one side has
        # ended while the other hangs would be collected in mid-air.
        self._passing: set[asyncio.Task[None] | None] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"door-{listen[1]}", daemon=True)
        self._thread.start()
        self._open.wait(10)
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Drop all connections and free the port."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)

    def _run(self) -> None:
        try:
            server = self._loop.run_until_complete(asyncio.start_server(self._pass_on, *self._listen, backlog=256))
        except OSError as error:
            self._failure = error
            self._loop.close()
            return
        finally:
            self._open.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._drop())
        self._loop.close()

    async def _drop(self) -> None:
        running = asyncio.all_tasks() - {asyncio.current_task()}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.sleep(0)  # aborted connections close their sockets one turn later

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._passing.add(task)
        try:
            # Only the end of the door cancels it; a task that ends cancelled makes asyncio print a traceback.
            with contextlib.suppress(asyncio.CancelledError):
                await self._connect(reader, writer)
        finally:
            self._passing.discard(task)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()  # the part is down: the client sees a reset, as without the door
            return
        try:
            await asyncio.gather(
                self._copy(reader, there_writer, slowly=False), self._copy(there_reader, writer, slowly=True)
            )
        finally:
            writer.transport.abort()
            there_writer.transport.abort()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, slowly: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                if slowly and self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                writer.write(chunk)
                await writer.drain()
        with contextlib.suppress(OSError):
            if writer.can_write_eof():
                writer.write_eof()
