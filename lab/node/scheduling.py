"""Whether a pod has room on the only node. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

MAX_PODS_ANNOTATION = "node.lab/max-pods"
"""On the Node: how many pods it takes from now on, so that "no room" can be made and ended while the lab runs."""

_UNITS = {
    "": Decimal(1), "m": Decimal("0.001"), "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9),
    "T": Decimal(10**12), "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40),
}  # fmt: skip
_QUANTITY = re.compile(r"^([0-9.]+(?:[eE][0-9]+)?)([a-zA-Z]*)$")


@dataclass(frozen=True, slots=True)
class Room:
    """What the node has, or what a pod asks for: cores, bytes and pods."""

    cpu: Decimal
    memory: Decimal
    pods: int = 1


def quantity(text: str | float) -> Decimal:
    """A Kubernetes quantity as a number of cores or bytes."""
    match = _QUANTITY.match(str(text))
    if match is None or match.group(2) not in _UNITS:
        raise ValueError(f"{text!r} is no quantity")
    return Decimal(match.group(1)) * _UNITS[match.group(2)]


def request_of(pod: Mapping[str, Any]) -> Room:
    """What a pod's containers ask for together."""
    asked = [(c.get("resources") or {}).get("requests") or {} for c in pod["spec"]["containers"]]
    return Room(
        sum((quantity(a.get("cpu", 0)) for a in asked), Decimal(0)),
        sum((quantity(a.get("memory", 0)) for a in asked), Decimal(0)),
    )


def why_not(pod: Mapping[str, Any], node: Mapping[str, Any], room: Room, taken: Iterable[Room]) -> str | None:
    """None when the pod fits, else the scheduler's message."""
    used = list(taken)
    asked = request_of(pod)
    labels = node["metadata"].get("labels") or {}
    selector = pod["spec"].get("nodeSelector") or {}
    reasons = []
    if (node.get("spec") or {}).get("unschedulable"):
        reasons.append("1 node(s) were unschedulable")
    if any(labels.get(key) != value for key, value in selector.items()):
        reasons.append("1 node(s) didn't match Pod's node affinity/selector")
    if len(used) + 1 > room.pods:
        reasons.append("1 Too many pods")
    if asked.cpu and sum((u.cpu for u in used), asked.cpu) > room.cpu:
        reasons.append("1 Insufficient cpu")
    if asked.memory and sum((u.memory for u in used), asked.memory) > room.memory:
        reasons.append("1 Insufficient memory")
    return f"0/1 nodes are available: {', '.join(reasons)}." if reasons else None


def room_of(node: Mapping[str, Any], default: Room) -> Room:
    """The node's room now; an annotation that is no number counts as not there."""
    text = (node["metadata"].get("annotations") or {}).get(MAX_PODS_ANNOTATION, "")
    return Room(default.cpu, default.memory, int(text) if text.isdecimal() else default.pods)
