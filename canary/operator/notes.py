"""Git's notes on rejected versions: read at first sight, written after a verdict.

Both as well as can be, and never waited for long: a Deployment is adopted, and a version loses its traffic, whether or
not Git answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import structlog

from canary.core.state import Rejected
from canary.errors import CanaryError, Retryable
from canary.git.clone import GitSettings
from canary.git.credentials import Binding, Bindings
from canary.git.notes import Note, Noted, read_notes, rejected_of, write_note
from canary.git.provenance import Provenance
from canary.git.repository import open_repository
from canary.operator.cache import Name
from canary.operator.clock import Clock
from canary.operator.origin import Origin
from canary.operator.queue import Backoff
from canary.operator.threads import Threads

ORIGIN_SECONDS: Final = 10.0
"""How long a first sight waits for the engine to write down that the Deployment is its: it applies first."""
READ_SECONDS: Final = 15.0
WRITE_SECONDS: Final = 60.0
SHARED_SECONDS: Final = 30.0
"""For so long one answer serves every Rollout of a repository: in a new cluster all are seen for the first time at
once."""
TRIES: Final = 5
BACKOFF: Final = Backoff(first_seconds=1.0, longest_seconds=30.0)
_log = structlog.get_logger(__name__)
_Shared: TypeAlias = tuple[float, asyncio.Task[tuple[Noted, ...]]]


@dataclass(frozen=True, slots=True)
class Told:
    """What the notes tell at first sight."""

    rejected: tuple[Rejected, ...] = ()
    awaited: bool = False
    """Whether they are still being read."""


@dataclass(slots=True)
class _Sight:
    since: float
    task: asyncio.Task[None] | None = None
    answer: Told | None = None


class Notes:
    """Reads and writes the notes in threads of its own."""

    def __init__(
        self,
        *,
        clock: Clock,
        wake: Callable[[Name], None],
        bindings: Callable[[], Bindings],
        settings: GitSettings,
        random: Callable[[], float],
    ) -> None:
        self._clock = clock
        self._wake = wake
        self._bindings = bindings
        self._settings = settings
        self._random = random
        self._threads = Threads(2, "notes")
        self._sights: dict[Name, _Sight] = {}
        self._shared: dict[tuple[str, str], _Shared] = {}
        self._writes: set[asyncio.Task[None]] = set()

    def at_first_sight(self, key: Name, origin: Origin, *, owned: bool) -> Told:
        """Return what the notes tell of a Rollout, or that they are awaited: it is woken when they are there.

        `owned`: whether the Deployment names an owner of a GitOps engine's that exists; if so, its word is waited for.
        """
        if not owned and origin.provenance is None:
            return Told()
        sight = self._sights.setdefault(key, _Sight(self._clock.monotonic()))
        if sight.answer is not None:
            return sight.answer
        if origin.provenance is None:
            return Told(awaited=self._clock.monotonic() - sight.since < ORIGIN_SECONDS)
        if sight.task is None:
            sight.task = asyncio.create_task(self._look(key, sight, origin.provenance), name=f"notes {'/'.join(key)}")
        return Told(awaited=True)

    def forget(self, key: Name) -> None:
        """Drop what was told of a Rollout: it is adopted, or gone."""
        sight = self._sights.pop(key, None)
        if sight is not None and sight.task is not None:
            sight.task.cancel()

    def rejected(self, key: Name, where: Provenance, commit: str, note: Note) -> None:
        """Have a note written on the commit that brought a rejected version."""
        self._start(key, where, note, lambda: self._put(key, where, commit, note))

    def retried(self, key: Name, where: Provenance, note: Note) -> None:
        """Have it noted that a version is tried again; nothing is written when no note calls it rejected."""
        self._start(key, where, note, lambda: self._take_back(key, where, note))

    def stop(self) -> None:
        """Drop everything."""
        for key in list(self._sights):
            self.forget(key)
        for task in (*self._writes, *(task for _, task in self._shared.values())):
            task.cancel()

    async def _look(self, key: Name, sight: _Sight, where: Provenance) -> None:
        rejected: tuple[Rejected, ...] = ()
        try:
            found = rejected_of(await self._all(key, where), "/".join(key))
            rejected = tuple(_rejected(noted) for noted in found)
        except CanaryError as error:
            _log.info("notes not read", rollout="/".join(key), error=str(error))
        except TimeoutError:
            _log.warning("notes not read in time", rollout="/".join(key), seconds=READ_SECONDS)
        except Exception:  # noqa: BLE001 -- a defect here must not keep a Rollout from being adopted
            _log.exception("notes")
        sight.answer = Told(rejected)
        self._wake(key)

    async def _all(self, key: Name, where: Provenance) -> tuple[Noted, ...]:
        binding = self._binding(key, where)  # by the namespace: what is shared is shared by those who may read it
        of, now = (where.url, binding.name), self._clock.monotonic()
        at, task = self._shared.get(of, (float("-inf"), None))
        if task is None or now - at > SHARED_SECONDS or (task.done() and (task.cancelled() or task.exception())):
            task = asyncio.create_task(self._read(where.url, binding), name=f"notes of {where.url}")
            self._shared[of] = (now, task)
        return await asyncio.shield(task)

    async def _read(self, url: str, binding: Binding) -> tuple[Noted, ...]:
        def read() -> tuple[Noted, ...]:
            with open_repository(url, binding, self._settings) as repository:
                return read_notes(repository)

        return await self._threads.run(read, limit_seconds=READ_SECONDS)

    def _start(self, key: Name, where: Provenance, note: Note, write: Callable[[], bool]) -> None:
        task = asyncio.create_task(self._write(key, where, note, write), name=f"note {'/'.join(key)}")
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def _write(self, key: Name, where: Provenance, note: Note, write: Callable[[], bool]) -> None:
        log = _log.bind(rollout="/".join(key), version=note.version_hash, retried=note.retried)
        for failures in range(1, TRIES + 1):
            try:
                written = await self._threads.run(write, limit_seconds=WRITE_SECONDS)
            except (CanaryError, TimeoutError) as error:
                log.warning("not noted in Git", error=str(error), failures=failures)
                if not isinstance(error, Retryable | TimeoutError):
                    return
            except Exception:
                log.exception("note")
                return
            else:
                # What was read before is old now, also for a Rollout that is made anew at once.
                self._shared = {of: shared for of, shared in self._shared.items() if of[0] != where.url}
                log.info("noted in Git", written=written)
                return
            await self._clock.sleep(BACKOFF.seconds(failures, self._random))

    def _put(self, key: Name, where: Provenance, commit: str, note: Note) -> bool:
        """In a thread."""
        with open_repository(where.url, self._binding(key, where), self._settings) as repository:
            return write_note(repository, commit, note)

    def _take_back(self, key: Name, where: Provenance, note: Note) -> bool:
        """In a thread."""
        with open_repository(where.url, self._binding(key, where), self._settings) as repository:
            found = rejected_of(read_notes(repository), note.rollout)
            commit = next((each.commit for each in found if each.note.version_hash == note.version_hash), None)
            return commit is not None and write_note(repository, commit, note)

    def _binding(self, key: Name, where: Provenance) -> Binding:
        return self._bindings().lookup(key[0], where.url, where.path)


def _rejected(noted: Noted) -> Rejected:
    note = noted.note
    reason = f"{note.reason} (Git's note on {noted.commit[:10]})".strip()
    return Rejected(note.template_hash, note.version_hash, float(note.at), noted.commit, reason, note.images)
