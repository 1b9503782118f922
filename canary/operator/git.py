"""Reverts in threads: one at a time for each repository, tried again with backoff until the answer is final."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from canary.core.effects import RevertInGit
from canary.core.state import Revert, State
from canary.errors import ApiConflict, CanaryError, Retryable
from canary.git.clone import GitSettings
from canary.git.credentials import Bindings
from canary.git.history import Seen
from canary.git.kustomize import find_kustomize
from canary.git.notes import Note
from canary.git.outcome import AlreadyReverted, BroughtBack, NeedsPullRequest, Outcome, RevertDone, Superseded
from canary.git.provenance import NotFromGit, Provenance
from canary.git.render import Renderer
from canary.git.repository import open_repository
from canary.git.revert import RevertRequest, revert
from canary.operator.cache import Name
from canary.operator.clock import Clock
from canary.operator.look import Look
from canary.operator.notes import Notes
from canary.operator.queue import Backoff
from canary.operator.telemetry import Telemetry
from canary.operator.threads import Threads
from canary.workload.copy import find_template

LIMIT_SECONDS: Final = 300.0
"""For one try, all of git's own limits together."""
BACKOFF: Final = Backoff(first_seconds=1.0, longest_seconds=60.0)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """One revert that is asked for."""

    release: str
    provenance: Provenance
    request: RevertRequest
    note: Note
    """What Git is to remember of the version, whatever becomes of the revert."""
    commit: str
    """That was applied when the version was first seen; empty when nobody knows."""


@dataclass(slots=True)
class _Standing:
    release: str
    job: Job | None
    noted: bool = False
    task: asyncio.Task[None] | None = None
    revert: Revert | None = None


def job_of(effect: RevertInGit, seen: Look, state: State) -> Job | NotFromGit:
    """Return what the Git worker needs, or why there is nothing to revert.

    Raises
    ------
    ApiConflict
        A template that is needed is gone: look again.
    """
    origin, deployment = seen.origin, seen.deployment
    if origin.provenance is None or deployment is None:
        return NotFromGit(origin.reason)
    told = origin.provenance.attempted_revision or origin.provenance.applied_revision
    rejected: Mapping[str, Any] = find_template(
        effect.candidate.template_hash, deployment, seen.replica_sets, seen.copy
    )
    stable: Mapping[str, Any] = find_template(effect.stable.template_hash, deployment, seen.replica_sets, None)
    pushed = state.release.revert.commit if state.release and state.release.revert else ""
    request = RevertRequest(
        rollout=f"{seen.named.namespace}/{seen.named.plan.name}",
        # The newest commit that was fetched: the search goes back from there, past later commits that changed other
        # things.
        seen=Seen(
            origin.fetched or told or effect.candidate.commit,
            effect.stable.commit,
            rejected,
            stable,
            first_commit=effect.candidate.commit,
        ),
        verdict_at=int(effect.at),
        report=effect.report,
        pushed=pushed,
    )
    note = Note(
        rollout=request.rollout,
        version_hash=effect.candidate.version_hash,
        template_hash=effect.candidate.template_hash,
        at=request.verdict_at,
        reason=effect.report.partition("\n\n")[0],
        images=effect.candidate.images,
        stable_commit=effect.stable.commit,
    )
    return Job(effect.release, origin.provenance, request, note, effect.candidate.commit or told)


