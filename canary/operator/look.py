"""One look at the world for one Rollout: what the caches have, what had to be read, and the view that is decided by."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from canary.api.metadata import ObjectMeta
from canary.api.names import (
    ANNOTATION_ABORT,
    ANNOTATION_APPROVED,
    ANNOTATION_PAUSED,
    ANNOTATION_PROMOTE,
    ANNOTATION_RETRY,
    CANARY_SUFFIX,
    FINALIZER,
    REJECTED_CONFIGMAP,
)
from canary.api.parse import parse_rollout
from canary.api.patch import Owner, annotations_of, labels_of
from canary.api.rollout import Rollout
from canary.core.observed import AnalysisView, Commands, LoadView, Observed
from canary.core.phases import Phase
from canary.core.plan import Plan
from canary.core.state import Rejected, Revert, State
from canary.errors import CanaryError
from canary.operator import kinds
from canary.operator.cache import Cache
from canary.operator.client import Api
from canary.operator.kinds import Obj, kind_of
from canary.operator.origin import Origin, applied_now, commit_now, held_up, origin_of
from canary.operator.planning import plan_of
from canary.traffic.protocol import Objects, Provider, Split
from canary.traffic.registry import provider_of
from canary.workload import rejected
from canary.workload.hpa import hpas_of, load_view, reads_pod_metrics
from canary.workload.observe import SLICE_SERVICE_LABEL, canary_service, copy_view, service_view, workload_view

_LOADED: Final = frozenset({Phase.HELD, Phase.STARTING, Phase.STEP, Phase.PROMOTING})
"""Phases in which it matters whether the Deployment alone would carry the load."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a Rollout says, read once for each generation of it."""

    rollout: Rollout
    plan: Plan
    owner: Owner

    @property
    def namespace(self) -> str:
        """Of the Rollout and everything that it names."""
        return self.rollout.metadata.namespace

    @property
    def workload(self) -> str:
        """Name of the Deployment."""
        return self.rollout.spec.workload.name

    @property
    def service(self) -> str:
        """Name of the root Service."""
        return self.rollout.spec.service.name

    def provider(self, *, policies: bool) -> Provider:
        """Return who splits the traffic."""
        split = Split(
            owner=self.owner,
            namespace=self.namespace,
            service=self.service,
            canary=self.service + CANARY_SUFFIX,
            port=self.rollout.spec.service.port,
            policies=policies,
        )
        return provider_of(self.rollout.spec.traffic, split)


@dataclass(frozen=True, slots=True)
class Besides:
    """What a look takes from the operator's own parts."""

    analysis: AnalysisView | None = None
    revert: Revert | None = None
    problem: str = ""
    problem_reason: str = ""
    policies: bool = True
    sync_asked: str = ""
    argocd_namespace: str = "argocd"
    noted: tuple[Rejected, ...] = ()
    notes_awaited: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen, as objects (for the writes) and as a view (for the decision)."""

    named: Named
    provider: Provider
    traffic: Objects
    deployment: Obj | None
    replica_sets: tuple[Obj, ...]
    service: Obj | None
    copy: Obj | None
    canary_service: Obj | None
    pods: tuple[Obj, ...]
    """Of both versions; none were read when nothing is under way."""
    rejected: Obj | None
    """The namespace's ConfigMap."""
    origin: Origin
    observed: Observed


def named(rollout: Obj) -> Named:
    """Read what a Rollout says.

    Raises
    ------
    SpecInvalid
        It says what cannot be, or what is not served.
    """
    model = parse_rollout(rollout)
    meta: ObjectMeta = model.metadata
    owner = Owner(kinds.ROLLOUT.api_version, kinds.ROLLOUT.kind, meta.name, meta.uid)
    return Named(model, plan_of(model), owner)


