"""The part of Kubernetes' ObjectMeta that Canary reads."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from canary.api.model import StatusModel


class ObjectMeta(StatusModel):
    """Metadata of a custom resource; tolerant, because it is Kubernetes' to extend."""

    name: str
    namespace: str = ""
    """Empty for cluster-scoped kinds."""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    """Present while the object waits for its finalizers."""
