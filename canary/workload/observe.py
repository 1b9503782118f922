"""Objects as the API server has them, read into the views that `decide()` reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from canary.api.labelling import other_owner
from canary.api.names import (
    ANNOTATION_HELD,
    ANNOTATION_PIN,
    LABEL_RELEASE,
    LABEL_ROLLOUT,
    LABEL_TRACK,
    POD_TEMPLATE_HASH,
)
from canary.api.patch import Manifest, annotations_of, controller_uid, labels_of
from canary.core.observed import CopyView, ReplicaSetView, ServiceView, WorkloadView
from canary.workload.copy import TRACK
from canary.workload.failures import failure_of_pods, no_room, seconds
from canary.workload.hashing import revision_of, template_hash
from canary.workload.selectors import matches

SLICE_SERVICE_LABEL = "kubernetes.io/service-name"


def workload_view(
    deployment: Manifest, replicasets: Iterable[Manifest], rollout_name: str, commit: str = ""
) -> WorkloadView:
    """Read the Deployment in Git and those of the given ReplicaSets that it controls.

    `commit` is the one that the GitOps engine applied; it goes into the revision of the Deployment's template only.
    """
    spec, status = deployment["spec"], deployment.get("status") or {}
    uid = deployment["metadata"]["uid"]
    views = tuple(
        _replica_set_view(rs) for rs in sorted((rs for rs in replicasets if controller_uid(rs) == uid), key=_order)
    )
    revision = revision_of(spec["template"], commit)
    wanted = int(spec.get("replicas", 1))
    held = ANNOTATION_HELD in annotations_of(deployment)
    paused = bool(spec.get("paused"))
    return WorkloadView(
        resource_version=deployment["metadata"]["resourceVersion"],
        revision=revision,
        replicas=wanted,
        ready=int(status.get("readyReplicas") or 0),
        paused=paused,
        held=paused and held,
        labelled=labels_of(deployment).get(LABEL_ROLLOUT) == rollout_name,
        rolled_out=(
            int(status.get("observedGeneration") or 0) >= int(deployment["metadata"].get("generation") or 0)
            # Both counts are 0 for a Deployment of no replicas that is held at a template which never ran.
            and any(rs.revision.template_hash == revision.template_hash for rs in views)
            and int(status.get("replicas") or 0) == wanted
            and int(status.get("updatedReplicas") or 0) == wanted
            and int(status.get("availableReplicas") or 0) == wanted
        ),
        replica_sets=views,
        history_limit=int(spec.get("revisionHistoryLimit", 10)),
        pods=int(status.get("replicas") or 0),
        other_owner=other_owner(deployment, rollout_name),
    )


def copy_view(
    deployment: Manifest | None, replicasets: Iterable[Manifest], pods: Iterable[Manifest], now: float
) -> CopyView | None:
    """Read the canary copy; None when its Deployment does not exist.

    Of the ReplicaSets and pods given, those that are not the copy's are passed over. Deletion is in the foreground, so
    the copy is seen (as `deleting`) until its last pod is gone.
    """
    if deployment is None:
        return None
    uid = deployment["metadata"]["uid"]
    release = labels_of(deployment).get(LABEL_RELEASE, "")
    selector = deployment["spec"]["selector"]
    live = [p for p in pods if matches(selector, labels_of(p)) and not _ended(p)]
    wanted = [p for p in live if labels_of(p).get(LABEL_RELEASE) == release and not _deleting(p)]
    ready_since = [t for p in wanted if (t := ready_at(p)) is not None]
    wanted_hash = template_hash(deployment["spec"]["template"])
    # After an edit by hand two ReplicaSets carry the release; the Deployment's own template tells which one stays.
    sets = [rs for rs in replicasets if controller_uid(rs) == uid and _release_of_set(rs) == release]
    own_set = next((rs for rs in sets if template_hash(rs["spec"]["template"]) == wanted_hash), None)
    return CopyView(
        release=release,
        replicas=int(deployment["spec"].get("replicas", 1)),
        ready=len(ready_since),
        pods=len(live),
        pod_template_hash="" if own_set is None else labels_of(own_set).get(POD_TEMPLATE_HASH, ""),
        template_hash=wanted_hash,
        created_at=seconds(deployment["metadata"].get("creationTimestamp")),
        first_ready_at=min(ready_since, default=None),
        failure=failure_of_pods(wanted, now),
        no_room=no_room(deployment, wanted),
        deleting=_deleting(deployment),
    )


def service_view(
    service: Manifest, slices: Iterable[Manifest], pods: Iterable[Manifest], rollout_name: str
) -> ServiceView:
    """Read the root Service and its endpoints.

    Which endpoints are of the pinned hash is told by the labels of the pods that they name: the selector may have
    changed a moment ago, and the slices follow it later.
    """
    selector_hash = (service["spec"].get("selector") or {}).get(POD_TEMPLATE_HASH)
    ready = ready_targets(service, slices)
    hashes: Mapping[str, str | None] = {p["metadata"]["name"]: labels_of(p).get(POD_TEMPLATE_HASH) for p in pods}
    pinned = [t for t in ready if selector_hash is not None and hashes.get(t) == selector_hash]
    return ServiceView(
        labelled=labels_of(service).get(LABEL_ROLLOUT) == rollout_name,
        pin=annotations_of(service).get(ANNOTATION_PIN),
        selector_hash=selector_hash,
        ready_endpoints=len(ready),
        pinned_endpoints=len(pinned),
        other_owner=other_owner(service, rollout_name),
    )


def canary_service(service: Manifest | None, slices: Iterable[Manifest], release: str) -> tuple[bool, int]:
    """Tell whether the canary's Service exists and selects this release, and how many ready endpoints it has."""
    if service is None or _deleting(service):
        return False, 0
    selector = service["spec"].get("selector") or {}
    selects = selector.get(LABEL_TRACK) == TRACK and selector.get(LABEL_RELEASE) == release
    return selects, len(ready_targets(service, slices)) if selects else 0