async def look(api: Api, cache: Cache, rollout: Obj, what: Named, state: State, besides: Besides, now: float) -> Look:
    """Look at everything that a Rollout names.

    Pods and endpoints are read from the API only while a release is under way or something of one is left.
    """
    namespace, workload = what.namespace, what.workload
    deployment = cache.get(kinds.DEPLOYMENT, namespace, workload)
    copy = cache.get(kinds.DEPLOYMENT, namespace, workload + CANARY_SUFFIX)
    service = cache.get(kinds.SERVICE, namespace, what.service)
    twin = cache.get(kinds.SERVICE, namespace, what.service + CANARY_SUFFIX)
    copy, twin = _own(copy, what), _own(twin, what)
    sets = tuple(cache.owned(kinds.REPLICA_SET, deployment["metadata"]["uid"])) if deployment else ()
    copy_sets = tuple(cache.owned(kinds.REPLICA_SET, copy["metadata"]["uid"])) if copy else ()
    busy = state.release is not None or copy is not None or twin is not None
    # Without its Deployment a canary still has pods, which may serve everybody.
    whose = deployment or copy
    pods, slices = await _pods_and_slices(api, what, whose) if busy and whose else ((), ())
    provider = what.provider(policies=besides.policies)
    traffic: Objects = {
        ref: cache.get(kind_of(ref.api_version, ref.kind), ref.namespace, ref.name) for ref in provider.needs()
    }
    config_map = cache.get(kinds.CONFIG_MAP, namespace, REJECTED_CONFIGMAP)
    origin = origin_of(cache, deployment, besides.argocd_namespace) if deployment else Origin()
    new_template = bool(deployment) and state.stable is not None
    workload_seen = workload_view(deployment, sets, what.plan.name) if deployment else None
    if workload_seen is not None and state.stable is not None:
        new_template = workload_seen.revision.template_hash != state.stable.template_hash
    copy_seen = copy_view(copy, copy_sets, pods, now)
    release = state.release.id if state.release else (copy_seen.release if copy_seen else "")
    twin_exists, twin_ready = canary_service(twin, slices, release)
    meta = rollout["metadata"]
    observed = Observed(
        workload=workload_seen,
        service=service_view(service, slices, pods, what.plan.name) if service else None,
        traffic=provider.read(traffic),
        copy=copy_seen,
        canary_service=twin_exists or (twin is not None and state.release is None),
        canary_endpoints=twin_ready,
        analysis=besides.analysis,
        revert=besides.revert,
        commands=commands(annotations_of(rollout)),
        commit=commit_now(origin, new_template=new_template),
        applied=applied_now(origin),
        sync_asked="" if held_up(cache, origin, state) else besides.sync_asked,
        policies=besides.policies,
        deleting=bool(meta.get("deletionTimestamp")),
        finalizer=FINALIZER in (meta.get("finalizers") or ()),
        problem=besides.problem,
        problem_reason=besides.problem_reason,
        load=await _load(api, cache, what, deployment, pods, now)
        if deployment and state.phase in _LOADED and state.release and not state.release.blocked
        else LoadView(),
        rejected_elsewhere=rejected.hashes(config_map, what.plan.name),
        noted=besides.noted,
        notes_awaited=besides.notes_awaited,
    )
    return Look(
        named=what,
        provider=provider,
        traffic=traffic,
        deployment=deployment,
        replica_sets=(*sets, *copy_sets),
        service=service,
        copy=copy,
        canary_service=twin,
        pods=pods,
        rejected=config_map,
        origin=origin,
        observed=observed,
    )


def commands(annotations: Mapping[str, str]) -> Commands:
    """Return what people asked for."""
    return Commands(
        approved=annotations.get(ANNOTATION_APPROVED),
        paused=ANNOTATION_PAUSED in annotations,
        abort=annotations.get(ANNOTATION_ABORT),
        retry=annotations.get(ANNOTATION_RETRY),
        promote=annotations.get(ANNOTATION_PROMOTE),
    )


def _own(obj: Obj | None, what: Named) -> Obj | None:
    """Somebody else's object of the canary's name is not the canary: it is neither judged nor deleted."""
    if obj is None or not any(o.get("uid") == what.owner.uid for o in obj["metadata"].get("ownerReferences") or ()):
        return None
    return obj


async def _load(api: Api, cache: Cache, what: Named, deployment: Obj, pods: tuple[Obj, ...], now: float) -> LoadView:
    """Ask the question of `canary.workload.hpa`; without an autoscaler that costs nothing."""
    hpas = hpas_of(cache.all(kinds.AUTOSCALER, what.namespace), what.workload)
    metrics: tuple[Obj, ...] | str = ()
    if reads_pod_metrics(hpas):
        try:
            metrics = (await api.list(kinds.POD_METRICS, what.namespace, labels=_labels(deployment))).items
        except CanaryError as error:
            metrics = str(error)
    return load_view(hpas, deployment, pods, metrics, now)


def _labels(deployment: Obj) -> str:
    """As a selector, of the pods of both versions."""
    selector = deployment["spec"]["selector"].get("matchLabels") or labels_of(deployment["spec"]["template"])
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))


async def _pods_and_slices(api: Api, what: Named, deployment: Obj) -> tuple[tuple[Obj, ...], tuple[Obj, ...]]:
    services = f"{SLICE_SERVICE_LABEL} in ({what.service},{what.service}{CANARY_SUFFIX})"
    pods, slices = await asyncio.gather(
        api.list(kinds.POD, what.namespace, labels=_labels(deployment)),
        api.list(kinds.ENDPOINT_SLICE, what.namespace, labels=services),
    )
    return pods.items, slices.items
