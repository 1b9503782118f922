"""Whether stable's pods alone would carry the whole load, by the user's own HorizontalPodAutoscaler.

The canary's pods carry the original's labels, so the autoscaler averages over both versions. Within its tolerance it
does not grow stable while the canary helps to carry the load, and a rollback would then meet too few stable pods. So
the question is asked with the autoscaler's own numbers, as it would ask it if the canary were gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from canary.api.patch import Manifest
from canary.workload.quantity import amount

TOLERANCE = 0.1
"""The horizontal-pod-autoscaler-controller's default; `behavior.scaleUp.tolerance` overrides it."""

_FIELD = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "External": "external",
    "Object": "object",
}


def hpa_of(hpas: Iterable[Manifest], deployment_name: str) -> Manifest | None:
    """Return the autoscaler of a Deployment among those of its namespace; None when it has none."""
    for hpa in hpas:
        target = hpa["spec"]["scaleTargetRef"]
        if target.get("kind") == "Deployment" and target.get("name") == deployment_name:
            return hpa
    return None


def stable_can_carry(hpa: Manifest | None, stable_ready: int, canary_ready: int) -> tuple[bool, str]:
    """Tell whether stable's ready pods would carry the present load alone, and if not, why, in a sentence.

    Without an autoscaler nothing speaks against it. Memory is passed over: it does not move with the traffic, and the
    canary's would be counted as stable's. An autoscaler that cannot tell its metrics gives no evidence, so the answer
    is no.
    """
    if hpa is None:
        return True, ""
    name, spec, status = hpa["metadata"]["name"], hpa["spec"], hpa.get("status") or {}
    if stable_ready <= 0:
        return False, "no stable pod is ready"
    blind = _blind(status)
    if blind:
        return False, f"HorizontalPodAutoscaler {name} does not scale now: {blind}"
    tolerance = _tolerance(spec)
    pods = _Pods(stable_ready, canary_ready, int(status.get("currentReplicas") or 0))
    for metric in spec.get("metrics") or ():
        if _is_memory(metric):
            continue
        needed = _needed(metric, status.get("currentMetrics") or (), pods)
        if needed is None:
            return False, f"HorizontalPodAutoscaler {name} has no current value of {_metric_name(metric)}"
        if needed > stable_ready * (1 + tolerance):
            return False, (
                f"by {_metric_name(metric)} of HorizontalPodAutoscaler {name} the load needs {needed:.1f} pods, "
                f"stable has {stable_ready} ready"
            )
    return True, ""


@dataclass(frozen=True, slots=True)
class _Pods:
    stable_ready: int
    canary_ready: int
    scaled: int
    """`status.currentReplicas`: those of the scale subresource, stable's alone."""


def _needed(metric: Manifest, current: Iterable[Manifest], pods: _Pods) -> float | None:
    """Return how many pods at the target value the load needs; None when the autoscaler has no value."""
    kind = metric["type"]
    field = _FIELD[kind]
    target = metric[field]["target"]
    value = next((m[field]["current"] for m in current if _same_metric(m, metric)), None)
    if value is None:
        return None
    if target["type"] == "Utilization":
        key = "averageUtilization"
    elif target["type"] == "Value":
        key = "value"
    else:
        key = "averageValue"
    if key not in value or not amount(target[key]):
        return None
    ratio = amount(value[key]) / amount(target[key])
    if key == "averageValue" and kind in {"External", "Object"}:
        # The controller divides the total by the replicas of the scale subresource, not by the pods of the selector.
        return ratio * pods.scaled
    return ratio * (pods.stable_ready + pods.canary_ready)


def _same_metric(current: Manifest, metric: Manifest) -> bool:
    field = _FIELD[metric["type"]]
    if current.get("type") != metric["type"] or field not in current:
        return False
    ours, theirs = metric[field], current[field]
    return all(ours.get(key) == theirs.get(key) for key in ("name", "container", "metric", "describedObject"))


def _is_memory(metric: Manifest) -> bool:
    return metric["type"] in {"Resource", "ContainerResource"} and metric[_FIELD[metric["type"]]]["name"] == "memory"


def _metric_name(metric: Manifest) -> str:
    body = metric[_FIELD[metric["type"]]]
    return str(body.get("name") or body["metric"]["name"])


def _tolerance(spec: Manifest) -> float:
    given = ((spec.get("behavior") or {}).get("scaleUp") or {}).get("tolerance")
    return TOLERANCE if given is None else amount(given)


def _blind(status: Manifest) -> str:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "ScalingActive" and condition.get("status") == "False":
            return (
                ""
                if condition.get("reason") == "ScalingDisabled"
                else str(condition.get("message") or condition["reason"])
            )
    return ""
