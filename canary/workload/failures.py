"""Why a canary pod can never become ready, told from its status: no metrics are needed to roll such a version back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from canary.api.patch import Manifest

PATIENCE_SECONDS = 60.0
"""How long a reason that may heal by itself is borne: an image that is still being pushed, a ConfigMap applied a moment
later."""
RESTARTS = 3
"""Restarts of one container that are called repeated; kubelet's back-off makes them last about half a minute."""
RECENT_SECONDS = 600.0
"""A restart longer ago is not held against the version."""

_AT_ONCE = frozenset({"CrashLoopBackOff", "InvalidImageName", "ErrImageNeverPull"})
_AFTER_PATIENCE = frozenset(
    {"ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
)


def seconds(timestamp: str | None) -> float | None:
    """Return an RFC 3339 time of the API as seconds since the epoch; None stays None."""
    return None if not timestamp else datetime.fromisoformat(timestamp).timestamp()


def failure_of_pods(pods: Iterable[Manifest], now: float) -> str:
    """Return the first failure found, as `reason: pod, container: detail`; empty when no pod shows one.

    Crash loops, OOM kills and repeated restarts count at once, what may heal by itself after `PATIENCE_SECONDS` of the
    pod's life.
    """
    for pod in pods:
        status = pod.get("status") or {}
        name = pod["metadata"]["name"]
        age = now - (seconds(pod["metadata"].get("creationTimestamp")) or now)
        for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
            found = _failure_of_container(container, age, now)
            if found:
                reason, detail = found
                return f"{reason}: pod {name}, container {container['name']}: {detail}"
    return ""


def no_room(deployment: Manifest, pods: Iterable[Manifest]) -> str:
    """Return why pods cannot be made (a quota, an admission refusal) or placed; empty when they can.

    That is nobody's fault but the cluster's: it is waited for, and told.
    """
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return str(condition.get("message") or condition.get("reason"))
    for pod in pods:
        for condition in (pod.get("status") or {}).get("conditions") or ():
            if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
                return f"pod {pod['metadata']['name']} has no node: {condition.get('message') or 'Unschedulable'}"
    return ""


def _failure_of_container(container: Manifest, age_seconds: float, now: float) -> tuple[str, str] | None:
    state = container.get("state") or {}
    ended = state.get("terminated") or (container.get("lastState") or {}).get("terminated") or {}
    restarts = int(container.get("restartCount") or 0)
    if ended.get("reason") == "OOMKilled" and _recent(ended, now):
        return "OOMKilled", f"exit code {ended.get('exitCode')}, restarted {restarts} times"
    waiting = state.get("waiting") or {}
    reason = str(waiting.get("reason") or "")
    if reason in _AT_ONCE or (reason in _AFTER_PATIENCE and age_seconds >= PATIENCE_SECONDS):
        last = f"exit code {ended['exitCode']}, " if "exitCode" in ended else ""
        return reason, f"{last}{waiting.get('message') or 'no message'}"
    if restarts >= RESTARTS and _recent(ended, now):
        return "RepeatedRestarts", f"restarted {restarts} times, last exit code {ended.get('exitCode')}"
    return None


def _recent(ended: Manifest, now: float) -> bool:
    at = seconds(ended.get("finishedAt"))
    return at is None or now - at <= RECENT_SECONDS