class Reverts:
    """The Git worker: takes what is asked for, and tells what became of it."""

    def __init__(
        self,
        *,
        clock: Clock,
        wake: Callable[[Name], None],
        bindings: Callable[[], Bindings],
        settings: GitSettings,
        notes: Notes,
        kustomize: str = "",
        random: Callable[[], float],
        telemetry: Telemetry,
    ) -> None:
        self._clock = clock
        self._wake = wake
        self._bindings = bindings
        self._settings = settings
        self.notes = notes
        """Of the same repositories."""
        self._kustomize = kustomize
        self._random = random
        self._telemetry = telemetry
        self._threads = Threads(4, "git")
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._standing: dict[Name, _Standing] = {}

    def ask(self, key: Name, effect: RevertInGit, seen: Look, state: State) -> None:
        """Ask for a revert; asking again for the same release changes nothing but the facts that the next try uses."""
        standing = self._standing.get(key)
        if standing is None or standing.release != effect.release:
            self.forget(key)
            standing = self._standing[key] = _Standing(effect.release, None)
        if standing.revert is not None and standing.revert.final:
            return
        try:
            found = job_of(effect, seen, state)
        except ApiConflict as error:
            _log.info("revert waits", rollout="/".join(key), error=str(error))
            return
        if isinstance(found, NotFromGit):
            self._tell(key, standing, Revert("NotFromGit", final=True, message=found.message, at=self._clock.now()))
            return
        standing.job = found
        if standing.task is None or standing.task.done():
            standing.task = asyncio.create_task(self._run(key, standing), name=f"revert {'/'.join(key)}")

    def outcome(self, key: Name, release: str) -> Revert | None:
        """Return what became of a release's revert; None before the first answer."""
        standing = self._standing.get(key)
        return standing.revert if standing is not None and standing.release == release else None

    def forget(self, key: Name) -> None:
        """Drop what is known of a Rollout; a try that is under way ends unheard."""
        standing = self._standing.pop(key, None)
        if standing is not None and standing.task is not None:
            standing.task.cancel()

    def stop(self) -> None:
        """Drop everything; what was pushed is found again by whoever asks next."""
        for key in list(self._standing):
            self.forget(key)

    async def _run(self, key: Name, standing: _Standing) -> None:
        failures = 0
        while standing.job is not None:
            job = standing.job
            async with self._locks[job.provenance.url]:
                answer = await self._try(key, job)
            self._telemetry.reverts.labels(answer.reason).inc()
            self._tell(key, standing, answer)
            self._note(key, standing, job, answer)
            if answer.final:
                return
            failures += 1
            await self._clock.sleep(BACKOFF.seconds(failures, self._random))

    def _note(self, key: Name, standing: _Standing, job: Job, answer: Revert) -> None:
        """After the revert, have Git remember the version on what brought it; a change by hand has no commit."""
        commit = answer.culprits[0] if answer.culprits else job.commit if answer.final else ""
        if commit and not standing.noted and answer.reason != NotFromGit.reason:
            standing.noted = True
            self.notes.rejected(key, job.provenance, commit, job.note)

    async def _try(self, key: Name, job: Job) -> Revert:
        began = self._clock.monotonic()
        try:
            outcome = await self._threads.run(lambda: self._revert(key, job), limit_seconds=LIMIT_SECONDS)
            answer = said(outcome, self._clock.now())
        except CanaryError as error:
            answer = Revert(error.reason, final=False, message=str(error), at=self._clock.now())
            if not isinstance(error, Retryable):
                _log.error("revert refused", rollout="/".join(key), reason=error.reason, error=str(error))
        except TimeoutError:
            message = f"no answer within {LIMIT_SECONDS:.0f} s"
            answer = Revert("GitUnavailable", final=False, message=message, at=self._clock.now())
        except Exception as error:  # noqa: BLE001 -- a defect in one revert must not end the worker
            _log.exception("revert", rollout="/".join(key))
            answer = Revert("Error", final=False, message=repr(error), at=self._clock.now())
        seconds = round(self._clock.monotonic() - began, 3)
        _log.info("revert", rollout="/".join(key), release=job.release, reason=answer.reason, seconds=seconds)
        return answer

    def _revert(self, key: Name, job: Job) -> Outcome:
        """In a thread."""
        where = job.provenance
        binding = self._bindings().lookup(key[0], where.url, where.path)
        kustomize = find_kustomize(self._kustomize)
        with open_repository(where.url, binding, self._settings) as repository:
            return revert(repository, Renderer(repository, where, kustomize), job.request)

    def _tell(self, key: Name, standing: _Standing, answer: Revert) -> None:
        standing.revert = answer
        if self._standing.get(key) is standing:
            self._wake(key)


def said(outcome: Outcome, at: float) -> Revert:
    """Return an outcome as the core knows it."""
    match outcome:
        case RevertDone() | AlreadyReverted():
            return Revert(
                outcome.reason,
                final=True,
                commit=outcome.commit,
                culprits=outcome.culprits,
                message=outcome.message,
                at=at,
            )
        case NeedsPullRequest():
            # Refused by the server's rules, which may change; what cannot be made, cannot be made the next time either.
            return Revert(
                outcome.reason,
                final=not outcome.refused,
                culprits=outcome.culprits,
                message=outcome.message,
                at=at,
            )
        case Superseded() | BroughtBack() | NotFromGit():
            return Revert(outcome.reason, final=True, message=outcome.message, at=at)
