"""How the weight of one Service is shared with the canary in a Gateway API rule, and taken back.

Git may give the Service any weight beside other backends; only that weight is shared. Weights are whole numbers, so all
of the rule's weights are multiplied by 100 first: a share in percent is then exact, and so is the way back. What was
done to a rule can be read off the rule itself (the canary is in it, or not), so a rule that comes from Git in the
middle of a release is treated as it should be, without memory. `deploy/base/policies/route.yaml` does the same in CEL;
the two are compared in tests/e2e.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from canary.api.patch import Manifest

SCALE = 100
LARGEST = 1_000_000
"""The largest weight that Gateway API allows."""


def is_backend(ref: Manifest, service: str, namespace: str) -> bool:
    """Tell whether a backendRef names this Service."""
    return (
        ref.get("name") == service
        and ref.get("kind", "Service") == "Service"
        and ref.get("group", "") == ""
        and ref.get("namespace", namespace) == namespace
    )


def shared(
    refs: Sequence[Manifest], is_root: Callable[[Manifest], bool], canary: str, weight_percent: int
) -> list[dict[str, Any]]:
    """Return a rule's backendRefs with `weight_percent` of the root's weight given to the canary.

    The canary's entry is a copy of the root's under another name: port, namespace and filters are the same. A rule that
    does not name the root is returned as it is.
    """
    rows = [dict(r) for r in refs]
    roots = [r for r in rows if is_root(r)]
    if not roots:
        return rows
    canaries = [r for r in rows if r.get("name") == canary]
    if not canaries:
        divisor = _divisor(rows)
        for row in rows:
            row["weight"] = _weight(row) * SCALE // divisor
        canaries = [{**r, "name": canary, "weight": 0} for r in roots]
        rows += canaries
    for root, twin in zip(roots, canaries, strict=False):
        total = _weight(root) + _weight(twin)
        twin["weight"] = total * weight_percent // 100
        root["weight"] = total - twin["weight"]
    return rows


def unshared(refs: Sequence[Manifest], is_root: Callable[[Manifest], bool], canary: str) -> list[dict[str, Any]]:
    """Return a rule's backendRefs as they were before `shared`: without the canary, the weights those of Git.

    Exact as long as Git's weights do not exceed 10,000; beyond that, equal but for rounding.
    """
    rows = [dict(r) for r in refs if r.get("name") != canary]
    twins = [r for r in refs if r.get("name") == canary]
    if not twins or not any(is_root(r) for r in rows):
        return rows
    for root, twin in zip((r for r in rows if is_root(r)), twins, strict=False):
        root["weight"] = _weight(root) + _weight(twin)
    for row in rows:
        # Rounded up: somebody's weight of 1, written while the rule was scaled, is not to become none.
        row["weight"] = -(-_weight(row) // SCALE)
    return rows


def percent_of(refs: Sequence[Manifest], is_root: Callable[[Manifest], bool], canary: str) -> int | None:
    """Return the canary's share of the root's weight in percent; None when the rule has no canary or no root."""
    canaries = [_weight(r) for r in refs if r.get("name") == canary]
    roots = [_weight(r) for r in refs if is_root(r)]
    total = sum(canaries) + sum(roots)
    if not canaries or not roots:
        return None
    return round(100 * sum(canaries) / total) if total else 0


def _weight(ref: Manifest) -> int:
    return int(ref.get("weight", 1))


def _divisor(rows: Sequence[Manifest]) -> int:
    """By what weights of more than 10,000 are divided, so that they still fit after scaling."""
    largest = max(_weight(r) for r in rows)
    return max(1, -(-largest * SCALE // LARGEST))
