"""Doing what was decided: one function for each effect, in a table; the first that fails ends the pass."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from canary.api.labelling import label, unlabel
from canary.api.names import FINALIZER, LABEL_ROLLOUT, REJECTED_CONFIGMAP
from canary.api.patch import DEPLOYMENT, SERVICE, ContentType, Delete, ObjectRef, Patch, Write, labels_of, ref_of
from canary.core import effects as fx
from canary.core.state import Rejected, State
from canary.git.sync import sync_request
from canary.operator import events, kinds
from canary.operator.cache import Cache
from canary.operator.client import Api
from canary.operator.kinds import Obj, kind_of
from canary.operator.look import Look
from canary.operator.origin import held_up
from canary.workload import copy, hold, pin, rejected, scaling

STATUS_MANAGER: Final = "canary-status"
ROLLOUT_MANAGER: Final = "canary-rollout"


@dataclass(slots=True)
class Pass:
    """One pass over one Rollout: what the effects work on."""

    api: Api
    cache: Cache
    rollout: Obj
    """Replaced by the answer to each write of it, so that the next carries its resourceVersion."""
    seen: Look
    state: State
    """That was decided."""
    now: float
    render_status: Callable[[Obj], Obj | None]
    """Given the present Rollout, returns the merge patch of its status, or None when it says so already."""
    ask_git: Callable[[fx.RevertInGit, Look, State], None]
    note_retried: Callable[[fx.ForgetRejected, Look, float], None]

    async def write(self, write: Write) -> None:
        """Do one rendered write, and put its answer into the cache: the watch may be behind it for a while."""
        kind = kind_of(write.ref.api_version, write.ref.kind)
        ref = write.ref
        if isinstance(write, Delete):
            await self.api.delete(kind, ref.namespace, ref.name, uid=write.uid, propagation=write.propagation)
            return
        answer = await self._patch(kind, ref, write)
        if not write.subresource:
            self.cache.put(kind, answer)

    async def _patch(self, kind: kinds.Kind, ref: ObjectRef, patch: Patch) -> Obj:
        if patch.content_type is ContentType.APPLY:
            return await self.api.apply(kind, patch.body, manager=patch.field_manager)
        return await self.api.patch(
            kind, ref.namespace, ref.name, patch.body, manager=patch.field_manager, subresource=patch.subresource
        )

    async def patch_rollout(self, body: Obj, *, subresource: str = "", manager: str = ROLLOUT_MANAGER) -> None:
        """Patch the Rollout on condition that nobody wrote to it since it was read."""
        meta = self.rollout["metadata"]
        conditional = {**body, "metadata": {**body.get("metadata", {}), "resourceVersion": meta["resourceVersion"]}}
        self.rollout = await self.api.patch(
            kinds.ROLLOUT, meta["namespace"], meta["name"], conditional, manager=manager, subresource=subresource
        )
        self.cache.put(kinds.ROLLOUT, self.rollout)

    async def write_status(self) -> bool:
        """Write the status if it is to say something else; return whether it was written."""
        patch = self.render_status(self.rollout)
        if patch is None:
            return False
        await self.patch_rollout({"status": patch}, subresource="status", manager=STATUS_MANAGER)
        return True


async def apply(run: Pass, effect: fx.Effect) -> None:
    """Do one effect.

    Raises
    ------
    CanaryError
        It could not be done, or it is not known whether it was; doing it again is harmless.
    """
    await _TABLE[type(effect)](run, effect)


async def _write_status(run: Pass, _: fx.WriteStatus) -> None:
    await run.write_status()


async def _add_finalizer(run: Pass, _: fx.AddFinalizer) -> None:
    others = [f for f in run.rollout["metadata"].get("finalizers") or () if f != FINALIZER]
    await run.patch_rollout({"metadata": {"finalizers": [*others, FINALIZER]}})


async def _remove_finalizer(run: Pass, _: fx.RemoveFinalizer) -> None:
    others = [f for f in run.rollout["metadata"].get("finalizers") or () if f != FINALIZER]
    await run.patch_rollout({"metadata": {"finalizers": others}})


async def _label(run: Pass, effect: fx.Label) -> None:
    name = run.seen.named.plan.name
    if effect.workload and run.seen.deployment is not None:
        await run.write(label(ref_of(run.seen.deployment, DEPLOYMENT), run.seen.deployment, name))
    if effect.service and run.seen.service is not None:
        await run.write(label(ref_of(run.seen.service, SERVICE), run.seen.service, name))
    if effect.route:
        for write in run.seen.provider.label(run.seen.traffic, on=True):
            await run.write(write)


async def _unlabel(run: Pass, effect: fx.Unlabel) -> None:
    name, seen = run.seen.named.plan.name, run.seen
    for write in seen.provider.label(seen.traffic, on=False):
        await run.write(write)
    if seen.service is not None and labels_of(seen.service).get(LABEL_ROLLOUT) == name:
        await run.write(unlabel(ref_of(seen.service, SERVICE)))
    deployment = seen.deployment
    if effect.workload and deployment is not None and labels_of(deployment).get(LABEL_ROLLOUT) == name:
        await run.write(unlabel(ref_of(deployment, DEPLOYMENT)))


async def _hold(run: Pass, effect: fx.Hold) -> None:
    if run.seen.deployment is not None:
        await run.write(hold.hold(ref_of(run.seen.deployment, DEPLOYMENT), effect.resource_version))


async def _let_go(run: Pass, effect: fx.LetGo) -> None:
    if run.seen.deployment is not None:
        await run.write(hold.let_go(ref_of(run.seen.deployment, DEPLOYMENT), effect.resource_version))


async def _pin(run: Pass, effect: fx.Pin) -> None:
    if run.seen.service is not None:
        policies = run.seen.observed.policies
        await run.write(pin.pin(ref_of(run.seen.service, SERVICE), effect.pod_template_hash, policies=policies))


async def _ensure_copy(run: Pass, effect: fx.EnsureCopy) -> None:
    seen, named = run.seen, run.seen.named
    if seen.deployment is None or seen.service is None:
        return
    wanted = effect.candidate.template_hash
    template = copy.find_template(wanted, seen.deployment, seen.replica_sets, seen.copy)
    # Objects of the canary's names that are somebody else's are in the cache only: render refuses to overwrite them.
    namespace = named.namespace
    in_place = run.cache.get(kinds.DEPLOYMENT, namespace, copy.copy_name(named.workload))
    twin = run.cache.get(kinds.SERVICE, namespace, copy.copy_name(named.service))
    deadline = named.plan.progress_deadline_seconds
    made = copy.render_copy(named.owner, seen.deployment, template, effect.release, effect.replicas, deadline, in_place)
    await run.write(made)
    exact = copy.render_exact_template(made, run.cache.get(kinds.DEPLOYMENT, namespace, made.ref.name), wanted)
    if exact is not None:
        await run.write(exact)
    await run.write(copy.render_canary_service(named.owner, seen.service, effect.release, twin))


async def _delete_copy(run: Pass, _: fx.DeleteCopy) -> None:
    for write in copy.delete_copy(run.seen.named.owner, run.seen.copy, run.seen.canary_service):
        await run.write(write)


async def _set_weight(run: Pass, effect: fx.SetWeight) -> None:
    for write in run.seen.provider.set_weight(run.seen.traffic, effect.weight, effect.resource_version):
        await run.write(write)


async def _restore_route(run: Pass, _: fx.RestoreRoute) -> None:
    for write in run.seen.provider.restore(run.seen.traffic):
        await run.write(write)


async def _scale_replica_set(run: Pass, effect: fx.ScaleReplicaSet) -> None:
    await run.write(scaling.scale_replica_set(run.seen.named.namespace, effect.name, effect.replicas))


def _listed(run: Pass) -> rejected.Listed:
    named = run.seen.named
    return rejected.Listed(named.namespace, named.plan.name, named.workload)


async def _remember_rejected(run: Pass, effect: fx.RememberRejected) -> None:
    at = next((r.at for r in run.state.rejected if r.template_hash == effect.template_hash), run.now)
    entry = Rejected(effect.template_hash, effect.version_hash, at, effect.commit, effect.reason, effect.images)
    named = run.seen.named
    # From the cache, not from the look: an earlier effect of this pass may have written the list.
    present = run.cache.get(kinds.CONFIG_MAP, named.namespace, REJECTED_CONFIGMAP)
    await run.write(rejected.add(present, _listed(run), entry))


async def _forget_rejected(run: Pass, effect: fx.ForgetRejected) -> None:
    named = run.seen.named
    present = run.cache.get(kinds.CONFIG_MAP, named.namespace, REJECTED_CONFIGMAP)
    write = rejected.forget(present, _listed(run), template_hash=effect.template_hash, version_hash=effect.version_hash)
    if write is not None:
        await run.write(write)
    run.note_retried(effect, run.seen, run.now)


async def _revert_in_git(run: Pass, effect: fx.RevertInGit) -> None:
    run.ask_git(effect, run.seen, run.state)


async def _ask_sync(run: Pass, effect: fx.AskSync) -> None:
    provenance = run.seen.origin.provenance
    if provenance is None:
        return
    request = sync_request(provenance, effect.commit, ends=held_up(run.cache, run.seen.origin, run.state))
    kind = kind_of(request.api_version, request.kind)
    answer = await run.api.patch(kind, request.namespace, request.name, request.patch, manager="canary-sync")
    run.cache.put(kind, answer)


async def _emit(run: Pass, effect: fx.Emit) -> None:
    await events.emit(run.api, run.rollout, effect.reason, effect.message, warning=effect.warning, now=run.now)


_Applies: TypeAlias = Callable[[Pass, Any], Awaitable[None]]
_TABLE: Final[Mapping[type, _Applies]] = MappingProxyType(
    {
        fx.WriteStatus: _write_status,
        fx.AddFinalizer: _add_finalizer,
        fx.RemoveFinalizer: _remove_finalizer,
        fx.Label: _label,
        fx.Unlabel: _unlabel,
        fx.Hold: _hold,
        fx.LetGo: _let_go,
        fx.Pin: _pin,
        fx.EnsureCopy: _ensure_copy,
        fx.DeleteCopy: _delete_copy,
        fx.SetWeight: _set_weight,
        fx.RestoreRoute: _restore_route,
        fx.ScaleReplicaSet: _scale_replica_set,
        fx.RememberRejected: _remember_rejected,
        fx.ForgetRejected: _forget_rejected,
        fx.RevertInGit: _revert_in_git,
        fx.AskSync: _ask_sync,
        fx.Emit: _emit,
    }
)
