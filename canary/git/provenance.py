"""Where a Deployment comes from: read from the engine's own records, not believed from labels.

Labels and the tracking id are writable by anybody who may edit the Deployment. They only say where to look; it counts
when the Kustomization's inventory (`flux`) or the Application's resources (`argocd`) list this very object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, ClassVar, Final, TypeAlias

Object: TypeAlias = Mapping[str, Any]

_REVISION: Final = re.compile(r"(?:^|[@/:])([0-9a-f]{40}|[0-9a-f]{64})$")


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
    """The namespace that the engine puts every object into (Flux); empty when the manifests say it."""
    default_namespace: str = ""
    """The namespace of manifests that say none (Argo CD); empty when that is not known."""
    transforms: tuple[str, ...] = ()
    """Fields of the owner that change what the manifests render to; with any, Canary cannot render."""
    recursive: bool = True
    """Whether plain manifests in sub-folders count."""


@dataclass(frozen=True, slots=True)
class NotFromGit:
    """No commit brought this; there is nothing to revert."""

    message: str
    reason: ClassVar[str] = "NotFromGit"


def revision_of(text: str) -> str:
    """Return the commit in an engine's revision (`main@sha1:<40>`, `main/<40>`, `<40>`), or an empty string."""
    match = _REVISION.search(text)
    return match[1] if match is not None else ""


def clean_path(path: str) -> str:
    """Return a folder as Git names it, without `./` and slashes around; `..` stays, and is refused where it is used."""
    parts = [part for part in PurePosixPath(path).parts if part not in {"/", "."}]
    return "/".join(parts)


def identity_of(thing: Object) -> tuple[str, str]:
    """Return an object's namespace and name."""
    metadata = thing.get("metadata", {})
    return metadata.get("namespace") or "", metadata.get("name") or ""
