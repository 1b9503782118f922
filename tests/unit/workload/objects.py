"""Objects as the API server returns them, with only what a test is about."""

from __future__ import annotations

from typing import Any

NOW = 1_800_000_000.0
NOW_TEXT = "2027-01-15T08:00:00Z"


def template(image: str = "app:1", labels: dict[str, str] | None = None, **annotations: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"creationTimestamp": None, "labels": {"app": "web", **(labels or {})}}
    if annotations:
        metadata["annotations"] = annotations
    return {"metadata": metadata, "spec": {"containers": [{"name": "web", "image": image}]}}


def deployment(
    pod_template: dict[str, Any] | None = None, *, meta: dict[str, Any] | None = None, **spec: Any
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "d-uid",
            "resourceVersion": "7",
            "generation": 3,
            "labels": {"app": "web"},
            **(meta or {}),
        },
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": pod_template or template(),
            "revisionHistoryLimit": 10,
            **spec,
        },
        "status": {
            "observedGeneration": 3,
            "replicas": 2,
            "updatedReplicas": 2,
            "availableReplicas": 2,
            "readyReplicas": 2,
        },
    }


def replica_set(
    name: str,
    pod_template: dict[str, Any],
    *,
    owner: str = "d-uid",
    replicas: int = 0,
    ready: int = 0,
    created: str = NOW_TEXT,
) -> dict[str, Any]:
    labels = {**pod_template["metadata"]["labels"], "pod-template-hash": name}
    return {
        "metadata": {
            "name": f"web-{name}",
            "labels": labels,
            "creationTimestamp": created,
            "ownerReferences": [{"uid": owner, "controller": True}],
        },
        "spec": {
            "replicas": replicas,
            "template": {**pod_template, "metadata": {**pod_template["metadata"], "labels": labels}},
        },
        "status": {"replicas": replicas, "readyReplicas": ready},
    }


def pod(
    name: str,
    labels: dict[str, str],
    *,
    ready: bool = False,
    containers: list[dict[str, Any]] | None = None,
    **meta: Any,
) -> dict[str, Any]:
    condition = {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": NOW_TEXT}
    return {
        "metadata": {"name": name, "labels": {"app": "web", **labels}, "creationTimestamp": NOW_TEXT, **meta},
        "status": {"phase": "Running", "conditions": [condition], "containerStatuses": containers or []},
    }


def service(
    labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "s-uid",
            "labels": labels or {},
            "annotations": annotations or {},
        },
        "spec": {
            "selector": {"app": "web"},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP", "nodePort": 30080}],
            "clusterIP": "10.96.0.7",
            "clusterIPs": ["10.96.0.7"],
            "type": "NodePort",
            **spec,
        },
    }


def endpoint_slice(*pods: tuple[str, bool | None], of: str = "web") -> dict[str, Any]:
    return {
        "metadata": {"name": f"{of}-x", "namespace": "shop", "labels": {"kubernetes.io/service-name": of}},
        "endpoints": [
            {
                "addresses": ["10.0.0.1"],
                "conditions": {} if ready is None else {"ready": ready},
                "targetRef": {"kind": "Pod", "name": name},
            }
            for name, ready in pods
        ],
    }
