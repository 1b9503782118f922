"""Pods and their metrics, drawn at random: what a HorizontalPodAutoscaler may meet. The lab shows it the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

Object = dict[str, Any]
OLD_SECONDS = 3600.0
WINDOW_SECONDS = 15.0


@dataclass(slots=True)
class Case:
    """One autoscaler, what it scales, and the pods that it sees."""

    name: str
    current: int
    target: Object
    behavior: Object
    pods: list[Object] = field(default_factory=list)
    """As the API server has them; those that are being deleted have a deletionTimestamp."""
    metrics: list[Object] = field(default_factory=list)

    @property
    def labels(self) -> dict[str, str]:
        return {"case": self.name}


def case(random: Random, name: str, now: float) -> Case:
    """Draw one. Times are far from every limit, so that some seconds more or less change nothing."""
    utilization = random.random() < 0.6
    target: Object = (
        {"type": "Utilization", "averageUtilization": random.choice([20, 50, 80, 100, 150])}
        if utilization
        else {"type": "AverageValue", "averageValue": f"{random.choice([100, 333, 1000])}m"}
    )
    behavior: Object = {}
    if random.random() < 0.3:
        behavior = {"scaleUp": {"tolerance": random.choice(["0", "50m", "300m"])}}
    drawn = Case(name, random.randint(1, 12), target, behavior)
    level = random.choice([100, 400, 550, 900])
    for number in range(random.randint(1, 8)):
        _pod(random, drawn, f"{name}-{number}", now, level)
    return drawn


def _pod(random: Random, drawn: Case, name: str, now: float, level: int) -> None:
    request = random.choice([100, 250, 500, 1000])
    meta: Object = {"name": name, "namespace": "drawn", "labels": drawn.labels}
    kind = random.choice(["steady"] * 6 + ["unmeasured", "pending", "failed", "deleting", "unready", "young", "fresh"])
    age = 100.0 if kind in ("young", "fresh") else OLD_SECONDS
    status: Object = {"phase": {"pending": "Pending", "failed": "Failed"}.get(kind, "Running")}
    if kind != "pending":
        status["startTime"] = stamp(now - age)
        ready = kind not in ("unready", "young", "failed")
        # A pod that became unready long after its start counts; one that never was ready does not.
        changed = now - age + (random.choice([5.0, 1000.0]) if kind == "unready" else 5.0)
        if kind == "fresh":
            changed = now - 3.0
        status["conditions"] = [
            {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": stamp(changed)}
        ]
    if kind == "deleting":
        meta["deletionTimestamp"] = stamp(now + 300)
    resources = {} if random.random() < 0.01 else {"requests": {"cpu": f"{request}m"}}
    container = {"name": "app", "image": "shop/checkout:v1", "resources": resources}
    drawn.pods.append({"metadata": meta, "spec": {"containers": [container]}, "status": status})
    if kind not in ("unmeasured", "pending"):
        usage = {"cpu": f"{round(level * random.uniform(0.6, 1.4) * 1e6)}n", "memory": "64Mi"}
        drawn.metrics.append(
            {
                "metadata": {"name": name, "namespace": "drawn", "labels": drawn.labels},
                "timestamp": stamp(now),
                "window": f"{WINDOW_SECONDS:g}s",
                "containers": [{"name": "app", "usage": usage}],
            }
        )


def stamp(seconds: float) -> str:
    """As the API writes times."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
