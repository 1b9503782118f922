"""One pass over one Rollout: observe, decide, apply. And who is to be looked at again, when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from pydantic import ValidationError

from canary.core import effects as fx
from canary.core.decide import decide
from canary.core.effects import Decision
from canary.core.phases import Phase, Stage
from canary.core.sentences import sentences
from canary.core.state import State
from canary.core.stepping import STABLE_TOO_SMALL
from canary.errors import ApiConflict, CanaryError, NeedsHuman, NotFound, SpecInvalid
from canary.git.notes import Note
from canary.operator import kinds
from canary.operator.analysis import Analyses
from canary.operator.apply import STATUS_MANAGER, Pass, apply
from canary.operator.cache import Cache, Name
from canary.operator.client import Api
from canary.operator.clock import Clock
from canary.operator.git import Reverts
from canary.operator.kinds import Obj
from canary.operator.look import Besides, Look, Named, look, named
from canary.operator.measuring import Problem, candidate_ready_at, problem_of, wanted
from canary.operator.notes import Told
from canary.operator.origin import Origin, origin_of, owners_of
from canary.operator.planning import weight_wanted
from canary.operator.status import Shown, from_status, merge_patch, shown, to_status
from canary.operator.telemetry import Telemetry

WAITING_SECONDS: Final = 0.5
"""Between looks while something that is not watched (pods' addresses, the gateway) is waited for."""
WATCHING_SECONDS: Final = 3.0
"""Between looks while a canary exists: its pods are not watched, and a crash has to be seen."""
SAME_AGAIN_SECONDS: Final = 2.0
"""Before the same effects are tried again when they did not take: somebody undoes them, or a policy does."""
SHOWN_SECONDS: Final = 2.0
"""Between writes of a status that only show something: weights in force, reports."""
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Memory:
    """What is remembered between passes, and may be lost."""

    generation: int = -1
    named: Named | None = None
    effects: tuple[fx.Effect, ...] = ()
    shown_at: float = float("-inf")
    sync_asked: str = ""
    """The commit for which the engine was last asked to sync. A new process asks once more, which is harmless; read
    back from the engine's object, two Rollouts with a source in common would each undo the other's."""


class Reconciler:
    """Looks at a Rollout and does what `decide()` says."""

    def __init__(
        self,
        *,
        api: Api,
        cache: Cache,
        clock: Clock,
        analyses: Analyses,
        reverts: Reverts,
        telemetry: Telemetry,
        leads: Callable[[], bool],
        argocd_namespace: str = "argocd",
    ) -> None:
        self._api = api
        self._cache = cache
        self._clock = clock
        self._analyses = analyses
        self._reverts = reverts
        self._telemetry = telemetry
        self._leads = leads
        self._argocd_namespace = argocd_namespace
        self._memory: dict[Name, _Memory] = {}
        self.policies = True
        """Whether the admission policies hold Deployments; set at the start and at each resync."""

    async def reconcile(self, key: Name) -> float | None:
        """Do one pass; return in how many seconds to look again, or None to wait for a change.

        Raises
        ------
        CanaryError
            The pass could not be finished; what it did stands, and the next goes on from there.
        """
        rollout = self._cache.get(kinds.ROLLOUT, *key)
        if rollout is None:
            self.forget(key)
            return None
        memory = self._memory.setdefault(key, _Memory())
        now = round(self._clock.now(), 3)  # status keeps milliseconds
        try:
            return await self._pass(key, rollout, memory, now)
        except NeedsHuman as error:
            await self._tell_problem(key, Problem(error.reason, str(error)), now)
            raise

    def forget(self, key: Name) -> None:
        """Drop what is known of a Rollout that is gone."""
        self._memory.pop(key, None)
        self._analyses.want(key, None, {})
        self._reverts.forget(key)
        self._reverts.notes.forget(key)

    async def _pass(self, key: Name, rollout: Obj, memory: _Memory, now: float) -> float | None:
        state = _state_of(rollout)
        what, problem = self._named(rollout, memory)
        release = state.release
        told = self._told(key, what, state)
        besides = Besides(
            analysis=self._analyses.view(key),
            revert=self._reverts.outcome(key, release.id) if release else None,
            problem=problem.message if problem else "",
            problem_reason=problem.reason if problem else "",
            policies=self.policies,
            sync_asked=memory.sync_asked,
            argocd_namespace=self._argocd_namespace,
            noted=told.rejected,
            notes_awaited=told.awaited,
        )
        seen = await look(self._api, self._cache, rollout, what, state, besides, now)
        decision = decide(what.plan, state, seen.observed, now)
        log = _log.bind(rollout="/".join(key), phase=decision.state.phase.value)
        if decision.state.release is not None:
            log = log.bind(release=decision.state.release.id)
        if (decision.state.phase, decision.state.reason) != (state.phase, state.reason):
            log.info("state", reason=decision.state.reason, message=decision.state.message)
        run = self._run(key, rollout, seen, decision.state, now)
        for effect in decision.effects:
            if not self._leads():
                log.warning("deposed in mid-pass", effect=type(effect).__name__)
                return None
            await apply(run, effect)
            if isinstance(effect, fx.AskSync):
                memory.sync_asked = effect.commit
            if not isinstance(effect, fx.WriteStatus | fx.Emit | fx.RevertInGit):
                log.info("done", effect=effect)
        self._judge(key, seen, decision.state)
        shown_again = await self._show(run, memory, now)
        self._count(key, state, decision.state, seen)
        return self._again(decision, memory, now, shown_again)

    def _run(self, key: Name, rollout: Obj, seen: Look, state: State, now: float) -> Pass:
        told = shown(seen.named.plan, seen.observed, state, weight_wanted(seen.named.plan, state))
        generation = rollout["metadata"].get("generation", 0)

        def render(present: Obj) -> Obj | None:
            before = present.get("status") or {}
            patch: Obj | None = merge_patch(before, to_status(state, told, generation, before, now))
            return patch

        return Pass(
            api=self._api,
            cache=self._cache,
            rollout=rollout,
            seen=seen,
            state=state,
            now=now,
            render_status=render,
            ask_git=lambda effect, at, decided: self._reverts.ask(key, effect, at, decided),
            note_retried=lambda effect, at, when: self._note_retried(key, effect, at, when),
        )

    def _named(self, rollout: Obj, memory: _Memory) -> tuple[Named, Problem | None]:
        """Return what the Rollout says; if it says what cannot be, what it said last, and the problem."""
        generation = rollout["metadata"].get("generation", 0)
        if memory.named is None or memory.generation != generation:
            try:
                memory.named, memory.generation = named(rollout), generation
            except SpecInvalid as error:
                if memory.named is None:
                    raise
                return memory.named, Problem(error.reason, str(error))
        return memory.named, problem_of(self._cache, memory.named, self._analyses.languages)

    def _told(self, key: Name, what: Named, state: State) -> Told:
        """Ask Git's notes what was rejected here before, at first sight and only then."""
        if state.phase is not Phase.PENDING:
            self._reverts.notes.forget(key)
            return Told()
        deployment = self._cache.get(kinds.DEPLOYMENT, what.namespace, what.workload)
        origin = origin_of(self._cache, deployment, self._argocd_namespace) if deployment else Origin()
        engines = owners_of(deployment, self._argocd_namespace) if deployment else ()
        owned = any(self._cache.get(*engine) is not None for engine in engines)
        return self._reverts.notes.at_first_sight(key, origin, owned=owned)

    def _note_retried(self, key: Name, effect: fx.ForgetRejected, seen: Look, now: float) -> None:
        where = seen.origin.provenance
        if where is not None:
            note = Note("/".join(key), effect.version_hash, effect.template_hash, int(now), retried=True)
            self._reverts.notes.retried(key, where, note)

    def _judge(self, key: Name, seen: Look, state: State) -> None:
        try:
            self._analyses.want(key, wanted(self._cache, seen, state), candidate_ready_at(seen, state))
        except (NotFound, SpecInvalid) as error:  # the next look has it as a problem; what was judged goes on
            _log.warning("not judged", rollout="/".join(key), error=str(error))

    async def _show(self, run: Pass, memory: _Memory, now: float) -> float | None:
        """Write what the status shows besides the state, not too often; return when to do it later."""
        if run.rollout["metadata"].get("deletionTimestamp") and not run.rollout["metadata"].get("finalizers"):
            return None
        if run.render_status(run.rollout) is None:
            return None
        wait = memory.shown_at + SHOWN_SECONDS - now
        if wait > 0:
            return wait
        memory.shown_at = now
        try:
            await run.write_status()
        except ApiConflict:
            return SHOWN_SECONDS
        except NotFound:  # deleted meanwhile
            return None
        return None

    def _again(self, decision: Decision, memory: _Memory, now: float, shown_again: float | None) -> float | None:
        changing = tuple(e for e in decision.effects if not isinstance(e, fx.Emit | fx.WriteStatus | fx.RevertInGit))
        repeated, memory.effects = changing == memory.effects, changing
        times = [] if decision.wake_at is None else [decision.wake_at - now]
        if changing:  # what our own write changed tells nobody by an event
            times.append(SAME_AGAIN_SECONDS if repeated else 0.0)
        patience = _patience(decision.state)
        if patience is not None:
            times.append(patience)
        if shown_again is not None:
            times.append(shown_again)
        return max(0.0, min(times)) if times else None

    async def _tell_problem(self, key: Name, problem: Problem, now: float) -> None:
        """Say in the conditions why a pass could not be finished; the state stays what it is."""
        current = self._cache.get(kinds.ROLLOUT, *key)
        if current is None:
            return
        meta, before = current["metadata"], current.get("status") or {}
        phase = Phase(before["phase"]) if before.get("phase") in set(Phase) else Phase.PENDING
        told = State(phase=phase, reason=problem.reason, message=sentences(problem.message), stalled=True)
        after = to_status(told, Shown(), meta.get("generation", 0), before, now)["conditions"]
        if before.get("conditions") == after:
            return
        body = {"metadata": {"resourceVersion": meta["resourceVersion"]}, "status": {"conditions": after}}
        try:
            answer = await self._api.patch(kinds.ROLLOUT, *key, body, manager=STATUS_MANAGER, subresource="status")
        except CanaryError as error:
            _log.warning("problem not told", rollout="/".join(key), error=str(error))
            return
        self._cache.put(kinds.ROLLOUT, answer)

    def _count(self, key: Name, before: State, after: State, seen: Look) -> None:
        telemetry = self._telemetry
        telemetry.stalled.labels(*key).set(after.stalled)
        traffic = seen.observed.traffic
        telemetry.weight.labels(*key).set((traffic.weight or 0) if traffic else 0)
        if after.history != before.history and after.history:
            telemetry.releases.labels(*key, after.history[0].outcome).inc()


def _state_of(rollout: Obj) -> State:
    try:
        return from_status(rollout.get("status") or {})
    except ValidationError as error:
        meta = rollout["metadata"]
        raise SpecInvalid(
            f"The status of Rollout {meta['namespace']}/{meta['name']} cannot be read: a newer version wrote it, or "
            f"somebody else: {error.errors(include_url=False)[0]['msg']}"
        ) from error


def _patience(state: State) -> float | None:
    """Return how long a look may be the last one although nothing watched changes; None for ever."""
    release = state.release
    if state.phase is Phase.PENDING and state.reason == "ReadingNotes":
        return WAITING_SECONDS
    if release is None:
        return WATCHING_SECONDS if state.drained_since is not None else None
    match state.phase:
        case Phase.HELD if state.reason == STABLE_TOO_SMALL:
            return WATCHING_SECONDS  # what pods use is not watched
        case Phase.STARTING | Phase.ROLLING_BACK:
            return WAITING_SECONDS
        case Phase.STEP:
            return WAITING_SECONDS if release.in_force_since is None else WATCHING_SECONDS
        case Phase.PROMOTING:
            return WATCHING_SECONDS if release.stage is Stage.BAKE else WAITING_SECONDS
        case _:
            return WATCHING_SECONDS if state.drained_since is not None else None
