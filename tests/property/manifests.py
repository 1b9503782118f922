"""The small world's objects as JSON: what a team has in Git, and what Kubernetes' controllers, kubelets and a gateway make of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from canary.core.plan import Plan, WeightStep
from canary.operator import kinds
from canary.operator.kinds import Obj

NS: Final = "shop"
NAME: Final = "checkout"
COPY: Final = "checkout-canary"
LABELS: Final = {"app": "checkout", "tier": "web"}
BRANCH: Final = "main"


def template(version: str) -> Obj:
    """A pod template; a version that ends in + runs the same thing with another annotation.

    Good and bad ones differ in more than the image, so that what one release left would show in the next.
    """
    image = version.rstrip("+")
    variable = {"name": f"ONLY_{image[:3].upper()}", "value": image}
    return {
        "metadata": {"labels": LABELS, "annotations": {"checksum/config": version}},
        "spec": {
            "containers": [
                {
                    "name": "app",
                    "image": f"shop/checkout:{image}",
                    "env": [{"name": "PORT", "value": "8080"}, variable],
                    "ports": [{"containerPort": 8080}],
                }
            ]
        },
    }


def version_of(pod_template: Obj) -> str:
    """Which version a template is, by what only it says: a template that is not wholly one of ours is another version."""
    version = pod_template["metadata"].get("annotations", {}).get("checksum/config", "")
    return version if pod_template["spec"] == template(version)["spec"] else f"{version}-edited"


def pod_hash(pod_template: Obj) -> str:
    """Kubernetes' pod-template-hash: of all of the template, labels of ours included."""
    return hashlib.sha256(json.dumps(pod_template, sort_keys=True).encode()).hexdigest()[:10]


def rollout(plan: Plan, *, managed: bool) -> Obj:
    """A Rollout that says this plan."""
    gateway = {"gateway": {"name": "gw"}, "hostnames": ["shop.example"]}
    return {
        "metadata": {"namespace": NS, "name": NAME},
        "spec": {
            "workload": {"name": NAME},
            "service": {"name": NAME, "port": 80},
            "traffic": {"gatewayAPI": gateway if managed else {"route": {"name": NAME}}},
            "strategy": {
                "canary": {
                    "steps": [
                        {
                            "weight": s.weight,
                            "atLeast": f"{s.at_least_seconds:.0f}s",
                            "atMost": f"{s.at_most_seconds:.0f}s",
                        }
                        if isinstance(s, WeightStep)
                        else {"approval": {}}
                        for s in plan.steps
                    ],
                    "bake": f"{plan.bake_seconds:.0f}s",
                }
            },
            "analysis": {"templates": [{"name": "errors"}] if plan.has_analysis else []},
        },
    }


