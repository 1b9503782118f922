"""What an operator sees of the small world, and what the judges say in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from canary.analysis.verdict import MetricReading, Outcome, Reason, Verdict
from canary.core.observed import (
    AnalysisView,
    CopyView,
    LoadView,
    Observed,
    ReplicaSetView,
    ServiceView,
    TrafficView,
    WorkloadView,
)
from canary.core.phases import Phase, Stage
from tests.property.parts import revision

if TYPE_CHECKING:
    from tests.property.world import World

SUSPECTS_AFTER_SECONDS = 3.0
KNOWS_AFTER_SECONDS = 5.0
"""How long the judges watch until they say what a version's name says."""


def verdict(world: World) -> Verdict | None:
    """What the judges say now: a version's name tells how it fares (`good`, `bad`, or `dubious` for ever)."""
    release = world.state.release
    if release is None or release.analysis_since is None:
        return None
    watched = world.now - release.analysis_since
    name = release.candidate.images[0].split(":")[1]
    if not world.doubts:
        name = name.replace("dubious", "good")
    suspicious = False
    if not world.metrics_up:
        outcome, reason = Outcome.ERROR, Reason.UNAVAILABLE
    elif (release.stage is Stage.RETURN and world.now < world.cold_until) or (
        name.startswith("bad") and watched >= KNOWS_AFTER_SECONDS
    ):
        outcome, reason, suspicious = Outcome.FAIL, Reason.EVIDENCE_AGAINST, True
    elif name.startswith("good") and watched >= KNOWS_AFTER_SECONDS:
        outcome, reason = Outcome.PASS, Reason.EVIDENCE_FOR
    else:
        outcome, reason = Outcome.INCONCLUSIVE, Reason.NOT_ENOUGH_EVIDENCE
        suspicious = not name.startswith("good") and watched >= SUSPECTS_AFTER_SECONDS
    reading = MetricReading(
        "http/errors", outcome, reason, "compare", suspicious=suspicious, critical=True, message="m"
    )
    return Verdict(outcome, suspicious, (reading,), reason, "http/errors: m", world.now)


def analysis(world: World) -> AnalysisView | None:
    """What the operator's judges tell it."""
    release = world.state.release
    if release is None or release.analysis_since is None:
        return None
    silent_since = None if world.metrics_up else release.analysis_since
    return AnalysisView(release.id, release.stage is Stage.RETURN, verdict(world), no_data_since=silent_since)


def observed(world: World) -> Observed:
    """One look at everything."""
    release, copy = world.state.release, world.copy
    return Observed(
        workload=_workload(world),
        service=_service(world),
        traffic=_traffic(world),
        copy=_copy(world),
        canary_service=world.canary_service,
        canary_endpoints=copy.pods.ready if copy is not None and world.canary_service else 0,
        analysis=analysis(world),
        revert=world.revert_told() if release is not None else None,
        commands=world.commands,
        commit=f"sha-{world.version}",
        applied=f"sha-{world.version}" if world.engine_settled else "",
        sync_asked=world.sync_asked,
        policies=world.policies,
        deleting=world.deleting,
        finalizer=world.finalizer,
        noted=world.noted if world.state.phase is Phase.PENDING else (),
        load=load(world),
        rejected_elsewhere=tuple(h for pair in world.listed.items() for h in pair),
    )


def load(world: World) -> LoadView:
    """What the Deployment's autoscaler would say of it alone."""
    if not world.carries:
        return LoadView(enough=False, why="the autoscaler cannot tell")
    if not world.doubled or not world.replicas:
        return LoadView()
    return LoadView(
        enough=False,
        why="the load has doubled",
        needs=2 * world.replicas,
        canary_at_least=world.replicas,
        blocked=world.copy is not None and world.copy.pods.ready < world.copy.pods.replicas,
    )


def _workload(world: World) -> WorkloadView | None:
    if not world.exists:
        return None
    own = world.sets.get(world.version)
    others = any(p.replicas for v, p in world.sets.items() if v != world.version)
    return WorkloadView(
        resource_version=str(world.rv),
        revision=revision(world.version),
        replicas=world.replicas,
        ready=sum(p.ready for p in world.sets.values()),
        paused=world.held or world.paused,
        held=world.held,
        labelled=world.labelled,
        rolled_out=own is not None and own.ready >= world.replicas and not others,
        replica_sets=tuple(
            ReplicaSetView(f"rs-{v}", f"k-{v}", revision(v), p.replicas, p.ready)
            for v, p in reversed(world.sets.items())
        ),
    )


def _service(world: World) -> ServiceView | None:
    if not world.service:
        return None
    return ServiceView(
        labelled=world.service_labelled,
        pin=world.pin,
        selector_hash=world.pin,
        ready_endpoints=world.endpoints(),
        pinned_endpoints=world.endpoints() if world.pin else 0,
    )


def _traffic(world: World) -> TrafficView | None:
    if not world.route:
        return None
    refused = "the gateway refuses the route" if world.gateway_refuses else ""
    return TrafficView(
        labelled=world.route_labelled,
        weight=world.weight,
        in_force=world.gateway_weight == world.weight and not refused,
        problem=refused,
        resource_version=str(world.route_rv),
    )


def _copy(world: World) -> CopyView | None:
    copy = world.copy
    if copy is None:
        return None
    return CopyView(
        release=copy.release,
        replicas=copy.pods.replicas,
        ready=copy.pods.ready,
        pods=copy.pods.replicas,
        pod_template_hash=f"k-copy-{copy.release}",
        template_hash=f"t-{copy.version}",
        failure="pod x: CrashLoopBackOff" if copy.version in world.crashing else "",
        deleting=copy.deleting,
    )
