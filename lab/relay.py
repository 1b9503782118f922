"""The way in from outside: connections that the keeper's listeners take are passed to the lab's addresses."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from typing import Final, NoReturn

SYSTEM: Final = "10.244.0.1"
TARGETS: Final = {
    "api": (SYSTEM, 6443),
    "gateway": (SYSTEM, 8080),
    "prometheus": (SYSTEM, 9090),
    "git": (SYSTEM, 3000),
    "envoy": ("127.0.0.1", 9901),
    "operator": (SYSTEM, 8090),
}
"""What can be reached from outside, and where it is inside. The operator's pages are to listen on that address."""


def serve(listeners: dict[str, socket.socket]) -> NoReturn:
    """Pass connections on until the namespace ends."""
    asyncio.run(_serve(listeners))
    raise SystemExit(1)


async def _serve(listeners: dict[str, socket.socket]) -> None:
    servers = [
        await asyncio.start_server(functools.partial(_pass_on, TARGETS[name]), sock=listener)
        for name, listener in listeners.items()
    ]
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def _pass_on(target: tuple[str, int], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        there_reader, there_writer = await asyncio.open_connection(*target)
    except OSError:
        writer.transport.abort()
        return
    await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()
