"""The hold on the Deployment in Git, and the label by which the admission policies know what to hold."""

from __future__ import annotations

from typing import Any

from canary.api.names import (
    ANNOTATION_BACKENDS,
    ANNOTATION_HELD,
    ANNOTATION_PIN,
    ANNOTATION_SPLIT,
    FIELD_MANAGER,
    LABEL_ROLLOUT,
)
from canary.api.patch import Manifest, ObjectRef, Patch, annotations_of

HOLD_MANAGER = f"{FIELD_MANAGER}-hold"
LABEL_MANAGER = f"{FIELD_MANAGER}-label"
_TRUSTED = ANNOTATION_PIN, ANNOTATION_SPLIT, ANNOTATION_BACKENDS


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


def label(target: ObjectRef, live: Manifest, rollout_name: str) -> Patch:
    """Return the patch that puts an object under the policies.

    Annotations which the policies would believe go in the same write: somebody else can only have put them there before
    the object was labelled, when no policy looked.
    """
    metadata: dict[str, Any] = {"labels": {LABEL_ROLLOUT: rollout_name}}
    forged = {k: None for k in _TRUSTED if k in annotations_of(live)}
    if forged:
        metadata["annotations"] = forged
    return Patch(target, {"metadata": metadata}, field_manager=LABEL_MANAGER)


def unlabel(target: ObjectRef) -> Patch:
    """Return the patch that takes an object out of the policies; what they hold must be put back before."""
    return Patch(target, {"metadata": {"labels": {LABEL_ROLLOUT: None}}}, field_manager=LABEL_MANAGER)
