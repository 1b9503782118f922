"""Writes to the Kubernetes API as values: renderers return them, only the operator executes them.

They stand here, below `workload` and `traffic`, because both render them and neither may import the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from canary.errors import SpecInvalid

Manifest: TypeAlias = Mapping[str, Any]
"""An object, or a part of one, as the API server returns it in JSON."""

DEPLOYMENT = ("apps/v1", "Deployment")
REPLICA_SET = ("apps/v1", "ReplicaSet")
SERVICE = ("v1", "Service")
CONFIG_MAP = ("v1", "ConfigMap")
HTTP_ROUTE = ("gateway.networking.k8s.io/v1", "HTTPRoute")


class ContentType(StrEnum):
    """How the API server is to read a patch's body."""

    MERGE = "application/merge-patch+json"
    """A mapping; null removes a key, lists are replaced whole. The object must exist."""
    JSON = "application/json-patch+json"
    """A list of operations. A `test` that fails is answered with 422: the object changed, observe again."""
    APPLY = "application/apply-patch+yaml"
    """Server-side apply with force: creates the object when it is missing, removes what this manager no longer says."""


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """Names one object."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def describe(self) -> str:
        """Return `Kind namespace/name`, as messages say it."""
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Patch:
    """One PATCH request."""

    ref: ObjectRef
    body: Any
    """A mapping (merge, apply) or a list of operations (JSON)."""
    content_type: ContentType = ContentType.MERGE
    field_manager: str = "canary"
    subresource: str = ""
    """`scale` or empty for the object itself."""


@dataclass(frozen=True, slots=True)
class Delete:
    """One DELETE request; an object that is already gone, or another one of the same name, is no error."""

    ref: ObjectRef
    uid: str
    """Precondition: only this very object."""
    propagation: str = "Foreground"
    """Foreground: the object stays, with a deletionTimestamp, until all that it owns is gone. Never Orphan: see
    `workload.copy`."""


Write: TypeAlias = Patch | Delete


@dataclass(frozen=True, slots=True)
class Owner:
    """The Rollout that owns an object which the operator creates."""

    api_version: str
    kind: str
    name: str
    uid: str

    def reference(self) -> dict[str, Any]:
        """Return it as an entry of `metadata.ownerReferences`."""
        return {
            "apiVersion": self.api_version,
            "kind": self.kind,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }

    def refuse_foreign(self, existing: Manifest | None, ref: ObjectRef) -> None:
        """Raise SpecInvalid if an object of that name exists and is somebody else's: apply would overwrite it."""
        if existing is not None and controller_uid(existing) != self.uid:
            raise SpecInvalid(
                f"{ref.describe()} exists and does not belong to Rollout {self.name}: rename or delete it, "
                "Canary needs the name"
            )


def ref_of(manifest: Manifest, kind: tuple[str, str]) -> ObjectRef:
    """Return the reference of an object; its kind is passed, because objects in lists do not carry it."""
    meta = manifest["metadata"]
    return ObjectRef(kind[0], kind[1], meta["namespace"], meta["name"])


def controller_uid(manifest: Manifest) -> str:
    """Return the uid of the object's controller; empty when it has none."""
    owners = manifest.get("metadata", {}).get("ownerReferences") or ()
    return next((str(o["uid"]) for o in owners if o.get("controller")), "")


def labels_of(manifest: Manifest) -> Mapping[str, str]:
    """Return an object's labels, empty when it has none."""
    return manifest.get("metadata", {}).get("labels") or {}


def annotations_of(manifest: Manifest) -> Mapping[str, str]:
    """Return an object's annotations, empty when it has none."""
    return manifest.get("metadata", {}).get("annotations") or {}
