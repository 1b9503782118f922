"""Flux: the Kustomization that applies a Deployment, and the GitRepository that it is applied from."""

from __future__ import annotations

from typing import Final

from canary.api.names import FLUX_NAME_LABEL, FLUX_NAMESPACE_LABEL
from canary.git.provenance import (
    Engine,
    NotFromGit,
    Object,
    Provenance,
    Reference,
    clean_path,
    identity_of,
    revision_of,
)

_TRANSFORMS: Final = (
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
    "images",
    "components",
    "namePrefix",
    "nameSuffix",
)


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


def from_flux(deployment: Object, kustomization: Object, repository: Object) -> Provenance | NotFromGit:
    """Return a Deployment's provenance by Flux's records, or why it has none.

    The three objects must be those that `flux_owner` and `flux_source` name; it is checked again here.
    """
    namespace, name = identity_of(deployment)
    owner, source = flux_owner(deployment), flux_source(kustomization)
    if owner is None or identity_of(kustomization) != (owner.namespace, owner.name):
        return NotFromGit(f"Deployment {namespace}/{name} does not carry the labels of this Flux Kustomization")
    if source is None or identity_of(repository) != (source.namespace, source.name):
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
    branch = _branch(ref)
    if branch is None:
        return NotFromGit(
            f"GitRepository {source.namespace}/{source.name} follows {_told(ref)}, not a branch: "
            "a commit would not reach the cluster"
        )
    transforms = tuple(field for field in _TRANSFORMS if spec.get(field))
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


def _branch(ref: Object) -> str | None:
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
