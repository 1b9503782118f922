"""The operator's parts put together: caches fed by watches, a queue fed by changes, workers while we lead."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

from canary.core.phases import Phase
from canary.errors import ApiUnavailable, CanaryError, NotFound
from canary.metrics.source import MetricSource
from canary.operator import kinds
from canary.operator.analysis import Analyses
from canary.operator.believed import refuse_when_disbelieved
from canary.operator.cache import Cache, Name, name_of
from canary.operator.client import Api
from canary.operator.clock import Clock
from canary.operator.config import Config
from canary.operator.election import Election
from canary.operator.git import Reverts
from canary.operator.interests import Interests, targets_of
from canary.operator.kinds import Kind, Obj
from canary.operator.notes import Notes
from canary.operator.orphans import Orphans
from canary.operator.policies import Holding
from canary.operator.queue import DeadlineQueue
from canary.operator.reconcile import Reconciler
from canary.operator.telemetry import Telemetry
from canary.operator.workers import Workers

FINISH_SECONDS: Final = 4.0
"""How long a pass under way may go on after the process was asked to stop."""
SECOND_LIST_SECONDS: Final = 10.0
"""After the start: what was deleted between our lists and the watches' own is noticed then."""
NEW_KINDS_SECONDS: Final = 20.0
"""Between looks for kinds that were not there: a GitOps engine or a gateway may be installed later. Arbitrary."""
_log = structlog.get_logger(__name__)


