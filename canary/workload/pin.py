"""The root Service's pin: its selector names one pod-template-hash, so that it selects pods of one version only."""

from __future__ import annotations

from typing import Any

from canary.api.names import ANNOTATION_PIN, FIELD_MANAGER, POD_TEMPLATE_HASH
from canary.api.patch import ObjectRef, Patch

PIN_MANAGER = f"{FIELD_MANAGER}-pin"


def pin(service: ObjectRef, pod_template_hash: str | None, *, policies: bool) -> Patch:
    """Return the patch that pins a Service, or takes the pin off for None.

    With the admission policies only the annotation is written: the policy makes the selector follow it, in this and
    every later write, and the selector's owner stays who it is in Git. Without them the selector is written too, and
    has to be written again when a sync takes it back.
    """
    body: dict[str, Any] = {"metadata": {"annotations": {ANNOTATION_PIN: pod_template_hash}}}
    if not policies:
        body["spec"] = {"selector": {POD_TEMPLATE_HASH: pod_template_hash}}
    return Patch(service, body, field_manager=PIN_MANAGER)
