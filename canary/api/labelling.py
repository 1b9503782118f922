"""The label by which the admission policies know which objects they act on."""

from __future__ import annotations

from typing import Any

from canary.api.names import ANNOTATION_BACKENDS, ANNOTATION_PIN, ANNOTATION_SPLIT, FIELD_MANAGER, LABEL_ROLLOUT
from canary.api.patch import Manifest, ObjectRef, Patch, annotations_of, labels_of

LABEL_MANAGER = f"{FIELD_MANAGER}-label"
_BELIEVED = ANNOTATION_PIN, ANNOTATION_SPLIT, ANNOTATION_BACKENDS


def label(target: ObjectRef, live: Manifest, rollout_name: str) -> Patch:
    """Return the patch that puts an object under the policies.

    Annotations that the policies would believe go in the same write: only somebody else can have put them on an object
    without the label, where no policy looked.
    """
    metadata: dict[str, Any] = {"labels": {LABEL_ROLLOUT: rollout_name}}
    forged = {key: None for key in _BELIEVED if key in annotations_of(live)}
    if forged:
        metadata["annotations"] = forged
    return Patch(target, {"metadata": metadata}, field_manager=LABEL_MANAGER)


def unlabel(target: ObjectRef) -> Patch:
    """Return the patch that takes an object out of the policies; what they keep must be put back before."""
    return Patch(target, {"metadata": {"labels": {LABEL_ROLLOUT: None}}}, field_manager=LABEL_MANAGER)


def other_owner(live: Manifest, rollout_name: str) -> str:
    """Return the name of another Rollout that holds the object; empty when none does."""
    owner = labels_of(live).get(LABEL_ROLLOUT, "")
    return "" if owner == rollout_name else owner
