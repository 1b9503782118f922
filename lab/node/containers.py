"""What a container is doing, how long it waits before the next start, and how the API says both. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not running, and not because it ended for good."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    """Running since then (Unix seconds)."""

    started_at: float


@dataclass(frozen=True, slots=True)
class Terminated:
    """Ended; times in Unix seconds."""

    exit_code: int
    reason: str
    started_at: float
    finished_at: float
    message: str = ""
    container_id: str = ""


@dataclass(frozen=True, slots=True)
class ContainerState:
    """One container of a pod, as far as its status goes."""

    name: str
    image: str
    image_id: str = ""
    container_id: str = ""
    current: Waiting | Running | Terminated = Waiting("ContainerCreating")
    last: Terminated | None = None
    restarts: int = 0
    started: bool = False
    """Its startup probe has passed, or it has none and runs."""
    ready: bool = False

    @property
    def newest_run(self) -> Terminated | None:
        """The run that ended last; None while it runs or when it never ran."""
        if isinstance(self.current, Terminated):
            return self.current
        return self.last if isinstance(self.current, Waiting) else None

    def begun(self, now: float, container_id: str, image_id: str) -> ContainerState:
        """A process of it was started; a run before this one becomes `last`, and counts as a restart."""
        again = self.newest_run
        return replace(
            self,
            current=Running(now),
            last=again,
            restarts=self.restarts + (again is not None),
            container_id=container_id,
            image_id=image_id,
            started=False,
            ready=False,
        )

    def ended(self, run: Terminated) -> ContainerState:
        """Its process ended."""
        return replace(self, current=run, started=False, ready=False)

    def waits(self, reason: str, message: str) -> ContainerState:
        """It cannot start now; what it ran before stays visible as `last`."""
        last = self.current if isinstance(self.current, Terminated) else self.last
        return replace(self, current=Waiting(reason, message), last=last, started=False, ready=False)


def ending_of(code: int, oom_on_137: bool) -> str:
    """The kubelet's reason for an exit code; OOMKilled is imitated, nothing here limits memory."""
    if code == 0:
        return "Completed"
    return "OOMKilled" if code == 137 and oom_on_137 else "Error"


def restarts_after(policy: str, code: int) -> bool:
    """Whether a pod's restartPolicy starts the container again."""
    return policy == "Always" or (policy == "OnFailure" and code != 0)


@dataclass(frozen=True, slots=True)
class BackOff:
    """Delay before a restart: none for the first, then doubling; forgotten after a long good run, as in the kubelet."""

    initial_seconds: float = 10.0
    max_seconds: float = 300.0
    next_seconds: float = 0.0

    def after_restarts(self, restarts: int) -> BackOff:
        """The state to go on with when only the number of restarts is known."""
        longer = self.initial_seconds * 2.0 ** min(restarts - 1, 30) if restarts else 0.0
        return replace(self, next_seconds=min(self.max_seconds, longer))

    def after_run(self, ran_seconds: float) -> tuple[float, BackOff]:
        """The delay to wait now, and the state for the next time."""
        delay = 0.0 if ran_seconds > 2 * self.max_seconds else self.next_seconds
        longer = min(self.max_seconds, max(self.initial_seconds, 2 * delay))
        return delay, replace(self, next_seconds=longer)


def timestamp(unix_seconds: float) -> str:
    """RFC 3339 with whole seconds, the API's Time."""
    return dt.datetime.fromtimestamp(int(unix_seconds), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def container_status(state: ContainerState) -> dict[str, Any]:
    """The API's ContainerStatus."""
    status: dict[str, Any] = {
        "name": state.name,
        "image": state.image,
        "imageID": state.image_id,
        "ready": state.ready,
        "started": state.started,
        "restartCount": state.restarts,
        "state": _state(state.current),
        "lastState": _state(state.last) if state.last else {},
    }
    if state.container_id:
        status["containerID"] = state.container_id
    return status


def _state(current: Waiting | Running | Terminated) -> dict[str, Any]:
    match current:
        case Waiting(reason, message):
            return {"waiting": {"reason": reason} | ({"message": message} if message else {})}
        case Running(started_at):
            return {"running": {"startedAt": timestamp(started_at)}}
        case Terminated():
            run: dict[str, Any] = {
                "exitCode": current.exit_code,
                "reason": current.reason,
                "startedAt": timestamp(current.started_at),
                "finishedAt": timestamp(current.finished_at),
            }
            if current.message:
                run["message"] = current.message
            if current.container_id:
                run["containerID"] = current.container_id
            return {"terminated": run}
