"""The hold on the Deployment in Git: paused, with an annotation that says that it is Canary who waits."""

from __future__ import annotations

from canary.api.names import ANNOTATION_HELD, FIELD_MANAGER
from canary.api.patch import ObjectRef, Patch

HOLD_MANAGER = f"{FIELD_MANAGER}-hold"


def let_go(deployment: ObjectRef, resource_version: str) -> Patch:
    """Return the one patch that unpauses the Deployment and takes the hold's annotation off.

    `resource_version` is that of the observation that was judged. A commit that landed since then makes a conflict;
    without it, that commit's template would be shipped unjudged (seen on a real API server).
    """
    body = {
        "metadata": {"resourceVersion": resource_version, "annotations": {ANNOTATION_HELD: None}},
        "spec": {"paused": None},
    }
    return Patch(deployment, body, field_manager=HOLD_MANAGER)


def hold(deployment: ObjectRef, resource_version: str) -> Patch:
    """Return the patch that holds a Deployment where no admission policy does."""
    body = {
        "metadata": {"resourceVersion": resource_version, "annotations": {ANNOTATION_HELD: "true"}},
        "spec": {"paused": True},
    }
    return Patch(deployment, body, field_manager=HOLD_MANAGER)
