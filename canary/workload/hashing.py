"""Canary's own names for pod templates.

Kubernetes' pod-template-hash changes with a collision count and with our labels, and does not exist for a template that
is held; so templates are compared by hashes of ours over the live, defaulted template.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from canary.api.names import GROUP, POD_TEMPLATE_HASH
from canary.api.patch import Manifest
from canary.core.state import Revision

HASH_LENGTH = 16
"""Hexadecimal characters, 64 bits: arbitrary, far more than a namespace's versions need, and fits in a label."""


def template_hash(template: Manifest) -> str:
    """Return the hash of a whole pod template, less what controllers and Canary itself added to it.

    The same for a Deployment's template, the template of the ReplicaSet made from it, and the canary copy's.
    """
    return _digest(without_additions(template))


def version_hash(template: Manifest) -> str:
    """Return the hash of what a template runs: equal for templates that differ in labels and annotations only.

    Checksums of configuration and `restartedAt` are annotations; so a restart is the same version.
    """
    return _digest(template.get("spec") or {})


def revision_of(template: Manifest, commit: str = "") -> Revision:
    """Return a template's revision, with its images: init containers first, then containers, in their order."""
    spec = template.get("spec") or {}
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    images = tuple(str(c["image"]) for c in containers if "image" in c)
    return Revision(template_hash(template), version_hash(template), images, commit)


def without_additions(template: Manifest) -> dict[str, Any]:
    """Return the template without pod-template-hash and without labels and annotations of Canary's."""
    metadata = {k: v for k, v in (template.get("metadata") or {}).items() if k in {"labels", "annotations"}}
    metadata["labels"] = {
        k: v for k, v in (metadata.get("labels") or {}).items() if k != POD_TEMPLATE_HASH and not _is_ours(k)
    }
    metadata["annotations"] = {k: v for k, v in (metadata.get("annotations") or {}).items() if not _is_ours(k)}
    return {"metadata": {k: v for k, v in metadata.items() if v}, "spec": template.get("spec") or {}}


def _is_ours(key: str) -> bool:
    return key.startswith(f"{GROUP}/")


def _digest(value: object) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:HASH_LENGTH]
