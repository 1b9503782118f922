"""Containers as local processes that outlive the agent, and leave their exit code behind.

Each process has a shell above it that only waits and writes the exit code to a file, as containerd's shim does: an
agent that was killed and comes back finds out what happened meanwhile. The shell is the leader of a session of its own,
so nothing that ends the agent's session ends the container. The first thing the inner shell does is to write down its
own line of /proc; the exec keeps process id and start time. So there is no moment at which a process exists that a new
agent could not find, and a recycled id is never taken for the old process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SHIM = """
d=$1; shift; cd "$d"
/bin/sh -c 'read -r line </proc/$$/stat && echo "$line" >"$0/process" && exec "$@"' "$d" "$@"
echo $? >"$d/exit"
"""

UNKNOWN_EXIT_CODE = 137
"""What the kubelet reports, too, when nobody saw how a container ended."""


class StartFailed(Exception):
    """The program could not be started at all."""


@dataclass(frozen=True, slots=True)
class ProcessRef:
    """One process, for as long as the machine is up."""

    pid: int
    session: int
    start_ticks: int

    @classmethod
    def parse(cls, stat_line: str) -> ProcessRef:
        """Read a line of /proc/PID/stat, whose second field may contain anything, spaces included."""
        pid, _, rest = stat_line.partition(" ")
        fields = rest.rpartition(")")[2].split()
        return cls(int(pid), int(fields[3]), int(fields[19]))

    def alive(self) -> bool:
        """Whether this very process still runs; one that nobody has reaped yet does not."""
        try:
            line = Path(f"/proc/{self.pid}/stat").read_text()
            return ProcessRef.parse(line).start_ticks == self.start_ticks and line.rpartition(")")[2].split()[0] != "Z"
        except (OSError, ValueError, IndexError):
            return False


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended; `code` is None when nobody saw it."""

    code: int | None
    finished_at: float


class Process:
    """A started or adopted container process."""

    def __init__(self, ref: ProcessRef, directory: Path) -> None:
        self.ref = ref
        self._directory = directory

    @classmethod
    def adopt(cls, directory: Path) -> Process | None:
        """The process that an agent before this one started in `directory`; None when it never got that far."""
        try:
            return cls(ProcessRef.parse((directory / "process").read_text()), directory)
        except (OSError, ValueError, IndexError):
            return None

    @classmethod
    async def start(cls, argv: Sequence[str], environment: Mapping[str, str], directory: Path, log: Path) -> Process:
        """Start a program; its output is appended to `log`.

        Raises
        ------
        StartFailed
            when there is no such program, or it cannot be executed.
        """
        program = shutil.which(argv[0], path=environment.get("PATH"))
        if program is None:
            raise StartFailed(f'exec: "{argv[0]}": executable file not found in $PATH')
        directory.mkdir(parents=True, exist_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        # Not subprocess.Popen: it wants to be waited for, but the shim is meant to stay when the agent goes.
        shim = os.posix_spawn(
            "/bin/sh",
            ["/bin/sh", "-c", _SHIM, "sh", str(directory), program, *argv[1:]],
            dict(environment),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM],  # Python ignores two of them
        )
        for _ in range(5000):
            with contextlib.suppress(OSError, ValueError, IndexError):
                return cls(ProcessRef.parse((directory / "process").read_text()), directory)
            if _reaped(shim):
                break
            await asyncio.sleep(0.001)
        raise StartFailed(f"{program} did not start")

    async def exited(self) -> Exit:
        """Wait for the end, without polling and without being its parent."""
        try:
            descriptor = os.pidfd_open(self.ref.pid)
        except OSError:
            return await self._exit()
        try:
            if self.ref.alive():
                await _readable(descriptor)
        finally:
            os.close(descriptor)
        return await self._exit()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the container's first process only, as a runtime does; none when it is gone."""
        try:
            descriptor = os.pidfd_open(self.ref.pid)
        except OSError:
            return
        try:
            if self.ref.alive():
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)

    async def _exit(self) -> Exit:
        """The exit code from the file; then whatever the container left running is killed."""
        exit_file = self._directory / "exit"
        result = None
        for _ in range(200):  # the shim needs a moment; 2 s when it was killed itself
            with contextlib.suppress(OSError, ValueError):
                result = Exit(int(exit_file.read_text()), exit_file.stat().st_mtime)
                break
            await asyncio.sleep(0.01)
        _end_session(self.ref.session)
        for _ in range(100):
            if _reaped(self.ref.session):
                break
            await asyncio.sleep(0.01)
        return result or Exit(None, time.time())


def kill_outright(directory: Path) -> bool:
    """Kill what runs in an attempt's directory, with no grace; whether there was anything. It is gone on return."""
    process = Process.adopt(directory)
    if process is None or not process.ref.alive():
        return False
    process.signal(signal.SIGKILL)
    _end_session(process.ref.session)
    for _ in range(1000):  # 1 s, of which the kernel needs a millisecond
        if not process.ref.alive():
            break
        time.sleep(0.001)
    return True


def _reaped(shim: int) -> bool:
    """Take the shim's own exit status; True when there is nothing (more) to take, as for another agent's child."""
    try:
        return os.waitpid(shim, os.WNOHANG)[0] == shim
    except ChildProcessError:
        return True


def _end_session(session: int) -> None:
    """Kill what a container left running, the shim included (it has nothing left to say).

    Nobody can join another's session. Its id is not given out again while a member lives, and when none does the kernel
    would have to go once round all ids in the moment since the container ended.
    """
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError, IndexError, ValueError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == session and fields[0] != "Z":
                    os.kill(int(entry.name), signal.SIGKILL)


async def _readable(descriptor: int) -> None:
    """Wait until a pidfd is readable, which it is from the process's end on."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def ended() -> None:
        if not done.done():
            done.set_result(None)

    if select.select([descriptor], [], [], 0)[0]:
        return
    loop.add_reader(descriptor, ended)
    try:
        await done
    finally:
        loop.remove_reader(descriptor)