class Operator:
    """One process of the operator, without its watches and its HTTP server."""

    def __init__(
        self,
        config: Config,
        api: Api,
        *,
        clock: Clock,
        sources: Mapping[str, MetricSource],
        telemetry: Telemetry,
    ) -> None:
        self._config = config
        self._api = api
        self._clock = clock
        self._telemetry = telemetry
        self.cache = Cache()
        self._interests = Interests()
        self._queue: DeadlineQueue[Name] = DeadlineQueue(clock)
        self.election = Election(
            api, clock, namespace=config.namespace, name=config.file.lease, identity=config.identity
        )
        self._analyses = Analyses(
            sources=sources,
            clock=clock,
            wake=self.wake,
            telemetry=telemetry,
            threads=config.file.query_threads,
            tick_seconds=config.file.tick_seconds,
            longest_queries=config.longest_queries(),
            delays=config.delays(),
        )
        self._notes = Notes(
            clock=clock,
            wake=self.wake,
            bindings=config.bindings,
            settings=config.git_settings(),
            random=random.random,
        )
        self._reverts = Reverts(
            clock=clock,
            wake=self.wake,
            bindings=config.bindings,
            settings=config.git_settings(),
            notes=self._notes,
            kustomize=config.file.git.kustomize,
            random=random.random,
            telemetry=telemetry,
        )
        self._reconciler = Reconciler(
            api=api,
            cache=self.cache,
            clock=clock,
            analyses=self._analyses,
            reverts=self._reverts,
            telemetry=telemetry,
            leads=lambda: self.election.leads,
            argocd_namespace=config.file.argocd_namespace,
        )
        self._holding = Holding(
            api=api, cache=self.cache, clock=clock, chosen=config.file.policies, tell=self._policies_changed
        )
        self._orphans = Orphans(
            api=api, cache=self.cache, clock=clock, telemetry=telemetry, leads=lambda: self.election.leads
        )
        self._workers = Workers(
            self._queue,
            self._reconciler.reconcile,
            clock=clock,
            random=random.random,
            telemetry=telemetry,
            count=config.file.workers,
        )
        self.listed = asyncio.Event()
        """Set when every kind has been listed once: no decision is made before."""
        self.available: frozenset[Kind] = frozenset()
        """Kinds that the cluster serves."""

    def wake(self, key: Name) -> None:
        """Have a Rollout looked at now."""
        self._queue.put(key)

    def on_event(self, kind: Kind, event: str | None, obj: Obj) -> None:
        """Take an event of a watch."""
        news = self.cache.remove(kind, obj) if event == "DELETED" else self.cache.put(kind, obj)
        if news:
            self._changed(kind, obj)

    async def run(self, *, stop: asyncio.Event, on_kinds: Callable[[frozenset[Kind]], None]) -> None:
        """Work until `stop` is set, then end the passes under way and give the Lease back.

        `on_kinds` is told which kinds are to be watched, at the start and whenever that changes.
        """
        ticking = [
            asyncio.create_task(self._analyses.run(), name="ticker"),
            asyncio.create_task(self._list_and_resync(on_kinds), name="resync"),
            asyncio.create_task(self._measure(), name="measure"),
            asyncio.create_task(self._orphans.run(), name="orphans"),
            asyncio.create_task(self._holding.run(), name="policies"),
            asyncio.create_task(self._lead(), name="election"),
        ]
        stopped = asyncio.create_task(stop.wait(), name="stop")
        try:
            done, _ = await asyncio.wait([stopped, *ticking], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()  # none of them ends by itself: this raises what ended it
        finally:
            stopped.cancel()
            await self._workers.finish(FINISH_SECONDS)
            for task in ticking:
                task.cancel()
            self._reverts.stop()
            self._notes.stop()
            await self.election.resign()

    async def _lead(self) -> None:
        # The Lease and the lists are asked for at the same time; work begins when both are there.
        starting: asyncio.Task[None] | None = None

        async def start() -> None:
            await self.listed.wait()
            self._telemetry.leader.set(1)
            for rollout in self.cache.all(kinds.ROLLOUT):
                self.wake(name_of(rollout))
            self._workers.start()

        def elected() -> None:
            nonlocal starting
            starting = asyncio.create_task(start(), name="start")

        def deposed() -> None:
            self._telemetry.leader.set(0)
            if starting is not None:
                starting.cancel()
            self._workers.abandon()

        await self.election.run(elected=elected, deposed=deposed)

    async def _list_and_resync(self, on_kinds: Callable[[frozenset[Kind]], None]) -> None:
        await self._until_it_works(self._list)
        if self._reconciler.policies:
            await refuse_when_disbelieved(self._api)
        self.listed.set()
        on_kinds(self.available)
        wait = SECOND_LIST_SECONDS
        while True:
            pause = min(wait, NEW_KINDS_SECONDS)
            await self._clock.sleep(pause)
            wait -= pause
            if wait > 0 and not await self._new_kinds():
                continue
            wait = self._config.file.resync_seconds
            before = self.available
            try:
                await self._list()
            except CanaryError as error:
                _log.warning("resync", error=str(error))
                continue
            if self.available != before:
                on_kinds(self.available)
            for rollout in self.cache.all(kinds.ROLLOUT):
                self.wake(name_of(rollout))

    async def _new_kinds(self) -> bool:
        """Return whether the cluster serves a kind that it did not serve at the last listing."""
        for kind in kinds.WATCHED:
            if kind not in self.available:
                with contextlib.suppress(CanaryError):
                    await self._api.list(kind, next(iter(self._config.file.namespaces), None))
                    return True
        return False

    async def _until_it_works(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await work()
            except CanaryError as error:
                _log.warning("not started yet", error=str(error))
                await self._clock.sleep(1.0)

    async def _list(self) -> None:
        """List every kind, all at once; what a watch missed is found here."""
        listings = await asyncio.gather(*(self._list_kind(kind) for kind in kinds.WATCHED))
        self.available = frozenset(kind for kind, found in zip(kinds.WATCHED, listings, strict=True) if found)
        for key in [name_of(r) for r in self.cache.all(kinds.ROLLOUT)]:
            self._look_at(key)
        await self._holding.look()

    async def _list_kind(self, kind: Kind) -> bool:
        found = False
        for namespace in self._config.file.namespaces or (None,):
            try:
                listing = await self._api.list(kind, namespace if kind.namespaced else None)
            except NotFound as error:
                if kind.optional:
                    return False
                raise ApiUnavailable(f"{error}: are Canary's CRDs installed?") from error
            found = True
            news = self.cache.replace(kind, listing.items, listing.resource_version, namespace=namespace)
            for obj in news.values():
                self._changed(kind, obj)
        return found

    def _policies_changed(self, in_force: bool) -> None:  # noqa: FBT001 -- a callback's only argument
        self._reconciler.policies = in_force
        for rollout in self.cache.all(kinds.ROLLOUT):
            self.wake(name_of(rollout))

    def _changed(self, kind: Kind, obj: Obj) -> None:
        key = name_of(obj)
        if kind is kinds.ROLLOUT:
            if self.cache.get(kinds.ROLLOUT, *key) is None:
                self._interests.forget(key)
                self._reconciler.forget(key)
                self._queue.forget(key)
                return
            self._look_at(key)
        self._holding.seen(kind, obj)
        woken = self._interests.of(kind, obj)
        if kind is kinds.DEPLOYMENT:  # it says which Kustomization or Application it belongs to
            self._orphans.seen(obj)
            for rollout in woken:
                self._look_at(rollout)
        for rollout in woken:
            self.wake(rollout)

    def _look_at(self, key: Name) -> None:
        rollout = self.cache.get(kinds.ROLLOUT, *key)
        if rollout is None:
            return
        workload = rollout.get("spec", {}).get("workload", {}).get("name", "")
        deployment = self.cache.get(kinds.DEPLOYMENT, key[0], workload)
        self._interests.update(key, targets_of(rollout, deployment, self._config.file.argocd_namespace))

    async def _measure(self) -> None:
        while True:
            began = self._clock.monotonic()
            await self._clock.sleep(1.0)
            self._telemetry.loop_lag.set(max(0.0, self._clock.monotonic() - began - 1.0))
            self._telemetry.queue.set(len(self._queue))
            self._telemetry.overdue.set(self._queue.overdue)
            phases = Counter(
                (r.get("status") or {}).get("phase", Phase.PENDING.value) for r in self.cache.all(kinds.ROLLOUT)
            )
            for phase in Phase:
                self._telemetry.rollouts.labels(phase.value).set(phases.get(phase.value, 0))
