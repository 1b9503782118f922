"""The clone of one address: a bare, blobless cache, and git run in it.

Everything here can be called again after a crash at any line: the clone holds nothing that cannot be fetched or
computed again, each use begins by clearing what a killed git left behind, and the lock is held by every git process
that we started, so that an orphan of a killed operator ends before the next one begins.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from canary.errors import GitUnavailable, SpecInvalid
from canary.git.address import redact
from canary.git.credentials import Binding
from canary.git.environment import local_environment, remote_environment, secrets_of
from canary.git.failures import failure
from canary.git.objects import Identity
from canary.git.process import Completed, Limits, run

_MANY_PACKS: Final = 150
"""Each fetch adds a pack; at this many a fresh blobless clone is cheaper than a repack. Arbitrary."""
OBJECT_NAME: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class GitSettings:
    """The operator's settings for git."""

    cache: Path
    """A folder of our own; may be emptied at any time while no operator runs."""
    program: str = "git"
    local_timeout_seconds: float = 30.0
    remote_timeout_seconds: float = 60.0
    lock_timeout_seconds: float = 30.0
    """How long to wait for another use of the same clone."""
    identity: Identity = field(default_factory=Identity)


class Clone:
    """The clone of one address, locked for one user; each kind of use is a class of its own on top of it."""

    def __init__(self, url: str, binding: Binding, settings: GitSettings, directory: Path, lock: int) -> None:
        self.url = url
        self.shown = redact(url)
        self.settings = settings
        self._directory = directory
        self._lock = lock
        self.secrets = secrets_of(binding)
        self._local = local_environment(directory)
        self._remote = remote_environment(directory, url, binding)

    def prepare(self, *, anew: bool = False) -> None:
        """Make the clone usable, whatever a crash left of it; the lock is held."""
        packs = self._directory / "objects" / "pack"
        if anew or len(list(packs.glob("*.pack"))) > _MANY_PACKS:
            shutil.rmtree(self._directory, ignore_errors=True)
        elif self._directory.exists():
            for leftover in (*self._directory.rglob("*.lock"), *packs.glob("tmp_*"), *packs.glob(".tmp-*")):
                leftover.unlink(missing_ok=True)
        self._directory.mkdir(parents=True, exist_ok=True)
        done = self.git("init", "--quiet", "--bare", "--template=", "--initial-branch=main")
        if done.code != 0 and not anew:
            self.prepare(anew=True)
            return
        self.expect(done, f"preparing the clone of {self.shown}")

    def git(
        self, *arguments: str, remote: bool = False, stdin: bytes = b"", extra: Mapping[str, str] | None = None
    ) -> Completed:
        """Run git in the clone; only a `remote` command may speak with the server, and has what it needs for that."""
        seconds = self.settings.remote_timeout_seconds if remote else self.settings.local_timeout_seconds
        environment = (self._remote if remote else self._local) | dict(extra or {})
        argv = [self.settings.program, *arguments]
        return run(
            argv, env=environment, cwd=self._directory, limits=Limits(seconds), stdin=stdin, keep_open=(self._lock,)
        )

    def expect(self, done: Completed, doing: str) -> None:
        """Raise what a command that failed means to the caller; `doing` says what it was for."""
        if done.expired:
            raise GitUnavailable(f"{doing}: git did not end in time and was stopped")
        if done.overflowed:
            raise GitUnavailable(f"{doing}: git's answer is larger than what is read")
        if done.code != 0:
            raise failure(doing, done.stderr, self.secrets)

    def raw(self, *arguments: str) -> bytes:
        """Return what a reading command prints."""
        done = self.git(*arguments)
        self.expect(done, f"reading the clone of {self.shown}")
        return done.stdout

    def text(self, *arguments: str) -> str:
        """Return the same as text, decoded leniently."""
        return self.raw(*arguments).decode("utf-8", "replace")


def acquire(lock: int, timeout_seconds: float, shown: str) -> None:
    """Wait for the lock of a clone, within bounds.

    Raises
    ------
    GitUnavailable
        When another use of the same clone does not end in time.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise GitUnavailable(f"the clone of {shown} is in use by another process; trying again later") from None
            time.sleep(0.02)
        else:
            return


def object_name(name: str) -> str:
    """Let only object names through to git's command line, or our own `<name>^{tree}`."""
    if OBJECT_NAME.fullmatch(name.removesuffix("^{tree}")) is None:
        raise SpecInvalid(f"{name[:80]!r} is not the name of a Git object")
    return name
