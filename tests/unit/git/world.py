"""A real Git server in a folder, people who push to it, and operators with clones of their own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from canary.git.clone import GitSettings
from canary.git.credentials import Anonymous, Binding
from canary.git.history import Seen
from canary.git.kustomize import Kustomize
from canary.git.outcome import Outcome
from canary.git.provenance import Engine, Provenance, Reference
from canary.git.render import Renderer
from canary.git.repository import Repository, open_repository
from canary.git.revert import RevertRequest, revert

VERDICT_AT = 1_790_000_000
PEOPLE = {
    "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
}  # fmt: skip


def deployment(
    image: str = "app:v1",
    *,
    name: str = "checkout",
    env: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
) -> str:
    """Return a Deployment's manifest."""
    container: dict[str, Any] = {"name": "app", "image": image, "ports": [{"containerPort": 8080}]}
    if env:
        container["env"] = [{"name": key, "value": value} for key, value in env.items()]
    metadata: dict[str, Any] = {"labels": {"app": name}} | ({"annotations": annotations} if annotations else {})
    return yaml.safe_dump(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {
                "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": metadata, "spec": {"containers": [container]}},
            },
        }
    )


def hpa(limit: int) -> str:
    """Return an HPA's manifest."""
    return yaml.safe_dump(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "checkout", "namespace": "shop"},
            "spec": {"maxReplicas": limit, "scaleTargetRef": {"kind": "Deployment", "name": "checkout"}},
        }
    )


def live(manifest: str) -> dict[str, Any]:
    """Return a manifest's pod template as the API server has it: with defaults, and a ReplicaSet's label."""
    template: dict[str, Any] = yaml.safe_load(manifest)["spec"]["template"]
    template["metadata"]["labels"]["pod-template-hash"] = "5d8f"
    template["metadata"]["creationTimestamp"] = None
    template["spec"] |= {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler"}
    template["spec"] |= {"securityContext": {}, "terminationGracePeriodSeconds": 30}
    for container in template["spec"]["containers"]:
        container |= {
            "resources": {},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
        }
        container.setdefault("imagePullPolicy", "IfNotPresent")
        for port in container["ports"]:
            port["protocol"] = "TCP"
    return template


class Server:
    """A bare repository, and one person's clone of it."""

    def __init__(self, root: Path) -> None:
        self.bare = root / "server.git"
        self.work = root / "work"
        self.git("init", "-q", "--bare", "-b", "main", str(self.bare), cwd=root)
        self.git("config", "uploadpack.allowFilter", "true", cwd=self.bare)
        self.git("config", "uploadpack.allowAnySHA1InWant", "true", cwd=self.bare)
        self.git("clone", "-q", str(self.bare), str(self.work), cwd=root)
        self.git("checkout", "-q", "-B", "main")

    @property
    def url(self) -> str:
        return f"file://{self.bare}"

    @property
    def head(self) -> str:
        return self.git("rev-parse", "refs/heads/main", cwd=self.bare)

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=cwd or self.work,
            env=os.environ | PEOPLE,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, files: Mapping[str, str | None]) -> None:
        for path, content in files.items():
            target = self.work / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                target.unlink()
            else:
                target.write_text(content)
        self.git("add", "-A")

    def commit(self, files: Mapping[str, str | None], subject: str = "change") -> str:
        """Commit on top of what the server has, and push."""
        self.git("fetch", "-q", "origin")
        if self.git("ls-remote", "--heads", "origin"):
            self.git("reset", "-q", "--hard", "origin/main")
        self.write(files)
        self.git("commit", "-q", "--allow-empty", "-m", subject)
        self.git("push", "-q", "origin", "main")
        return self.git("rev-parse", "HEAD")

    def show(self, path: str, commit: str = "main") -> str:
        return self.git("show", f"{commit}:{path}", cwd=self.bare) + "\n"

    def log(self, form: str = "%s") -> list[str]:
        return self.git("log", f"--format={form}", "main", cwd=self.bare).splitlines()

    def reverts(self) -> list[str]:
        """Return the values of all Rollout-Reverts trailers, newest first."""
        lines = self.log("%(trailers:key=Rollout-Reverts,valueonly=true,separator=%x2C)")
        return [line for line in lines if line]


def provenance(server: Server, path: str = "app", **changes: Any) -> Provenance:
    where = Provenance(
        engine=Engine.FLUX,
        url=server.url,
        branch="main",
        path=path,
        namespace="shop",
        name="checkout",
        applied_revision="",
        attempted_revision="",
        owner=Reference("Kustomization", "flux-system", "shop"),
        source=Reference("GitRepository", "flux-system", "shop"),
    )
    return replace(where, **changes)


def request(
    bad: str,
    *,
    rejected: str,
    stable: str,
    stable_commit: str = "",
    report: str = "5xx: canary 5 %, stable 0.1 %",
    **changes: Any,
) -> RevertRequest:
    seen = Seen(bad, stable_commit, live(rejected), live(stable))
    return replace(RevertRequest("shop/checkout", seen, VERDICT_AT, report), **changes)


class Operator:
    """One operator: a cache of its own, or several that share nothing but the server."""

    def __init__(
        self, cache: Path, where: Provenance, kustomize: Kustomize | None = None, binding: Binding | None = None
    ) -> None:
        self.settings = GitSettings(cache=cache)
        self.where = where
        self.binding = binding or Binding("test", "*", where.url, Anonymous())
        self._kustomize = kustomize

    @contextmanager
    def clone(self) -> Iterator[Repository]:
        with open_repository(self.where.url, self.binding, self.settings) as repository:
            yield repository

    def renderer(self, repository: Repository) -> Renderer:
        return Renderer(repository, self.where, self._kustomize)

    def revert(self, asked: RevertRequest) -> Outcome:
        with self.clone() as repository:
            return revert(repository, self.renderer(repository), asked)
