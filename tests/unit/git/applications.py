"""Application objects with the fields that Argo CD 3.5 writes: synced, in a sync that is tried again, and odd ones."""

from __future__ import annotations

import copy
from typing import Any

BEFORE, BAD, NEWER = "a" * 40, "b" * 40, "c" * 40
URL = "https://git.example.org/fleet"
SOURCE: dict[str, Any] = {"path": "apps/shop", "repoURL": URL, "targetRevision": "main"}
DESTINATION: dict[str, Any] = {"namespace": "shop", "server": "https://kubernetes.default.svc"}
RETRY: dict[str, Any] = {"backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m0s"}, "limit": 5}


def deployment(tracking: str | None = "shop:apps/Deployment:shop/checkout", **labels: str) -> dict[str, Any]:
    """A Deployment as Argo CD tracks it: by annotation, or by a label."""
    annotations = {"argocd.argoproj.io/tracking-id": tracking} if tracking else {}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": "shop", "name": "checkout", "labels": labels, "annotations": annotations},
    }


def application(**changes: Any) -> dict[str, Any]:
    """An automated Application that is synced to BEFORE. `a__b=x` changes the field `a.b`."""
    made: dict[str, Any] = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"namespace": "argocd", "name": "shop", "resourceVersion": "41", "generation": 12},
        "spec": {
            "destination": DESTINATION,
            "project": "default",
            "source": SOURCE,
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["ServerSideApply=true"]},
        },
        "status": {
            "controllerNamespace": "argocd",
            "health": {"lastTransitionTime": "2026-11-21T11:59:02Z", "status": "Healthy"},
            "history": [_synced(1, "0" * 40, "2026-11-20T09:00:00Z"), _synced(2, BEFORE, "2026-11-21T11:59:00Z")],
            "operationState": {
                "finishedAt": "2026-11-21T11:59:01Z",
                "message": "successfully synced (all tasks run)",
                "operation": {
                    "initiatedBy": {"automated": True},
                    "retry": RETRY,
                    "sync": {"prune": True, "revision": BEFORE, "syncOptions": ["ServerSideApply=true"]},
                },
                "phase": "Succeeded",
                "startedAt": "2026-11-21T11:59:00Z",
                "syncResult": {
                    "resources": [_result("Service", ""), _result("Deployment", "apps")],
                    "revision": BEFORE,
                },
            },
            "reconciledAt": "2026-11-21T12:00:00Z",
            "resourceHealthSource": "appTree",
            "resources": [
                {"kind": "Service", "name": "checkout", "namespace": "shop", "status": "Synced", "version": "v1"},
                {
                    "group": "apps",
                    "kind": "Deployment",
                    "name": "checkout",
                    "namespace": "shop",
                    "status": "Synced",
                    "version": "v1",
                },
            ],
            "sourceType": "Directory",
            "summary": {"images": ["shop/checkout:v1"]},
            "sync": {
                "comparedTo": {"destination": DESTINATION, "source": SOURCE},
                "revision": BEFORE,
                "status": "Synced",
            },
        },
    }
    return changed(made, **changes)


def trying_again(revision: str = BAD, *, started: str = "2026-11-21T12:00:00Z", **changes: Any) -> dict[str, Any]:
    """The same while a sync of a newer revision has failed, and is tried again at that revision."""
    made = application()
    operation = made["status"]["operationState"]
    operation |= {
        "finishedAt": "2026-11-21T12:00:02Z",
        "message": "one or more objects failed to apply, reason: admission webhook denied the request. "
        "Retrying attempt #2 at 12:00PM.",
        "phase": "Running",
        "retryCount": 1,
        "startedAt": started,
    }
    operation["operation"]["sync"]["revision"] = revision
    made["status"]["sync"] |= {"revision": revision, "status": "OutOfSync"}
    return changed(made, **changes)


def changed(thing: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A copy with fields replaced; `a__b=x` is the field `a.b`."""
    result = copy.deepcopy(thing)
    for path, value in changes.items():
        *parents, last = path.split("__")
        node = result
        for parent in parents:
            node = node[parent]
        node[last] = value
    return result


def _synced(number: int, revision: str, at: str) -> dict[str, Any]:
    return {
        "deployStartedAt": at,
        "deployedAt": at,
        "id": number,
        "initiatedBy": {"automated": True},
        "revision": revision,
        "source": SOURCE,
    }


def _result(kind: str, group: str) -> dict[str, Any]:
    return {
        "group": group,
        "hookPhase": "Running",
        "kind": kind,
        "message": f"{kind.lower()}/checkout serverside-applied",
        "name": "checkout",
        "namespace": "shop",
        "status": "Synced",
        "syncPhase": "Sync",
        "version": "v1",
    }
