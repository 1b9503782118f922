"""What the agent must still know after `kill -9`: which pods it runs, at which address, and each container's state.

One JSON file per pod, replaced as a whole, beside the directories of the processes:

    STATE/pods/UID/pod.json
    STATE/pods/UID/CONTAINER/ATTEMPT/{process,exit}
    STATE/logs/NAMESPACE_POD_CONTAINER.log
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lab.node.containers import ContainerState, Running, Terminated, Waiting
from lab.node.processes import kill_outright

_STATES = {"Waiting": Waiting, "Running": Running, "Terminated": Terminated}


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """A container's state and the number of its newest attempt; 0 before the first."""

    state: ContainerState
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class PodRecord:
    """A pod that the agent has taken on."""

    uid: str
    namespace: str
    name: str
    address: str
    started_at: float
    containers: dict[str, ContainerRecord] = field(default_factory=dict)


class Records:
    """The state directory."""

    def __init__(self, directory: Path) -> None:
        self._pods = directory / "pods"
        self._logs = directory / "logs"

    def attempt_dir(self, uid: str, container: str, attempt: int) -> Path:
        """Where one run of a container keeps its files."""
        return self._pods / uid / container / str(attempt)

    def log(self, namespace: str, pod: str, container: str) -> Path:
        """A container's output over all its attempts; kept when the pod is gone."""
        return self._logs / f"{namespace}_{pod}_{container}.log"

    def write(self, record: PodRecord) -> None:
        """Replace a pod's record."""
        directory = self._pods / record.uid
        directory.mkdir(parents=True, exist_ok=True)
        text = json.dumps(encode(record))
        fresh = directory / "pod.json.new"
        fresh.write_text(text)
        fresh.replace(directory / "pod.json")

    def read_all(self) -> dict[str, PodRecord]:
        """Every pod that was taken on and not yet let go, by uid. A torn record counts as none; sweep finds it."""
        found = {}
        for path in self._pods.glob("*/pod.json"):
            try:
                record = decode(json.loads(path.read_text()))
            except (ValueError, KeyError, TypeError):
                continue
            found[record.uid] = record
        return found

    def forget(self, uid: str) -> None:
        """Kill what may still run of a pod, and drop its files (not its logs)."""
        for directory in self._attempts(uid):
            kill_outright(directory)
        shutil.rmtree(self._pods / uid, ignore_errors=True)

    def sweep(self) -> int:
        """End every process that any agent ever started here; how many there were."""
        killed = 0
        for uid in self.uids():
            killed += sum(kill_outright(directory) for directory in self._attempts(uid))
            shutil.rmtree(self._pods / uid, ignore_errors=True)
        return killed

    def uids(self) -> set[str]:
        """Pods that have files here, those with a torn record included."""
        return {path.name for path in self._pods.iterdir()} if self._pods.is_dir() else set()

    def _attempts(self, uid: str) -> Iterator[Path]:
        return (path.parent for path in (self._pods / uid).glob("*/*/process"))


def encode(record: PodRecord) -> dict[str, Any]:
    """As JSON, with the names of the states' classes."""
    data = asdict(record)
    for name, container in record.containers.items():
        for key in ("current", "last"):
            state = getattr(container.state, key)
            if state is not None:
                data["containers"][name]["state"][key]["is"] = type(state).__name__
    return data


def decode(data: dict[str, Any]) -> PodRecord:
    """The reverse of encode."""
    containers = {}
    for name, container in data["containers"].items():
        state = dict(container["state"])
        for key in ("current", "last"):
            if state[key] is not None:
                fields = dict(state[key])
                state[key] = _STATES[fields.pop("is")](**fields)
        containers[name] = ContainerRecord(ContainerState(**state), container["attempt"])
    return PodRecord(**{**data, "containers": containers})
