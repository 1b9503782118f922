"""The canary copy: `<name>-canary`, a Deployment and a Service that the Rollout owns.

Its pods keep the original's labels, so that NetworkPolicies, PodMonitors and dashboards go on working, and so the
selector of the Deployment in Git matches them too. That is safe while they have a controller of their own: the
Deployment controller claims only ReplicaSets without one. Therefore the copy is never deleted with propagation
`Orphan`: the Deployment in Git would adopt its ReplicaSet.

The copy's selector is the original's plus the track, not the release: selectors are immutable, and one that is the same
for every release lets a correction be applied at any time. Pods of two releases are told apart by their release label;
the canary's Service selects by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from canary.api.names import (
    ARGOCD_TRACKING_ANNOTATION,
    CANARY_SUFFIX,
    FIELD_MANAGER,
    GROUP,
    LABEL_RELEASE,
    LABEL_TRACK,
    POD_TEMPLATE_HASH,
)
from canary.api.patch import (
    DEPLOYMENT,
    SERVICE,
    ContentType,
    Delete,
    Manifest,
    ObjectRef,
    Owner,
    Patch,
    annotations_of,
    labels_of,
    ref_of,
)
from canary.errors import ApiConflict, SpecInvalid
from canary.workload.hashing import template_hash, without_additions

TRACK = "canary"
COPY_MANAGER = f"{FIELD_MANAGER}-copy"
_SERVICE_NAME_LENGTH = 63
_FLUX_LABELS = "kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/"
_ARGOCD_LABELS = ("argocd.argoproj.io/",)
_ACTED_UPON = (
    "kubectl.kubernetes.io/",
    "external-dns.alpha.kubernetes.io/",
    "service.beta.kubernetes.io/",
    "service.kubernetes.io/load-balancer",
    "cloud.google.com/",
    "networking.gke.io/",
)
"""Prefixes of a Service's annotations that make some controller do something with it a second time (DNS names, load
balancers)."""
_PORT_FIELDS = "name", "protocol", "appProtocol", "port", "targetPort"
_SERVICE_FIELDS = "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy", "trafficDistribution"


def copy_name(name: str) -> str:
    """Return the name of the canary's Deployment or Service."""
    return name + CANARY_SUFFIX


def find_template(
    wanted_hash: str, deployment: Manifest, replicasets: Iterable[Manifest], copy: Manifest | None
) -> dict[str, Any]:
    """Return the pod template with this template hash, from wherever it still is.

    The Deployment has it until a newer commit comes; after it was let go its ReplicaSet has it, and the copy all the
    time.

    Raises
    ------
    ApiConflict
        None has it: the Deployment changed since the decision; observe and decide again.
    """
    candidates = (deployment, *replicasets, *(() if copy is None else (copy,)))
    for manifest in candidates:
        template = manifest["spec"]["template"]
        if template_hash(template) == wanted_hash:
            return without_additions(template)
    name = deployment["metadata"]["name"]
    raise ApiConflict(f"the template {wanted_hash} of Deployment {name} is gone: it changed since it was read")


def render_copy(
    owner: Owner,
    deployment: Manifest,
    template: Manifest,
    release: str,
    replicas: int,
    progress_deadline_seconds: float,
    existing: Manifest | None,
) -> Patch:
    """Return the server-side apply that makes or corrects the canary's Deployment.

    `template` is what `find_template` returned; `existing` is the object that has the copy's name now, if any.

    Raises
    ------
    SpecInvalid
        An object of that name exists and is not this Rollout's.
    """
    spec = deployment["spec"]
    ref = copy_ref(deployment)
    owner.refuse_foreign(existing, ref)
    track = {LABEL_TRACK: TRACK}
    marks = {**track, LABEL_RELEASE: release}
    metadata = template.get("metadata") or {}
    selector = spec["selector"]
    body: dict[str, Any] = {
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "metadata": {
            "name": ref.name,
            "namespace": ref.namespace,
            "labels": {**kept_labels(deployment), **marks},
            # Annotations of the Deployment itself are left off, all of them: tools act on them (restart, update the
            # image), and a copy that somebody else changes is a defect. Those of the pod template stay.
            "ownerReferences": [owner.reference()],
        },
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 0,
            # The API wants it greater than minReadySeconds.
            "progressDeadlineSeconds": max(int(progress_deadline_seconds), int(spec.get("minReadySeconds") or 0) + 1),
            "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **track}},
            "template": {
                "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), **marks}},
                "spec": template["spec"],
            },
            **{k: spec[k] for k in ("minReadySeconds", "strategy") if k in spec},
        },
    }
    return Patch(ref, body, ContentType.APPLY, COPY_MANAGER)


