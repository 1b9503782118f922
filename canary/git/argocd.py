"""Argo CD: the Application that applies a Deployment, by the tracking id or label that Argo CD puts on what it applies.

One object has it all: the source, what is compared and applied, and the operation under way. Its CRD has no status
subresource: whoever may edit an Application may write its status too. What a forged one could reach is bounded by the
operator's bindings, as with every other origin.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from canary.api.names import ARGOCD_TRACKING_ANNOTATION, ARGOCD_TRACKING_LABEL
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

_TOOLS: Final = ("helm", "kustomize", "plugin")
_RENDERED_ELSEWHERE: Final = frozenset({"Helm", "Plugin"})
"""Argo CD finds out by itself that a folder is a chart; Canary renders neither."""
_HERE: Final = frozenset({"https://kubernetes.default.svc", "in-cluster"})
"""How a destination names the cluster that Argo CD runs in."""


def argocd_owner(deployment: Object, namespace: str) -> Reference | None:
    """Return the Application that a Deployment is tracked by: where to look, not yet to be believed.

    The tracking id is `APP:GROUP/KIND:NS/NAME`, or `APPNS_APP:...` for an Application outside of Argo CD's own
    namespace, which is `namespace`. The label, an older way, has the part before the first colon only.
    """
    metadata = deployment.get("metadata", {})
    tracking = str((metadata.get("annotations") or {}).get(ARGOCD_TRACKING_ANNOTATION) or "")
    application, _, rest = tracking.partition(":")
    if tracking:
        here, name = identity_of(deployment)
        if rest != f"apps/Deployment:{here}/{name}":
            return None  # copied from another object: Argo CD does not count it either
    else:
        application = str((metadata.get("labels") or {}).get(ARGOCD_TRACKING_LABEL) or "")
    if not application:
        return None
    other, _, name = application.rpartition("_")
    return Reference("Application", other or namespace, name)


def from_argocd(deployment: Object, application: Object, namespace: str) -> Provenance | NotFromGit:
    """Return a Deployment's provenance by Argo CD's records, or why it has none.

    `namespace` is Argo CD's own. The Application must be the one that `argocd_owner` names; it is checked again here.
    """
    here, name = identity_of(deployment)
    owner, app = argocd_owner(deployment, namespace), identity_of(application)
    shown = f"Application {app[0]}/{app[1]}"
    if owner is None or (owner.namespace, owner.name) != app:
        return NotFromGit(f"Deployment {here}/{name} is not tracked by this Argo CD {shown}")
    spec, status = application.get("spec") or {}, application.get("status") or {}
    if not _lists(status, here, name):
        return NotFromGit(
            f"Deployment {here}/{name} is marked as a part of {shown}, "
            "whose resources do not list it: annotations and labels alone are not believed"
        )
    source, destination = spec.get("source") or {}, spec.get("destination") or {}
    if (destination.get("server") or destination.get("name")) not in _HERE:
        return NotFromGit(f"{shown} applies to another cluster")
    if spec.get("sources") or source.get("chart") or not source.get("repoURL"):
        return NotFromGit(f"{shown} has several sources, a hydrator or a chart, not one Git repository")
    target = source.get("targetRevision") or "HEAD"
    if revision_of(target) or target.startswith("refs/tags/"):
        return NotFromGit(f"{shown} follows {target}, not a branch: a commit would not reach the cluster")
    return Provenance(
        engine=Engine.ARGO_CD,
        url=source["repoURL"],
        branch=target.removeprefix("refs/heads/"),
        path=clean_path(source.get("path") or ""),
        namespace=here,
        name=name,
        applied_revision=_applied(status),
        attempted_revision=revision_of(_operation(status).get("revision") or "") or _compared(status),
        owner=owner,
        source=owner,
        default_namespace=destination.get("namespace") or "",
        transforms=_transforms(source, status),
        recursive=bool((source.get("directory") or {}).get("recurse")),
    )


def fetched_revision(application: Object) -> str:
    """Return what Argo CD applies just now, else the newest commit that it has looked at; empty when it tells none.

    A sync is begun before the comparison that asked for it is written down.
    """
    status = application.get("status") or {}
    running = (status.get("operationState") or {}).get("phase") == "Running"
    applying = revision_of(_operation(status).get("revision") or "") if running else ""
    return applying or _compared(status)


def is_behind(application: Object, pushed: str, pushed_at: float) -> bool:
    """Return whether a sync that began before a commit was pushed keeps Argo CD from taking it.

    A failed sync is tried again at the very revision it began with, and one with waves waits for a held Deployment to
    become healthy; until it ends, what was pushed waits. Only of automated Applications: the next sync of others would
    not come by itself.
    """
    spec, status = application.get("spec") or {}, application.get("status") or {}
    operation = status.get("operationState") or {}
    automated = (spec.get("syncPolicy") or {}).get("automated")
    if operation.get("phase") != "Running" or automated is None or automated.get("enabled") is False:
        return False
    if _operation(status).get("revision") == pushed:
        return False
    began = _seconds(operation.get("startedAt") or "")
    return began is not None and began < pushed_at


def slim(application: dict[str, object]) -> None:
    """Take out what nobody here reads: of a large application it is nearly everything."""
    status = application.get("status")
    if not isinstance(status, dict):
        return
    for key in ("conditions", "summary"):
        status.pop(key, None)
    resources = status.get("resources") or []
    status["resources"] = [resource for resource in resources if resource.get("kind") == "Deployment"]
    status["history"] = (status.get("history") or [])[-1:]
    operation = status.get("operationState") or {}
    operation.pop("syncResult", None)


def _lists(status: Object, namespace: str, name: str) -> bool:
    """Return whether the Application has this Deployment, and still has it in Git."""
    wanted = ("apps", "Deployment", namespace, name)
    return any(
        (r.get("group"), r.get("kind"), r.get("namespace"), r.get("name")) == wanted and not r.get("requiresPruning")
        for r in status.get("resources") or []
    )


def _operation(status: Object) -> Object:
    operation: Object = ((status.get("operationState") or {}).get("operation") or {}).get("sync") or {}
    return operation


def _compared(status: Object) -> str:
    return revision_of((status.get("sync") or {}).get("revision") or "")


def _applied(status: Object) -> str:
    """Return the commit of the last sync that succeeded; with no history kept, the one that is compared as equal."""
    history, sync = status.get("history") or [], status.get("sync") or {}
    revision = history[-1].get("revision") if history else sync.get("revision") if _synced(sync) else ""
    return revision_of(revision or "")


def _synced(sync: Object) -> bool:
    return sync.get("status") == "Synced"


def _transforms(source: Object, status: Object) -> tuple[str, ...]:
    directory, kind = source.get("directory") or {}, status.get("sourceType") or ""
    found = tuple(tool for tool in _TOOLS if source.get(tool))
    found += tuple(f"directory.{key}" for key in ("include", "exclude", "jsonnet") if directory.get(key))
    return found or ((f"source type {kind}",) if kind in _RENDERED_ELSEWHERE else ())


def _seconds(time: str) -> float | None:
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return None
