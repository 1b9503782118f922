"""How many replicas Kubernetes' horizontal-pod-autoscaler controller computes from what the pods use.

The controller's own arithmetic, whole numbers where it has whole numbers (thousandths of a core, percent), so that it
comes to the same count. Source: `pkg/controller/podautoscaler/replica_calculator.go` of Kubernetes 1.36,
`GetResourceReplicas` and `calcPlainMetricReplicas`; the lab compares it with the controller itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from canary.api.patch import Manifest
from canary.workload.failures import seconds
from canary.workload.quantity import amount

TOLERANCE = 0.1
"""The controller's default, up and down; `behavior.scaleUp.tolerance` and `scaleDown` override it."""
CPU_INITIALIZATION_SECONDS = 300.0
"""The controller's default: in a pod's first time its CPU counts only once a whole window was measured while ready."""
INITIAL_READINESS_SECONDS = 30.0
"""The controller's default: a pod that lost its readiness so soon after its start is taken as never ready."""


class Standing(StrEnum):
    """How the controller counts a pod."""

    MEASURED = "measured"
    UNREADY = "unready"
    """Left out; at a scale-up it counts as using nothing, which makes the scale-up smaller, or stops it."""
    MISSING = "missing"
    """Runs and has no sample: counts as using nothing at a scale-up, and its target at a scale-down."""
    IGNORED = "ignored"
    """Ends, or has failed."""


@dataclass(frozen=True, slots=True)
class PodUse:
    """One pod, as the controller sees it."""

    name: str
    standing: Standing
    ready: bool
    """Whether it serves: runs, is ready, and stays."""
    request: int | None
    """Thousandths of what its containers request; None when one of them requests nothing."""
    usage: int | None
    """Thousandths of what it uses; None without a sample."""
    sampled_at: float | None = None
    """Unix seconds."""
    ready_since: float | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What a metric is to be: percent of the requests, or thousandths for each pod."""

    value: int
    utilization: bool


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How far the ratio of value and target may be from 1 without a change of the count."""

    down: float = TOLERANCE
    up: float = TOLERANCE

    def within(self, ratio: float) -> bool:
        """Return whether the controller leaves the count as it is."""
        return 1.0 - self.down <= ratio <= 1.0 + self.up


@dataclass(frozen=True, slots=True)
class Uncomputed:
    """The controller could not compute this metric either, and why."""

    why: str


def replicas(current: int, target: Target, pods: Sequence[PodUse], tolerances: Tolerances) -> int | Uncomputed:
    """Return the count that the controller proposes by a metric of the pods' own (not clamped to minimum and maximum).

    `current` is the `spec.replicas` of what is scaled.
    """
    if target.utilization and (nameless := next((p.name for p in pods if p.request is None), None)):
        return Uncomputed(f"a container of pod {nameless} has no request")
    measured = [p for p in pods if p.standing is Standing.MEASURED]
    missing = [p for p in pods if p.standing is Standing.MISSING]
    unready = [p for p in pods if p.standing is Standing.UNREADY]
    if not measured:
        return Uncomputed("no ready pod has metrics")
    used = [(p.usage or 0, p.request or 0) for p in measured]
    ratio = _ratio(used, target)
    if ratio is None:
        return Uncomputed("the pods request nothing")
    against_unready = bool(unready) and ratio > 1.0
    if not against_unready and not missing:
        return current if tolerances.within(ratio) else math.ceil(ratio * len(measured))
    if ratio < 1.0:
        used += [(_full(p, target), p.request or 0) for p in missing]
    elif ratio > 1.0:
        used += [(0, p.request or 0) for p in missing]
    if against_unready:
        used += [(0, p.request or 0) for p in unready]
    again = _ratio(used, target) or 0.0
    turned = (ratio < 1.0 < again) or (again < 1.0 < ratio)
    proposed = math.ceil(again * len(used))
    backwards = (again < 1.0 and proposed > current) or (again > 1.0 and proposed < current)
    return current if tolerances.within(again) or turned or backwards else proposed


