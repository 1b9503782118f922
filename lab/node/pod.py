"""One pod of this node: its containers side by side, its status in the API, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lab.node.containers import ContainerState, Terminated
from lab.node.kubeapi import STRATEGIC_MERGE, ApiError, Backoff, Object
from lab.node.processes import UNKNOWN_EXIT_CODE
from lab.node.records import ContainerRecord, PodRecord
from lab.node.runner import Machine, Runner
from lab.node.status import Condition, conditions_of, phase_of, pod_status

log = logging.getLogger("lab.node.pod")

LEAST_GRACE_SECONDS = 2.0
"""Of the kubelet: also for a pod that was deleted by force, or whose grace ended while no agent was there."""

GATHER_SECONDS = 0.01
"""Changes that come together (started, no probe, ready) are written together."""


class PodWorker:
    """Takes one pod from its first process to the removal of its object."""

    def __init__(self, machine: Machine, pod: Object, record: PodRecord) -> None:
        self._machine = machine
        self._pod = pod
        self._record = record
        self._dirty = asyncio.Event()
        self._deleted = False
        self._vanished = asyncio.Event()
        self._conditions = conditions_in(pod)
        self._written: Object | None = None
        self._addresses = {"podIP": record.address, "hostIP": machine.host_ip}
        self._runners = [
            Runner(machine, lambda: self._pod, container, self._known(container), self._addresses, self._changed)
            for container in pod["spec"]["containers"]
        ]
        self._changed()
        self.observe(pod)

    @property
    def address(self) -> str:
        """The pod's address, its own until `run` returns."""
        return self._record.address

    def observe(self, pod: Object) -> None:
        """Take in the newest object; a deletion starts the containers' grace."""
        self._pod = pod
        self._dirty.set()
        if pod["metadata"].get("deletionTimestamp"):
            self._end(grace_left(pod["metadata"], time.time()))

    def vanish(self) -> None:
        """Its object is gone from the API: nothing is left to report to."""
        self._vanished.set()
        self._end(LEAST_GRACE_SECONDS)

    def _end(self, grace_seconds: float) -> None:
        self._deleted = True
        for runner in self._runners:
            runner.stop(time.monotonic() + grace_seconds)

    async def run(self) -> None:
        """Until the containers have ended for good and, if the pod was deleted, its object is gone."""
        writing = asyncio.create_task(self._write_changes())
        try:
            await asyncio.gather(*(runner.run() for runner in self._runners))
            while not self._deleted:  # completed or failed for good; its object stays until somebody deletes it
                self._dirty.clear()
                await self._write()
                await self._dirty.wait()
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        await self._finalise()
        self._machine.records.forget(self._record.uid)

    async def _finalise(self) -> None:
        """Report the last states, then remove the object, as the kubelet does."""
        await self._write()
        uid = self._record.uid
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}, "kind": "DeleteOptions", "apiVersion": "v1"}
        backoff = Backoff()
        while not self._vanished.is_set():
            try:
                await self._machine.api.request("DELETE", self._path(), body)
            except ApiError as error:
                if not error.retryable and error.status not in (401, 403):
                    return  # 404, 409: gone, or another pod has the name
                log.warning("%s/%s: %s; trying again", self._record.namespace, self._record.name, error)
                await backoff.wait()
            else:
                return

    async def _write_changes(self) -> None:
        while True:
            await self._dirty.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._dirty.clear()
            await self._write()

    async def _write(self) -> None:
        """Bring the status in the API up to date; does nothing when it is, and gives up when the object is gone."""
        backoff = Backoff()
        while not self._vanished.is_set():
            status = self._status()
            if status == self._written:
                return
            body = {"metadata": {"uid": self._record.uid}, "status": status}
            try:
                await self._machine.api.request("PATCH", f"{self._path()}/status", body, content_type=STRATEGIC_MERGE)
            except ApiError as error:
                if error.status in (404, 409):
                    return
                log.warning("%s/%s: %s", self._record.namespace, self._record.name, error)
                if not error.retryable and error.status not in (401, 403):
                    return  # refused: the same again would be, too; the next change may not
                await backoff.wait()
            else:
                self._written = status
                return

    def _status(self) -> Object:
        states = self._states()
        spec = self._pod["spec"]
        phase = phase_of(spec.get("restartPolicy") or "Always", states, deleted=self._deleted)
        reported = {c["type"]: c["status"] == "True" for c in (self._pod.get("status") or {}).get("conditions") or []}
        made = conditions_of(spec, phase, states, reported, self._conditions, time.time())
        self._conditions = {condition.type: condition for condition in made}
        return pod_status(self._pod, phase, made, states, self._addresses, self._record.started_at)

    def _states(self) -> list[ContainerState]:
        return [runner.record.state for runner in self._runners]

    def _known(self, container: Mapping[str, Any]) -> ContainerRecord:
        name = container["name"]
        return self._record.containers.get(name) or ContainerRecord(state_in(self._pod, container, time.time()))

    def _changed(self) -> None:
        containers = {runner.record.state.name: runner.record for runner in self._runners}
        self._record = replace(self._record, containers=containers)
        self._machine.records.write(self._record)
        self._dirty.set()

    def _path(self) -> str:
        return f"/api/v1/namespaces/{self._record.namespace}/pods/{self._record.name}"


def state_in(pod: Object, container: Mapping[str, Any], now: float) -> ContainerState:
    """A container's state when the agent has no record of it.

    If the API says that it has run before, its process is lost with the record: that is one more end, which nobody saw.
    """
    fresh = ContainerState(container["name"], container["image"])
    for status in (pod.get("status") or {}).get("containerStatuses") or []:
        if status["name"] == fresh.name and status.get("containerID"):
            lost = Terminated(
                UNKNOWN_EXIT_CODE, "ContainerStatusUnknown", now, now, "its process was lost", status["containerID"]
            )
            return replace(fresh, current=lost, restarts=status["restartCount"])
    return fresh


def grace_left(metadata: Mapping[str, Any], now: float) -> float:
    """Seconds until a deleted pod's containers are killed.

    The timestamp is the moment at which the grace ends, so an agent that was away does not start it anew. The API cuts
    the timestamp to whole seconds; the second that it may lack is added, and the grace that was asked for bounds it.
    """
    ends = dt.datetime.fromisoformat(metadata["deletionTimestamp"]).timestamp() + 1.0
    asked = float(metadata.get("deletionGracePeriodSeconds") or 0)
    return max(LEAST_GRACE_SECONDS, min(asked, ends - now))


def conditions_in(pod: Object) -> dict[str, Condition]:
    """The conditions that the object has, so that a new agent goes on with their times."""
    found = {}
    for entry in (pod.get("status") or {}).get("conditions") or []:
        since = 0.0
        with contextlib.suppress(KeyError, TypeError, ValueError):
            since = dt.datetime.fromisoformat(entry["lastTransitionTime"]).timestamp()
        found[entry["type"]] = Condition(
            entry["type"], entry["status"] == "True", since, entry.get("reason") or "", entry.get("message") or ""
        )
    return found
