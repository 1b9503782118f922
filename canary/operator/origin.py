"""Where a Deployment's manifests come from, by the GitOps engine's objects in the caches."""

from __future__ import annotations

from dataclasses import dataclass

from canary.api.names import ARGOCD_TRACKING_ANNOTATION
from canary.api.patch import annotations_of
from canary.core.state import State
from canary.git.argocd import argocd_owner, fetched_revision, from_argocd, is_behind
from canary.git.flux import flux_owner, flux_source, from_flux
from canary.git.provenance import Engine, NotFromGit, Provenance, revision_of
from canary.operator import kinds
from canary.operator.cache import Cache
from canary.operator.kinds import Kind, Obj


@dataclass(frozen=True, slots=True)
class Origin:
    """A Deployment's provenance, or why it has none."""

    provenance: Provenance | None = None
    reason: str = "no GitOps engine's labels are on the Deployment"
    fetched: str = ""
    """The newest commit that the engine has fetched: what it is applying, or will next. Empty when it does not tell."""


def owners_of(deployment: Obj, argocd_namespace: str) -> tuple[tuple[Kind, str, str], ...]:
    """Return what a Deployment's labels and annotations name as its owner, by each engine: where to look."""
    flux, argocd = flux_owner(deployment), argocd_owner(deployment, argocd_namespace)
    found = ((kinds.KUSTOMIZATION, flux), (kinds.APPLICATION, argocd))
    return tuple((kind, owner.namespace, owner.name) for kind, owner in found if owner is not None)


def origin_of(cache: Cache, deployment: Obj, argocd_namespace: str) -> Origin:
    """Return a Deployment's origin; only what the engine's own records confirm."""
    said = [
        origin
        for origin in (_by_flux(cache, deployment), _by_argocd(cache, deployment, argocd_namespace))
        if origin is not None
    ]
    confirmed = [origin for origin in said if origin.provenance is not None]
    return next(iter(confirmed or said), Origin())


def _by_flux(cache: Cache, deployment: Obj) -> Origin | None:
    owner = flux_owner(deployment)
    if owner is None:
        return None
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


def _by_argocd(cache: Cache, deployment: Obj, argocd_namespace: str) -> Origin | None:
    owner = argocd_owner(deployment, argocd_namespace)
    if owner is None:
        return None
    application = cache.get(kinds.APPLICATION, owner.namespace, owner.name)
    if application is None:
        # The label is one of many charts as well: alone it does not even say that Argo CD is meant.
        named = ARGOCD_TRACKING_ANNOTATION in annotations_of(deployment)
        reason = f"Application {owner.namespace}/{owner.name}, which its tracking id names, does not exist"
        return Origin(reason=reason) if named else None
    found = from_argocd(deployment, application, argocd_namespace)
    if isinstance(found, NotFromGit):
        return Origin(reason=found.message)
    return Origin(found, "", fetched_revision(application))


def commit_now(origin: Origin, *, new_template: bool) -> str:
    """Return the commit that the cluster has now; empty when nobody tells.

    The Deployment changes before the engine writes down which commit it applies: a template that is new comes from the
    newest commit that the engine has fetched, unless it says that it already tried that one.
    """
    if origin.provenance is None:
        return ""
    told = origin.provenance.attempted_revision or origin.provenance.applied_revision
    return origin.fetched or told if new_template else told


def applied_now(origin: Origin) -> str:
    """Return the commit that the engine has applied in full; empty while it applies another, or when nobody tells."""
    where = origin.provenance
    return where.applied_revision if where and where.applied_revision == where.attempted_revision else ""


def held_up(cache: Cache, origin: Origin, state: State) -> str:
    """Return the resourceVersion of the Application that keeps at an older commit than our revert; else empty."""
    revert = state.release.revert if state.release is not None else None
    if origin.provenance is None or origin.provenance.engine is not Engine.ARGO_CD or revert is None:
        return ""
    owner = origin.provenance.owner
    application = cache.get(kinds.APPLICATION, owner.namespace, owner.name)
    if application is None or not revert.commit or not is_behind(application, revert.commit, revert.at):
        return ""
    return str(application["metadata"].get("resourceVersion", ""))
