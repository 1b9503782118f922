"""Probes: what the spec asks for, how results add up, and asking once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe with the API's defaults filled in. Exactly one of `port` and `command` is set."""

    initial_delay_seconds: float
    period_seconds: float
    timeout_seconds: float
    success_threshold: int
    failure_threshold: int
    grace_seconds: float | None
    path: str | None = None
    """None with a port: connecting is enough (tcpSocket)."""
    host: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    port: int | None = None
    command: tuple[str, ...] = ()


@dataclass(slots=True)
class Tally:
    """Adds results up; the result flips only after so many in a row."""

    probe: Probe
    passing: bool
    _streak: int = 0
    _last: bool | None = None

    @property
    def exhausted(self) -> bool:
        """So many failures in a row as make it fail, also when it has never passed."""
        return self._last is False and self._streak >= self.probe.failure_threshold

    def add(self, passed: bool) -> bool:
        """Count one more result and say what holds now."""
        self._streak = self._streak + 1 if passed == self._last else 1
        self._last = passed
        if self._streak >= (self.probe.success_threshold if passed else self.probe.failure_threshold):
            self.passing = passed
        return self.passing


def parse(spec: Mapping[str, Any] | None, container: Mapping[str, Any], pod_ip: str) -> Probe | None:
    """A probe of the container's spec, None without one.

    Raises
    ------
    ValueError
        for a kind that the lab's node does not serve (gRPC) or a port name that the container does not have.
    """
    if not spec:
        return None
    timing: dict[str, Any] = {
        "initial_delay_seconds": float(spec.get("initialDelaySeconds") or 0),
        "period_seconds": float(spec.get("periodSeconds") or 10),
        "timeout_seconds": float(spec.get("timeoutSeconds") or 1),
        "success_threshold": int(spec.get("successThreshold") or 1),
        "failure_threshold": int(spec.get("failureThreshold") or 3),
        "grace_seconds": spec.get("terminationGracePeriodSeconds"),
    }
    if "httpGet" in spec:
        get = spec["httpGet"]
        headers = tuple((h["name"], h["value"]) for h in get.get("httpHeaders") or [])
        host = get.get("host") or pod_ip
        path = get.get("path") or "/"
        return Probe(**timing, path=path, host=host, headers=headers, port=port_number(get["port"], container))
    if "tcpSocket" in spec:
        tcp = spec["tcpSocket"]
        return Probe(**timing, host=tcp.get("host") or pod_ip, port=port_number(tcp["port"], container))
    if "exec" in spec:
        return Probe(**timing, command=tuple(spec["exec"].get("command") or ()))
    raise ValueError("the lab's node serves httpGet, tcpSocket and exec probes only")


def port_number(port: int | str, container: Mapping[str, Any]) -> int:
    """A port by number or by its name in the container."""
    if isinstance(port, int):
        return port
    for declared in container.get("ports") or []:
        if declared.get("name") == port:
            return int(declared["containerPort"])
    if port.isdecimal():
        return int(port)
    raise ValueError(f"no port of the container is named {port}")


async def ask(probe: Probe, environment: Mapping[str, str]) -> str | None:
    """Ask once: None when it passed, else why not. Anything unexpected is a failed probe, never an error."""
    try:
        async with asyncio.timeout(probe.timeout_seconds):
            if probe.command:
                return await _run(probe.command, environment)
            return await _connect(probe)
    except TimeoutError:
        return f"no answer within {probe.timeout_seconds:g}s"
    except (OSError, ValueError, asyncio.LimitOverrunError) as error:
        return str(error)


async def _connect(probe: Probe) -> str | None:
    reader, writer = await asyncio.open_connection(probe.host, probe.port)
    try:
        if probe.path is None:
            return None
        headers = {"Host": f"{probe.host}:{probe.port}", "User-Agent": "kube-probe/1.36", "Connection": "close"}
        headers |= dict(probe.headers)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"GET {quote(probe.path, safe='/?&=%:@~,;+')} HTTP/1.1\r\n{lines}\r\n".encode())
        await writer.drain()
        words = (await reader.readline()).split()
        if len(words) < 2 or not words[1].isdigit():
            return "the answer is not HTTP"
        code = int(words[1])
        return None if 200 <= code < 400 else f"HTTP probe failed with statuscode: {code}"
    finally:
        writer.close()


async def _run(command: tuple[str, ...], environment: Mapping[str, str]) -> str | None:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        raise
    return None if code == 0 else f"command exited with {code}"