def render_exact_template(made: Patch, answer: Manifest | None, wanted_hash: str) -> Patch | None:
    """Return the patch that makes the copy's pod template exactly the one that `made` says; None when it is.

    `answer` is the copy after `made`. Server-side apply leaves what another manager has added: a variable, a label, a
    container that somebody edited in by hand would stay, and the canary would be another version than the candidate.
    """
    if answer is None or template_hash(answer["spec"]["template"]) == wanted_hash:
        return None
    body = [{"op": "replace", "path": "/spec/template", "value": made.body["spec"]["template"]}]
    return Patch(made.ref, body, ContentType.JSON, COPY_MANAGER)


def render_canary_service(owner: Owner, service: Manifest, release: str, existing: Manifest | None) -> Patch:
    """Return the server-side apply that makes or corrects the canary's Service: the root's ports, the release's pods.

    Neither addresses, node ports nor a load balancer are copied; a headless Service stays headless. Pods that are not
    ready are never published, whatever the root says: a canary gets no request before it is ready.

    Raises
    ------
    SpecInvalid
        The root has no selector (or is an ExternalName), its name leaves no room, or the name is taken.
    """
    spec = service["spec"]
    ref = canary_service_ref(service)
    owner.refuse_foreign(existing, ref)
    root = ref_of(service, SERVICE)
    if not spec.get("selector") or spec.get("type") == "ExternalName":
        raise SpecInvalid(f"{root.describe()} has no selector: name a Service that selects the Deployment's pods")
    if len(ref.name) > _SERVICE_NAME_LENGTH:
        raise SpecInvalid(f"{root.describe()}: {ref.name} would exceed {_SERVICE_NAME_LENGTH} characters, rename it")
    selector = {k: v for k, v in spec["selector"].items() if k != POD_TEMPLATE_HASH}
    body: dict[str, Any] = {
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "metadata": {
            "name": ref.name,
            "namespace": ref.namespace,
            "labels": {**kept_labels(service), LABEL_TRACK: TRACK, LABEL_RELEASE: release},
            "annotations": _service_annotations(service),
            "ownerReferences": [owner.reference()],
        },
        "spec": {
            "type": "ClusterIP",
            "selector": {**selector, LABEL_TRACK: TRACK, LABEL_RELEASE: release},
            "ports": [{k: port[k] for k in _PORT_FIELDS if k in port} for port in spec.get("ports") or ()],
            **{k: spec[k] for k in _SERVICE_FIELDS if k in spec},
            **({"clusterIP": "None"} if spec.get("clusterIP") == "None" else {}),
        },
    }
    return Patch(ref, body, ContentType.APPLY, COPY_MANAGER)


def delete_copy(owner: Owner, deployment: Manifest | None, service: Manifest | None) -> tuple[Delete, ...]:
    """Return the deletion of the canary's Deployment and Service, of those that exist and are this Rollout's.

    The Service goes last: requests that are still on their way find it until the pods are going.
    """
    return tuple(
        Delete(ref_of(manifest, kind), manifest["metadata"]["uid"])
        for manifest, kind in ((deployment, DEPLOYMENT), (service, SERVICE))
        if manifest is not None
        and any(o["uid"] == owner.uid for o in manifest["metadata"].get("ownerReferences") or ())
    )


def copy_ref(deployment: Manifest) -> ObjectRef:
    """Return where the copy of a Deployment is."""
    ref = ref_of(deployment, DEPLOYMENT)
    return ObjectRef(ref.api_version, ref.kind, ref.namespace, copy_name(ref.name))


def canary_service_ref(service: Manifest) -> ObjectRef:
    """Return where the canary's twin of a root Service is."""
    ref = ref_of(service, SERVICE)
    return ObjectRef(ref.api_version, ref.kind, ref.namespace, copy_name(ref.name))


def kept_labels(manifest: Manifest) -> dict[str, str]:
    """Return an object's labels without ours and without those by which Flux and Argo CD would call the copy theirs."""
    dropped = (f"{GROUP}/", *_FLUX_LABELS, *_ARGOCD_LABELS)
    return {k: v for k, v in labels_of(manifest).items() if not k.startswith(dropped)}


def _service_annotations(service: Manifest) -> dict[str, str]:
    """Gateways read protocol hints from annotations; those that make a controller act twice are left off."""
    dropped = (f"{GROUP}/", *_FLUX_LABELS, *_ARGOCD_LABELS, *_ACTED_UPON)
    annotations = annotations_of(service)
    return {k: v for k, v in annotations.items() if not k.startswith(dropped) and k != ARGOCD_TRACKING_ANNOTATION}
