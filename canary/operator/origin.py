"""Where a Deployment's manifests come from, by the GitOps engine's objects in the caches."""

from __future__ import annotations

from dataclasses import dataclass

from canary.git.provenance import NotFromGit, Provenance, flux_owner, flux_source, from_flux, revision_of
from canary.git.sync import sync_request
from canary.operator import kinds
from canary.operator.cache import Cache
from canary.operator.kinds import Obj, kind_of


@dataclass(frozen=True, slots=True)
class Origin:
    """A Deployment's provenance, or why it has none."""

    provenance: Provenance | None = None
    reason: str = "no GitOps engine's labels are on the Deployment"
    fetched: str = ""
    """The newest commit that the engine has fetched: what it is applying, or will next. Empty when it does not tell."""


def origin_of(cache: Cache, deployment: Obj) -> Origin:
    """Return a Deployment's origin; only what the engine's own records confirm."""
    owner = flux_owner(deployment)
    if owner is None:
        return Origin()
    kustomization = cache.get(kinds.KUSTOMIZATION, owner.namespace, owner.name)
    if kustomization is None:
        return Origin(reason=f"Kustomization {owner.namespace}/{owner.name}, which its labels name, does not exist")
    source = flux_source(kustomization)
    repository = cache.get(kinds.GIT_REPOSITORY, source.namespace, source.name) if source else None
    if repository is None:
        return Origin(reason=f"Kustomization {owner.namespace}/{owner.name} has no GitRepository as its source")
    found = from_flux(deployment, kustomization, repository)
    if isinstance(found, NotFromGit):
        return Origin(reason=found.message)
    artifact = (repository.get("status") or {}).get("artifact") or {}
    return Origin(found, "", revision_of(artifact.get("revision") or ""))


def commit_now(origin: Origin, *, new_template: bool) -> str:
    """Return the commit that the cluster has now; empty when nobody tells.

    The Deployment changes before the engine writes down which commit it applies: a template that is new comes from the
    newest commit that the engine has fetched, unless it says that it already tried that one.
    """
    if origin.provenance is None:
        return ""
    told = origin.provenance.attempted_revision or origin.provenance.applied_revision
    return origin.fetched or told if new_template else told


def sync_asked(cache: Cache, origin: Origin) -> str:
    """Return the token with which the engine was last asked to sync; empty when it never was."""
    if origin.provenance is None:
        return ""
    request = sync_request(origin.provenance, "")
    source = cache.get(kind_of(request.api_version, request.kind), request.namespace, request.name)
    return str(((source or {}).get("metadata", {}).get("annotations") or {}).get(request.annotation, ""))
