"""The write that scales one ReplicaSet; how many pods a weight needs is decided in `canary.core`."""

from __future__ import annotations

from canary.api.names import FIELD_MANAGER
from canary.api.patch import REPLICA_SET, ObjectRef, Patch

SCALE_MANAGER = f"{FIELD_MANAGER}-scale"


def scale_replica_set(namespace: str, name: str, replicas: int) -> Patch:
    """Return the scaling of a ReplicaSet through its subresource, which no admission policy of ours looks at."""
    ref = ObjectRef(*REPLICA_SET, namespace, name)
    return Patch(ref, {"spec": {"replicas": replicas}}, field_manager=SCALE_MANAGER, subresource="scale")