def ready_targets(service: Manifest, slices: Iterable[Manifest]) -> frozenset[str]:
    """Return the pods (by name; addresses where an endpoint names none) that are ready behind a Service.

    A pod with addresses of two families stands in two slices and is counted once. In the API, unknown readiness means
    ready.
    """
    meta = service["metadata"]
    return frozenset(
        str((endpoint.get("targetRef") or {}).get("name") or endpoint["addresses"][0])
        for s in slices
        if s["metadata"]["namespace"] == meta["namespace"] and labels_of(s).get(SLICE_SERVICE_LABEL) == meta["name"]
        for endpoint in s.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
    )


def ready_at(pod: Manifest) -> float | None:
    """Return since when a pod is ready, in seconds since the epoch; None when it is not."""
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Ready" and condition.get("status") == "True":
            return seconds(condition.get("lastTransitionTime")) or 0.0
    return None


def _replica_set_view(rs: Manifest) -> ReplicaSetView:
    return ReplicaSetView(
        name=rs["metadata"]["name"],
        pod_template_hash=labels_of(rs).get(POD_TEMPLATE_HASH, ""),
        revision=revision_of(rs["spec"]["template"]),
        replicas=int(rs["spec"].get("replicas", 1)),
        ready=int((rs.get("status") or {}).get("readyReplicas") or 0),
    )


def _order(rs: Manifest) -> tuple[bool, float, str]:
    in_use = bool(rs["spec"].get("replicas", 1) or (rs.get("status") or {}).get("replicas"))
    return not in_use, -(seconds(rs["metadata"].get("creationTimestamp")) or 0.0), rs["metadata"]["name"]


def _release_of_set(rs: Manifest) -> str:
    return labels_of(rs["spec"]["template"]).get(LABEL_RELEASE, "")


def _deleting(manifest: Manifest) -> bool:
    return bool(manifest["metadata"].get("deletionTimestamp"))


def _ended(pod: Manifest) -> bool:
    """Evicted and finished pods stay in the API for long; they neither serve nor run."""
    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}
