"""Where a Deployment comes from: read from the engine's own records, not believed from labels.

Labels and the tracking id are writable by anybody who may edit the Deployment. They only say where to look; it counts
when the Kustomization's inventory (or the Application's resources) lists this very object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, ClassVar, Final, TypeAlias

from canary.api.names import ARGOCD_TRACKING_ANNOTATION, FLUX_NAME_LABEL, FLUX_NAMESPACE_LABEL

Object: TypeAlias = Mapping[str, Any]

_REVISION: Final = re.compile(r"(?:^|[@/:])([0-9a-f]{40}|[0-9a-f]{64})$")
_FLUX_TRANSFORMS: Final = (
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
    "images",
    "components",
    "namePrefix",
    "nameSuffix",
)
_ARGOCD_TOOLS: Final = ("helm", "kustomize", "plugin")


class Engine(StrEnum):
    """Who applies Git to the cluster."""

    FLUX = "Flux"
    ARGO_CD = "ArgoCD"


@dataclass(frozen=True, slots=True)
class Reference:
    """An object's kind, namespace and name."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a Deployment's manifests are, and which commit of them is in the cluster."""

    engine: Engine
    url: str
    branch: str
    """`HEAD` means the repository's default branch (Argo CD only)."""
    path: str
    """The app's folder, from the repository's root; empty for the root."""
    namespace: str
    name: str
    """Of the Deployment."""
    applied_revision: str
    """What the engine calls applied and healthy; with `wait: true` it stays behind while we hold. May be empty."""
    attempted_revision: str
    """The commit that is in the cluster, or was refused by it. Empty when the engine has not tried any."""
    owner: Reference
    """The Kustomization or Application."""
    source: Reference
    """The GitRepository or Application: what is asked to sync."""
    target_namespace: str = ""
    """The namespace that the engine puts every object into; empty when the manifests say it."""
    transforms: tuple[str, ...] = ()
    """Fields of the owner that change what the manifests render to; with any, Canary cannot render."""
    recursive: bool = True
    """Whether plain manifests in sub-folders count."""


@dataclass(frozen=True, slots=True)
class NotFromGit:
    """No commit brought this; there is nothing to revert."""

    message: str
    reason: ClassVar[str] = "NotFromGit"


def flux_owner(deployment: Object) -> Reference | None:
    """Return the Kustomization that a Deployment's labels name: where to look, not yet to be believed."""
    labels = deployment.get("metadata", {}).get("labels") or {}
    name, namespace = labels.get(FLUX_NAME_LABEL), labels.get(FLUX_NAMESPACE_LABEL)
    return Reference("Kustomization", namespace, name) if name and namespace else None


def flux_source(kustomization: Object) -> Reference | None:
    """Return the GitRepository that a Kustomization names, or None when its source is of another kind."""
    reference = kustomization.get("spec", {}).get("sourceRef") or {}
    if reference.get("kind") != "GitRepository" or not reference.get("name"):
        return None
    namespace = reference.get("namespace") or kustomization.get("metadata", {}).get("namespace", "")
    return Reference("GitRepository", namespace, reference["name"])


def argocd_owner(deployment: Object, namespace: str = "argocd") -> Reference | None:
    """Return the Application that a Deployment's tracking id names, `APP:GROUP/KIND:NS/NAME` or `APPNS_APP:...`."""
    tracking = (deployment.get("metadata", {}).get("annotations") or {}).get(ARGOCD_TRACKING_ANNOTATION, "")
    application, _, rest = tracking.partition(":")
    if not application or not rest:
        return None
    other, _, name = application.rpartition("_")
    return Reference("Application", other or namespace, name)


