"""A pod's status, made of its spec and of what its containers do. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.node.containers import (
    ContainerState,
    Running,
    Terminated,
    Waiting,
    container_status,
    restarts_after,
    timestamp,
)


@dataclass(frozen=True, slots=True)
class Condition:
    """A pod condition; `since` is when `status` last changed (Unix seconds)."""

    type: str
    status: bool
    since: float
    reason: str = ""
    message: str = ""


def phase_of(policy: str, containers: Sequence[ContainerState], *, deleted: bool) -> str:
    """The pod's phase. A deleted pod's containers are not started again, whatever the policy says."""
    if any(isinstance(c.current, Waiting) and c.last is None and c.restarts == 0 for c in containers):
        return "Pending"
    codes = [c.current.exit_code for c in containers if isinstance(c.current, Terminated)]
    over = len(codes) == len(containers) and (deleted or not any(restarts_after(policy, code) for code in codes))
    if not over:
        return "Running"
    return "Failed" if any(codes) else "Succeeded"


def conditions_of(
    spec: Mapping[str, Any],
    phase: str,
    containers: Sequence[ContainerState],
    reported: Mapping[str, bool],
    before: Mapping[str, Condition],
    now: float,
) -> tuple[Condition, ...]:
    """The conditions that a kubelet writes.

    `reported` are the conditions that others wrote, which readiness gates look at. `before` keeps `since` where the
    status stays the same.
    """
    unready = [c.name for c in containers if not (c.ready and isinstance(c.current, Running))]
    gates = [gate["conditionType"] for gate in spec.get("readinessGates") or []]
    shut = [gate for gate in gates if not reported.get(gate, False)]
    if phase in ("Succeeded", "Failed"):
        containers_ready = (False, "PodCompleted" if phase == "Succeeded" else "PodFailed", "")
    elif unready:
        containers_ready = (False, "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
    else:
        containers_ready = (True, "", "")
    ready = containers_ready
    if ready[0] and shut:
        ready = (False, "ReadinessGatesNotReady", f"the status of pod readiness gates is not True: {', '.join(shut)}")
    made = []
    for kind, (status, reason, message) in (
        ("Initialized", (True, "", "")),
        ("ContainersReady", containers_ready),
        ("Ready", ready),
    ):
        old = before.get(kind)
        since = old.since if old and old.status == status else now
        made.append(Condition(kind, status, since, reason, message))
    return tuple(made)


def pod_status(
    pod: Mapping[str, Any],
    phase: str,
    conditions: Sequence[Condition],
    containers: Sequence[ContainerState],
    addresses: Mapping[str, str],
    started_at: float,
) -> dict[str, Any]:
    """The part of the API's PodStatus that a kubelet owns, for a strategic merge patch."""
    status: dict[str, Any] = {
        "phase": phase,
        "hostIP": addresses["hostIP"],
        "hostIPs": [{"ip": addresses["hostIP"]}],
        "podIP": addresses["podIP"],
        "podIPs": [{"ip": addresses["podIP"]}],
        "startTime": timestamp(started_at),
        "conditions": [condition_object(condition) for condition in conditions],
        "containerStatuses": [container_status(state) for state in containers],
    }
    if generation := pod["metadata"].get("generation"):
        status["observedGeneration"] = generation
    return status


def condition_object(condition: Condition) -> dict[str, Any]:
    """The API's PodCondition. Reason and message are always there: a merge would keep old ones otherwise."""
    return {
        "type": condition.type,
        "status": "True" if condition.status else "False",
        "lastTransitionTime": timestamp(condition.since),
        "reason": condition.reason or None,
        "message": condition.message or None,
    }
