"""Run one program with nothing inherited: an environment of its own, a time limit, bounded output, and no survivors."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

_CHUNK_BYTES: Final = 65536
_REAP_SECONDS: Final = 5.0
"""How long a program that closed its output may take to exit before its group is killed; arbitrary."""


@dataclass(frozen=True, slots=True)
class Completed:
    """How a program ended."""

    code: int
    stdout: bytes
    stderr: str
    """Decoded leniently; cut at the limit, never a reason to stop the program."""
    expired: bool = False
    """Whether it was killed because its time was over."""
    overflowed: bool = False
    """Whether it was killed because it wrote more than allowed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may use."""

    timeout_seconds: float
    stdout_bytes: int = 64 * 1024 * 1024
    stderr_bytes: int = 64 * 1024


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    limits: Limits,
    stdin: bytes = b"",
    keep_open: Sequence[int] = (),
) -> Completed:
    """Run `argv` to its end, or to its limits.

    The program leads a process group of its own, so that at the limit its helpers (`git-remote-https`, `ssh`) die with
    it. `keep_open` are file descriptors that the program inherits: a lock that is held for as long as any of the group
    lives, also when we do not.
    """
    process = subprocess.Popen(
        list(argv),
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        pass_fds=tuple(keep_open),
    )
    exchange = _Exchange(process, stdin, limits)
    try:
        exchange.run()
    finally:
        # Only before it is reaped: afterwards the number may be another's.
        if exchange.must_die or process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
    return Completed(
        code=process.returncode,
        stdout=bytes(exchange.stdout),
        stderr=exchange.stderr.decode("utf-8", "replace"),
        expired=exchange.expired,
        overflowed=exchange.overflowed,
    )


class _Exchange:
    """Feed and drain the three pipes without threads, until both outputs end or a limit is met."""

    def __init__(self, process: subprocess.Popen[bytes], stdin: bytes, limits: Limits) -> None:
        self._process = process
        self._pending = memoryview(stdin)
        self._limits = limits
        self._deadline = time.monotonic() + limits.timeout_seconds
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.expired = False
        self.overflowed = False

    @property
    def must_die(self) -> bool:
        return self.expired or self.overflowed

    def run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for pipe, event in (
                (self._process.stdin, selectors.EVENT_WRITE),
                (self._process.stdout, selectors.EVENT_READ),
                (self._process.stderr, selectors.EVENT_READ),
            ):
                if pipe is not None:
                    os.set_blocking(pipe.fileno(), False)
                    selector.register(pipe, event)
            while selector.get_map() and not self.must_die:
                left = self._deadline - time.monotonic()
                if left <= 0:
                    self.expired = True
                    return
                for key, _ in selector.select(left):
                    if self._turn(key.fileobj):
                        selector.unregister(key.fileobj)
        if not self.must_die:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(min(_REAP_SECONDS, max(0.0, self._deadline - time.monotonic())))

    def _turn(self, pipe: object) -> bool:
        """Move what can be moved; True when this pipe is done."""
        if pipe is self._process.stdin:
            return self._process.stdin is None or self._write(self._process.stdin)
        if pipe is self._process.stdout and self._process.stdout is not None:
            chunk = os.read(self._process.stdout.fileno(), _CHUNK_BYTES)
            self.stdout += chunk
            self.overflowed = len(self.stdout) > self._limits.stdout_bytes
            return not chunk
        if self._process.stderr is not None:
            chunk = os.read(self._process.stderr.fileno(), _CHUNK_BYTES)
            self.stderr += chunk[: max(0, self._limits.stderr_bytes - len(self.stderr))]
            return not chunk
        return True

    def _write(self, pipe: IO[bytes]) -> bool:
        try:
            self._pending = (
                self._pending[os.write(pipe.fileno(), self._pending[:_CHUNK_BYTES]) :]
                if self._pending
                else self._pending
            )
        except BrokenPipeError:
            self._pending = memoryview(b"")
        if not self._pending:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
            return True
        return False
