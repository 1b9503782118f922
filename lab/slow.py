"""A door of TCP in front of a part, that a test can make slow."""

from __future__ import annotations

import asyncio
import contextlib
import threading


class SlowDoor:
    """Passes connections on, each chunk of the answer held back by `delay_seconds`.

    It runs in a thread of the lab's own process and ends with it.
    """

    def __init__(self, listen: tuple[str, int], target: tuple[str, int]) -> None:
        self.delay_seconds = 0.0
        """0 passes everything on at once."""
        self._listen = listen
        self._target = target
        self._open = threading.Event()
        self._failure: OSError | None = None
        threading.Thread(target=lambda: asyncio.run(self._serve()), name=f"door-{listen[1]}", daemon=True).start()
        self._open.wait(10)
        if self._failure is not None:
            raise self._failure

    async def _serve(self) -> None:
        try:
            server = await asyncio.start_server(self._pass_on, *self._listen, backlog=256)
        except OSError as error:
            self._failure = error
            return
        finally:
            self._open.set()
        async with server:
            await server.serve_forever()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()  # the part is down: the client sees a reset, as without the door
            return
        await asyncio.gather(self._copy(reader, there_writer, slowly=False), self._copy(there_reader, writer, slowly=True))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, slowly: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                if slowly and self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                writer.write(chunk)
                await writer.drain()
        with contextlib.suppress(OSError):
            if slowly:
                writer.close()
            elif writer.can_write_eof():
                writer.write_eof()
