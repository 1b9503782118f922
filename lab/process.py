"""One program of the lab as an operating system process: started, watched, stopped, frozen, killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lab import waiting


class PartDied(RuntimeError):
    """A part ended by itself while it was to become ready; the message has its last lines."""


class Process:
    """A program with its log file. It leads a process group of its own, so that signals reach its children too."""

    def __init__(
        self, name: str, command: Sequence[str | Path], log: Path, environment: dict[str, str], folder: Path
    ) -> None:
        self.name = name
        self.log = log
        self._command = [str(item) for item in command]
        self._environment = environment
        self._folder = folder
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """None while it does not run."""
        return self._popen.pid if self.alive and self._popen else None

    @property
    def alive(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def start(self) -> None:
        if self.alive:
            return
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=self._folder,
                start_new_session=True,
            )

    def wait_ready(self, ready: Callable[[], object], *, seconds: float = 60) -> None:
        """Wait until `ready` gives something true. Raises PartDied or waiting.NotInTime, both with the last lines."""

        def look() -> object:
            if not self.alive:
                return "died"
            return ready()

        seen = waiting.until(f"{self.name} is ready", look, seconds=seconds, context=self.tail)
        if seen == "died":
            code = self._popen.returncode if self._popen else None
            raise PartDied(f"{self.name} ended with code {code} while it was to become ready\n{self.tail()}")

    def signal(self, number: int) -> None:
        if self.alive and self._popen:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, number)

    def freeze(self) -> None:
        """SIGSTOP, and wait until every thread has stopped: until then it may still answer. One that died has stopped."""
        tasks = Path(f"/proc/{self.pid}/task")
        self.signal(signal.SIGSTOP)
        waiting.until(f"{self.name} stands still", lambda: not tasks.exists() or self.stands_still, every_seconds=0.005)

    @property
    def stands_still(self) -> bool:
        """Whether every thread of it has stopped."""
        tasks = Path(f"/proc/{self.pid}/task")
        return self.alive and all(_state(task) in "Tt" for task in tasks.iterdir())

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def stop(self, *, grace_seconds: float = 5) -> None:
        """TERM, then KILL after the grace; frozen processes are thawed first, or they could not end."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        end = time.monotonic() + grace_seconds
        while self.alive and time.monotonic() < end:
            time.sleep(0.01)
        self.kill()

    def kill(self) -> None:
        """`kill -9` to the whole group."""
        self.signal(signal.SIGKILL)
        if self._popen is not None:
            self._popen.wait(10)

    def tail(self, lines: int = 15) -> str:
        text = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"-- last lines of {self.log}", *(line[:400] for line in text[-lines:])])


def _state(task: Path) -> str:
    return (task / "stat").read_text().rsplit(")", 1)[1].split()[0]
