"""What Argo CD does of one automated Application, done by a test: the lab has no Argo CD.

Applies client-side with its tracking id, writes its records as Argo CD 3.5 does, takes up the request to refresh (and
takes it away), does nothing else while a sync of its own runs, and ends that sync when it is told to.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import yaml

from lab import waiting
from tests.e2e.looking import looking
from tests.e2e.shops import QuickShop

NAMESPACE: Final = "argocd"
_PATH: Final = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/applications"
_MERGE: Final = "application/merge-patch+json"
_EVERY_SECONDS: Final = 0.3
DEFINITION: Final[dict[str, Any]] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {
        "name": "applications.argoproj.io",
        "annotations": {"api-approved.kubernetes.io": "unapproved, a stand-in for tests"},
    },
    "spec": {
        "group": "argoproj.io",
        "names": {"kind": "Application", "plural": "applications", "singular": "application"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                # As Argo CD's own: the status is no subresource.
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


class ArgoCD:
    """One Application, for the folder `app` of a shop's repository."""

    def __init__(self, shop: QuickShop) -> None:
        self.shop = shop
        self.name = shop.namespace
        self.refreshed = 0
        """How often it was asked to look at Git."""
        self.ended = 0
        """How often a sync of its own was ended from outside."""
        self._fails: set[str] = set()
        self._lock = threading.Lock()
        self._source = {"repoURL": shop.lab.git_url(shop.namespace), "path": "app", "targetRevision": "main"}

    def install(self) -> None:
        """Make the kind, the namespaces and the Application, and sync once."""
        lab = self.shop.lab
        lab.apply(yaml.safe_dump(DEFINITION))
        waiting.until("Application's kind", lambda: lab.api("GET", _PATH) is not None)
        for name in (NAMESPACE, self.shop.namespace):
            lab.apply(f"{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}")
        application = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": self.name, "namespace": NAMESPACE},
            "spec": {
                "project": "default",
                "source": self._source,
                "destination": {"server": "https://kubernetes.default.svc", "namespace": self.shop.namespace},
                "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
            },
        }
        lab.apply(yaml.safe_dump(application))
        self.sync()

    def read(self) -> dict[str, Any]:
        """The Application as it is now."""
        found: dict[str, Any] = self.shop.lab.api("GET", f"{_PATH}/{self.name}")
        return found

    def fail(self, commit: str) -> None:
        """Let the sync of a commit fail from now on, after its Deployment was applied; it is tried again at it."""
        self._fails.add(commit)

    def sync(self) -> str:
        """Compare with the branch and apply what is there, unless a sync runs; give the commit."""
        with self._lock:
            operation = (self.read().get("status") or {}).get("operationState") or {}
            if operation.get("phase") == "Running":
                return ""
            commit = self.shop.repository.head()
            self._write({"sync": {"revision": commit, "status": "OutOfSync", "comparedTo": {"source": self._source}}})
            operation = {"operation": {"sync": {"revision": commit}}, "phase": "Running", "startedAt": _now()}
            self._write({"operationState": {**operation, "finishedAt": None}})
            resources = [self._apply(path, commit) for path in sorted(self.shop.app.files())]
            if commit in self._fails:
                self._write({"resources": resources, "operationState": {"retryCount": 1, "finishedAt": _now()}})
                return commit
            self._write(
                {
                    "sourceType": "Directory",
                    "resources": resources,
                    "sync": {"status": "Synced"},
                    "history": [{"id": 1, "revision": commit, "deployedAt": _now(), "source": self._source}],
                    "operationState": {"phase": "Succeeded", "finishedAt": _now(), "retryCount": None},
                }
            )
            return commit

    @contextmanager
    def running(self) -> Iterator[None]:
        """Take up what is asked of it, in a thread of its own, while the block runs."""
        with looking(self._look, every_seconds=_EVERY_SECONDS):
            yield

    def _look(self) -> None:
        found = self.read()
        operation = (found.get("status") or {}).get("operationState") or {}
        if operation.get("phase") == "Terminating":
            self.ended += 1
            self._write({"operationState": {"phase": "Failed", "message": "Operation terminated"}})
            self.sync()
        if (found["metadata"].get("annotations") or {}).get("argocd.argoproj.io/refresh") == "normal":
            self.refreshed += 1
            self._patch({"metadata": {"annotations": {"argocd.argoproj.io/refresh": None}}})
            self.sync()

    def _apply(self, path: str, commit: str) -> dict[str, str]:
        manifest = yaml.safe_load(self.shop.repository.show(path, commit))
        group, _, version = manifest["apiVersion"].rpartition("/")
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        tracking_id = f"{self.name}:{group}/{kind}:{self.shop.namespace}/{name}"
        manifest["metadata"].setdefault("annotations", {})["argocd.argoproj.io/tracking-id"] = tracking_id
        self.shop.lab.kubectl("apply", f"--namespace={self.shop.namespace}", "-f", "-", input=json.dumps(manifest))
        named = {"kind": kind, "namespace": self.shop.namespace, "name": name, "version": version, "status": "Synced"}
        return {"group": group, **named} if group else named

    def _write(self, status: dict[str, Any]) -> None:
        self._patch({"status": status})

    def _patch(self, body: dict[str, Any]) -> None:
        self.shop.lab.api("PATCH", f"{_PATH}/{self.name}", body, content_type=_MERGE)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