def from_flux(deployment: Object, kustomization: Object, repository: Object) -> Provenance | NotFromGit:
    """Return a Deployment's provenance by Flux's records, or why it has none.

    The three objects must be those that `flux_owner` and `flux_source` name; it is checked again here.
    """
    namespace, name = _identity(deployment)
    owner, source = flux_owner(deployment), flux_source(kustomization)
    if owner is None or _identity(kustomization) != (owner.namespace, owner.name):
        return NotFromGit(f"Deployment {namespace}/{name} does not carry the labels of this Flux Kustomization")
    if source is None or _identity(repository) != (source.namespace, source.name):
        return NotFromGit(
            f"Kustomization {owner.namespace}/{owner.name} does not take its manifests from this GitRepository"
        )
    entries = (kustomization.get("status", {}).get("inventory") or {}).get("entries") or []
    if {"id": f"{namespace}_{name}_apps_Deployment", "v": "v1"} not in [
        {"id": e.get("id"), "v": e.get("v")} for e in entries
    ]:
        return NotFromGit(
            f"Deployment {namespace}/{name} is labelled as a part of Kustomization {owner.namespace}/{owner.name}, "
            "whose inventory does not list it: labels alone are not believed"
        )
    spec = kustomization.get("spec", {})
    ref = repository.get("spec", {}).get("ref") or {}
    branch = _flux_branch(ref)
    if branch is None:
        return NotFromGit(
            f"GitRepository {source.namespace}/{source.name} follows {_told(ref)}, not a branch: "
            "a commit would not reach the cluster"
        )
    transforms = tuple(field for field in _FLUX_TRANSFORMS if spec.get(field))
    if any((spec.get("postBuild") or {}).values()):
        transforms += ("postBuild",)
    status = kustomization.get("status", {})
    return Provenance(
        engine=Engine.FLUX,
        url=repository.get("spec", {}).get("url", ""),
        branch=branch,
        path=clean_path(spec.get("path") or ""),
        namespace=namespace,
        name=name,
        applied_revision=revision_of(status.get("lastAppliedRevision") or ""),
        attempted_revision=revision_of(status.get("lastAttemptedRevision") or ""),
        owner=owner,
        source=source,
        target_namespace=spec.get("targetNamespace") or "",
        transforms=transforms,
    )


def from_argocd(deployment: Object, application: Object) -> Provenance | NotFromGit:
    """Return a Deployment's provenance by Argo CD's records, or why it has none."""
    namespace, name = _identity(deployment)
    app = _identity(application)
    owner = argocd_owner(deployment, app[0])
    if owner is None or (owner.namespace, owner.name) != app:
        return NotFromGit(f"Deployment {namespace}/{name} does not carry the tracking id of this Argo CD Application")
    resources = application.get("status", {}).get("resources") or []
    wanted = ("apps", "Deployment", namespace, name)
    if wanted not in [(r.get("group"), r.get("kind"), r.get("namespace"), r.get("name")) for r in resources]:
        return NotFromGit(
            f"Deployment {namespace}/{name} carries the tracking id of Application {app[0]}/{app[1]}, "
            "whose resources do not list it: annotations alone are not believed"
        )
    spec, status = application.get("spec", {}), application.get("status", {})
    source = spec.get("source") or {}
    if spec.get("sources") or source.get("chart") or not source.get("repoURL"):
        return NotFromGit(f"Application {app[0]}/{app[1]} has several sources or a chart, not one Git repository")
    target = source.get("targetRevision") or "HEAD"
    if _REVISION.search(target):
        return NotFromGit(f"Application {app[0]}/{app[1]} follows commit {target}, not a branch")
    history = status.get("history") or []
    operation = ((status.get("operationState") or {}).get("operation") or {}).get("sync") or {}
    compared = (status.get("sync") or {}).get("revision") or ""
    directory = source.get("directory") or {}
    transforms = tuple(tool for tool in _ARGOCD_TOOLS if source.get(tool))
    transforms += tuple(f"directory.{key}" for key in ("include", "exclude", "jsonnet") if directory.get(key))
    return Provenance(
        engine=Engine.ARGO_CD,
        url=source["repoURL"],
        branch=target.removeprefix("refs/heads/"),
        path=clean_path(source.get("path") or ""),
        namespace=namespace,
        name=name,
        applied_revision=revision_of((history[-1].get("revision") or "") if history else ""),
        attempted_revision=revision_of(operation.get("revision") or compared),
        owner=owner,
        source=owner,
        target_namespace=(spec.get("destination") or {}).get("namespace") or "",
        transforms=transforms,
        recursive=bool(directory.get("recurse")),
    )


def revision_of(text: str) -> str:
    """Return the commit in an engine's revision (`main@sha1:<40>`, `main/<40>`, `<40>`), or an empty string."""
    match = _REVISION.search(text)
    return match[1] if match is not None else ""


def clean_path(path: str) -> str:
    """Return a folder as Git names it, without `./` and slashes around; `..` stays, and is refused where it is used."""
    parts = [part for part in PurePosixPath(path).parts if part not in {"/", "."}]
    return "/".join(parts)


def _identity(thing: Object) -> tuple[str, str]:
    metadata = thing.get("metadata", {})
    return metadata.get("namespace") or "", metadata.get("name") or ""


def _flux_branch(ref: Object) -> str | None:
    """Return the branch that a GitRepository follows; commit, name, semver and tag go first in Flux, in this order."""
    name = ref.get("name") or ""
    if ref.get("commit"):
        return None
    if name:
        return str(name).removeprefix("refs/heads/") if str(name).startswith("refs/heads/") else None
    if ref.get("semver") or ref.get("tag"):
        return None
    return ref.get("branch") or "master"


def _told(ref: Object) -> str:
    return ", ".join(f"{key} {value}" for key, value in sorted(ref.items()) if key != "branch") or "nothing"