def service(selector: Mapping[str, str] = LABELS) -> Obj:
    return {
        "metadata": {"namespace": NS, "name": NAME},
        "spec": {"selector": dict(selector), "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    }


def route() -> Obj:
    return {
        "metadata": {"namespace": NS, "name": NAME},
        "spec": {"parentRefs": [{"name": "gw"}], "rules": [{"backendRefs": [{"name": NAME, "port": 80}]}]},
    }


def engine(version: str, *, settled: bool) -> tuple[tuple[kinds.Kind, Obj], ...]:
    """What Flux says of itself: the commit that it tries, and the one that it has applied in full."""
    at = f"{BRANCH}@sha1:{commit(version)}"
    entry = {"id": f"{NS}_{NAME}_apps_Deployment", "v": "v1"}
    return (
        (
            kinds.GIT_REPOSITORY,
            {
                "metadata": {"namespace": "flux-system", "name": "shop"},
                "spec": {"url": "https://git.example/shop", "ref": {"branch": BRANCH}},
                "status": {"artifact": {"revision": at}},
            },
        ),
        (
            kinds.KUSTOMIZATION,
            {
                "metadata": {"namespace": "flux-system", "name": "shop"},
                "spec": {"path": "./shop", "sourceRef": {"kind": "GitRepository", "name": "shop"}},
                "status": {
                    "inventory": {"entries": [entry]},
                    "lastAttemptedRevision": at,
                    "lastAppliedRevision": at if settled else "",
                },
            },
        ),
    )


def commit(version: str) -> str:
    return hashlib.sha1(version.encode(), usedforsecurity=False).hexdigest()


def deployment_status(obj: Obj, sets: Iterable[tuple[Obj, int]]) -> Obj:
    """The Deployment controller's, of ReplicaSets and how many pods of each are ready."""
    rows = [(rs["spec"]["replicas"], ready, rs) for rs, ready in sets]
    own = pod_hash(obj["spec"]["template"])
    ready = sum(n for _, n, _ in rows)
    return {
        "observedGeneration": obj["metadata"].get("generation", 0),
        "replicas": sum(n for n, _, _ in rows),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "updatedReplicas": sum(n for n, _, rs in rows if rs["metadata"]["labels"]["pod-template-hash"] == own),
    }


def replica_set(owner: Obj, pod_template: Obj, replicas: int, ready: int, now: float) -> Obj:
    own_hash = pod_hash(pod_template)
    labels = {**pod_template["metadata"]["labels"], "pod-template-hash": own_hash}
    meta = owner["metadata"]
    return {
        "metadata": {
            "namespace": NS,
            "name": f"{meta['name']}-{own_hash}",
            "labels": labels,
            "ownerReferences": [{"kind": "Deployment", "name": meta["name"], "uid": meta["uid"], "controller": True}],
            "creationTimestamp": when(now),
        },
        "spec": {
            "replicas": replicas,
            "template": {**pod_template, "metadata": {**pod_template["metadata"], "labels": labels}},
        },
        "status": {"replicas": replicas, "readyReplicas": ready},
    }


def pod(rs: Obj, number: int, *, ready: bool, crashes: bool, room: bool, now: float) -> Obj:
    """The kubelet's and the scheduler's."""
    conditions = [{"type": "Ready", "status": str(ready), "lastTransitionTime": when(now)}]
    if not ready and not room:
        conditions.append({"type": "PodScheduled", "status": "False", "reason": "Unschedulable"})
    status: Obj = {"phase": "Running" if ready else "Pending", "conditions": conditions}
    if crashes and not ready:
        waiting = {"reason": "CrashLoopBackOff", "message": "back-off"}
        status["containerStatuses"] = [{"name": "app", "restartCount": 1, "state": {"waiting": waiting}}]
    return {
        "metadata": {
            "namespace": NS,
            "name": f"{rs['metadata']['name']}-{number}",
            "labels": rs["spec"]["template"]["metadata"]["labels"],
            "creationTimestamp": rs["metadata"]["creationTimestamp"],
        },
        "spec": rs["spec"]["template"]["spec"],
        "status": status,
    }


def endpoint_slice(of: Obj, pods: Iterable[Obj]) -> Obj:
    """The endpoint controller's: the pods that a Service selects, those that are not ready among them."""
    name, selector = of["metadata"]["name"], of["spec"]["selector"]
    return {
        "metadata": {"namespace": NS, "name": name, "labels": {"kubernetes.io/service-name": name}},
        "endpoints": [
            {
                "addresses": ["10.0.0.1"],
                "conditions": {"ready": is_ready(p)},
                "targetRef": {"kind": "Pod", "name": p["metadata"]["name"]},
            }
            for p in pods
            if selects(selector, p["metadata"]["labels"])
        ],
    }


def route_status(obj: Obj, *, served: bool, refused: bool) -> Obj:
    """The gateway's: of this generation when it serves it, of the one before when it has not seen it yet."""
    generation = obj["metadata"]["generation"]
    at = generation if served or refused else generation - 1
    accepted = {"type": "Accepted", "status": str(not refused), "reason": "Said", "observedGeneration": at}
    resolved = {"type": "ResolvedRefs", "status": "True", "reason": "Said", "observedGeneration": at}
    return {
        "parents": [
            {"parentRef": parent, "controllerName": "x/y", "conditions": [accepted, resolved]}
            for parent in obj["spec"]["parentRefs"]
        ]
    }


def autoscaler(*, total: int, running: int, blind: bool) -> Obj:
    """One that scales by requests: each pod takes one, and `total` of them come in, averaged over those that run."""
    metric = {"metric": {"name": "requests"}}
    conditions = [{"type": "ScalingActive", "status": str(not blind), "reason": "Said", "message": "it cannot tell"}]
    return {
        "metadata": {"namespace": NS, "name": NAME},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": NAME},
            "maxReplicas": 1000,
            "metrics": [
                {"type": "External", "external": {**metric, "target": {"type": "AverageValue", "averageValue": "1"}}}
            ],
        },
        "status": {
            "conditions": conditions,
            "currentMetrics": [
                {
                    "type": "External",
                    "external": {**metric, "current": {"averageValue": f"{1000 * total // max(running, 1)}m"}},
                }
            ],
        },
    }


def is_ready(obj: Obj) -> bool:
    return bool(obj["status"]["conditions"][0]["status"] == "True")


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether a Service's selector selects pods of these labels; an empty one selects none."""
    return bool(selector) and selector.items() <= labels.items()


def when(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z")
