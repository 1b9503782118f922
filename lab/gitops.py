"""An app whose manifests are in Git and which Flux applies: what the demo, the end-to-end tests and benchmarks release."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import yaml

from lab import waiting
from lab.cluster import Lab
from lab.parts import gateway
from lab.parts.git import Repository

_Text = TypeVar("_Text", str, str | None)
PATH: Final = "app"
"""Folder in the repository that Flux applies."""
# A held Deployment would keep `wait: true` from taking the next commit, a revert included, until its timeout.
HEALTH_OF_HELD: Final = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "current": "(has(metadata.annotations) && 'canary.delivery/held' in metadata.annotations)"
    " || (has(status.updatedReplicas) && has(status.availableReplicas)"
    " && status.observedGeneration == metadata.generation"
    " && status.updatedReplicas == spec.replicas && status.availableReplicas == spec.replicas)",
}


def deployment(
    name: str,
    tag: str,
    *,
    replicas: int = 3,
    env: Mapping[str, str] | None = None,
    spec: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The demo app: ready by /healthz, scraped, with whatever misbehaviour `env` asks for (see lab/go/cmd/app)."""
    container = {
        "name": "app",
        "image": f"shop/{name}:{tag}",
        "ports": [{"containerPort": 8080}],
        "env": [{"name": key, "value": value} for key, value in (env or {}).items()],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
    }
    scrape = {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": scrape},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 5},
            },
            **(spec or {}),
        },
    }


def service(name: str, *, selects: str | None = None) -> dict[str, Any]:
    """Port 80 to the app's 8080."""
    spec = {"selector": {"app": selects or name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def route(name: str, hostname: str, weights: Mapping[str, int] | None = None) -> dict[str, Any]:
    """An HTTPRoute on the lab's gateway; without weights it leads to the Service of its own name."""
    backends = [{"name": key, "port": 80, "weight": value} for key, value in (weights or {name: 1}).items()]
    spec = {
        "parentRefs": [{"name": gateway.GATEWAY, "namespace": gateway.NAMESPACE}],
        "hostnames": [hostname],
        "rules": [{"backendRefs": backends}],
    }
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name}, "spec": spec}


def dump(*objects: Mapping[str, Any], namespace: str | None = None) -> str:
    """YAML documents, each put into the namespace when one is given."""
    placed = [
        {**item, "metadata": {**item["metadata"], "namespace": namespace}} if namespace else item for item in objects
    ]
    return yaml.safe_dump_all(placed, sort_keys=False)


class App:
    """One repository, applied by Flux to one namespace."""

    def __init__(
        self,
        lab: Lab,
        namespace: str,
        files: Mapping[str, str],
        *,
        interval: str = "10s",
        wait: bool = True,
        credentials: tuple[str, str] | None = None,
    ) -> None:
        """Make namespace, repository and Flux's objects. The files' names are relative to the folder `app`.

        With credentials (user, password) the repository asks for them, and the Secret `git` in the namespace has them.
        """
        self.lab = lab
        self.namespace = namespace
        self.repository: Repository = lab.create_repo(namespace, _placed(files), credentials=credentials)
        self.url = lab.git_url(namespace)
        source: dict[str, Any] = {"interval": interval, "url": self.url, "ref": {"branch": "main"}, "timeout": "20s"}
        objects: list[dict[str, Any]] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}]
        metadata = {"name": namespace, "namespace": namespace}
        if credentials:
            secret = {"username": credentials[0], "password": credentials[1]}
            objects.append(
                {"apiVersion": "v1", "kind": "Secret", "metadata": {**metadata, "name": "git"}, "stringData": secret}
            )
            source["secretRef"] = {"name": "git"}
        objects.append(
            {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": metadata, "spec": source}
        )
        objects.append(
            {
                "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
                "kind": "Kustomization",
                "metadata": metadata,
                "spec": {
                    "interval": interval,
                    "retryInterval": "5s",
                    "timeout": "1m",
                    "path": f"./{PATH}",
                    "prune": True,
                    "wait": wait,
                    "targetNamespace": namespace,
                    "sourceRef": {"kind": "GitRepository", "name": namespace},
                    "healthCheckExprs": [HEALTH_OF_HELD],
                },
            }
        )
        lab.apply(yaml.safe_dump_all(objects))

    def push(self, message: str, files: Mapping[str, str | None], *, sync: bool = True) -> str:
        """Commit files (relative to `app`) and, unless told not to, ask Flux to look at once. Gives the commit."""
        commit = self.repository.commit(message, _placed(files))
        if sync:
            self.sync()
        return commit

    def sync(self) -> None:
        """Ask Flux to fetch now; what it fetched wakes the Kustomization."""
        self.lab.kubectl(
            "annotate",
            "--overwrite",
            f"--namespace={self.namespace}",
            f"gitrepositories.source.toolkit.fluxcd.io/{self.namespace}",
            f"reconcile.fluxcd.io/requestedAt={time.time_ns()}",
        )

    def kustomization(self) -> dict[str, Any]:
        return self.lab.get("kustomize.toolkit.fluxcd.io/v1", "kustomizations", self.namespace, self.namespace)

    def wait_applied(self, commit: str, *, seconds: float = 60) -> None:
        """Wait until Flux has applied the commit and calls it ready."""
        seen: dict[str, Any] = {}

        def look() -> bool:
            seen.update(self.kustomization().get("status", {}))
            return str(seen.get("lastAppliedRevision", "")).endswith(commit)

        waiting.until(f"Flux applied {commit[:12]}", look, seconds=seconds, context=lambda: yaml.safe_dump(seen))


def _placed(files: Mapping[str, _Text]) -> dict[str, _Text]:
    return {f"{PATH}/{name}": text for name, text in files.items()}