def _ratio(used: Sequence[tuple[int, int]], target: Target) -> float | None:
    total = sum(usage for usage, _ in used)
    if not target.utilization:
        return total // len(used) / target.value
    requested = sum(request for _, request in used)
    return total * 100 // requested / target.value if requested else None


def _full(pod: PodUse, target: Target) -> int:
    return (pod.request or 0) * max(100, target.value) // 100 if target.utilization else target.value


def pod_uses(
    pods: Iterable[Manifest], metrics: Iterable[Manifest], resource: str, container: str, now: float
) -> tuple[PodUse, ...]:
    """Read pods and their PodMetrics for one resource, of one container or (empty) of all."""
    samples = {m["metadata"]["name"]: m for m in metrics}
    return tuple(_pod_use(pod, samples, resource, container, now) for pod in pods)


def _pod_use(pod: Manifest, samples: Mapping[str, Manifest], resource: str, container: str, now: float) -> PodUse:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    sample = samples.get(name)
    usage = _usage(sample, resource, container) if sample else None
    at = seconds(sample.get("timestamp")) if sample and usage is not None else None
    condition: Manifest = next((c for c in status.get("conditions") or () if c.get("type") == "Ready"), {})
    changed = seconds(condition.get("lastTransitionTime"))
    phase, deleting = status.get("phase"), bool(pod["metadata"].get("deletionTimestamp"))
    if deleting or phase == "Failed":
        standing = Standing.IGNORED
    elif phase == "Pending":
        standing = Standing.UNREADY
    elif usage is None:
        standing = Standing.MISSING
    elif resource == "cpu" and _initializing(status, condition, at or 0.0, _window(sample), now):
        standing = Standing.UNREADY
    else:
        standing = Standing.MEASURED
    ready = condition.get("status") == "True" and phase == "Running" and not deleting
    return PodUse(name, standing, ready, _request(pod, resource, container), usage, at, changed if ready else None)


def _initializing(status: Manifest, condition: Manifest, at: float, window: float, now: float) -> bool:
    started, changed = seconds(status.get("startTime")), seconds(condition.get("lastTransitionTime"))
    if not condition or started is None:
        return True
    changed = changed or 0.0
    unready = condition.get("status") == "False"
    if started + CPU_INITIALIZATION_SECONDS > now:
        return unready or at < changed + window
    return unready and started + INITIAL_READINESS_SECONDS > changed


def _usage(sample: Manifest, resource: str, container: str) -> int | None:
    """The controller rounds each container's usage up to thousandths; a container without a value spoils the pod's."""
    containers = [c for c in sample.get("containers") or () if container in ("", c.get("name"))]
    if not containers or any(resource not in (c.get("usage") or {}) for c in containers):
        return None
    return sum(_thousandths(c["usage"][resource]) for c in containers)


def _request(pod: Manifest, resource: str, container: str) -> int | None:
    spec = pod["spec"]
    of_pod = ((spec.get("resources") or {}).get("requests") or {}).get(resource)
    if of_pod is not None and not container:
        return _thousandths(of_pod)
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    found = [c for c in (*spec["containers"], *sidecars) if container in ("", c["name"])]
    asked = [((c.get("resources") or {}).get("requests") or {}).get(resource) for c in found]
    return sum(_thousandths(a) for a in asked if a is not None) if asked and None not in asked else None


def _window(sample: Manifest | None) -> float:
    """Metrics servers write seconds or minutes and seconds (`15s`, `1m0.5s`)."""
    total, number = 0.0, ""
    for sign in str((sample or {}).get("window") or ""):
        if sign.isdigit() or sign == ".":
            number += sign
        elif number:
            total += float(number) * {"h": 3600.0, "m": 60.0, "s": 1.0}.get(sign, 0.0)
            number = ""
    return total


def _thousandths(quantity: str | int) -> int:
    return math.ceil(round(amount(quantity) * 1000, 6))
