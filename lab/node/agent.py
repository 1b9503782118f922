"""The agent: makes the Node, gives pods to it, and runs the pods that are its own.

Two watches for the whole node: all pods, and the Node itself. After a restart, running processes are adopted by process
id and start time, and what ended meanwhile is reported with its exit code; a pod is never restarted because the agent
was. Like a kubelet, the agent leaves its pods running when it ends; `--sweep` ends them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from lab.node.addresses import Addresses
from lab.node.kubeapi import MERGE, STRATEGIC_MERGE, ApiError, Backoff, Changed, Deleted, Listed, Object
from lab.node.node_object import node_object, node_status
from lab.node.pod import PodWorker
from lab.node.records import PodRecord
from lab.node.runner import Machine
from lab.node.scheduling import Room, request_of, room_of, why_not
from lab.node.status import Condition, condition_object

log = logging.getLogger("lab.node.agent")

_OVER = ("Succeeded", "Failed")


@dataclass(slots=True)
class _Waiting:
    """A pod that has no node yet, and what its PodScheduled condition was last said to be."""

    pod: Object
    told: str | None = None


class Agent:
    """Scheduler and kubelet of the lab's only node."""

    def __init__(self, machine: Machine, addresses: Addresses, room: Room) -> None:
        self._machine = machine
        self._api = machine.api
        self._addresses = addresses
        self._room = room
        self._node: Object = node_object(machine.node_name)
        self._records: dict[str, PodRecord] = machine.records.read_all()
        for record in self._records.values():
            addresses.claim(record.address)
        self._claimed: dict[str, str] = {}
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._taken: dict[str, Room] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._schedule = asyncio.Event()
        self._node_said: tuple[Room, str] | None = None

    async def run(self) -> None:
        """For ever; an error that nobody foresaw ends it loudly, and leaves the pods running."""
        try:
            await _until_it_works(self._create_node)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow_node())
                group.create_task(self._follow_pods())
                group.create_task(self._schedule_waiting())
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    # --- the Node

    async def _create_node(self) -> None:
        name = self._machine.node_name
        try:
            self._node = await self._api.request("POST", "/api/v1/nodes", node_object(name))
            log.info("node %s created", name)
        except ApiError as error:
            if error.status != 409:
                raise
            self._node = await self._api.request("GET", f"/api/v1/nodes/{name}")
        self._node_said = None
        await self._report_node()
        # The API server taints every new node as not ready, for a controller to take away that the lab does not run.
        if (self._node.get("spec") or {}).get("taints"):
            await self._api.request("PATCH", f"/api/v1/nodes/{name}", {"spec": {"taints": None}}, content_type=MERGE)

    async def _report_node(self) -> None:
        """Write the Node's status when its room changed."""
        name = self._machine.node_name
        room = room_of(self._node, self._room)
        said = (room, self._node["metadata"]["uid"])
        if said != self._node_said:
            now = time.time()
            status = node_status(name, self._machine.host_ip, room, now, now)
            await self._api.request(
                "PATCH", f"/api/v1/nodes/{name}/status", {"status": status}, content_type=STRATEGIC_MERGE
            )
            self._node_said = said

    async def _follow_node(self) -> None:
        selector = {"fieldSelector": f"metadata.name={self._machine.node_name}"}
        async for event in self._api.follow("/api/v1/nodes", selector):
            match event:
                case Listed(items=[node, *_]) | Changed(item=node):
                    self._node = node
                    await _until_it_works(self._report_node)
                case Deleted() | Listed():
                    await _until_it_works(self._create_node)
            self._schedule.set()

    # --- pods

    async def _follow_pods(self) -> None:
        async for event in self._api.follow("/api/v1/pods"):
            match event:
                case Listed(items):
                    self._listed(items)
                case Changed(item):
                    self._seen(item)
                case Deleted(item):
                    self._gone(item["metadata"]["uid"])

    def _listed(self, items: list[Object]) -> None:
        """Everything there is: what is not in it has gone while nobody watched."""
        there = {item["metadata"]["uid"] for item in items}
        for uid in (set(self._workers) | set(self._waiting) | set(self._taken) | set(self._claimed)) - there:
            self._gone(uid)
        for uid in self._machine.records.uids() - there - set(self._workers):
            log.info("pod %s is gone: what was left of it is ended", uid)
            self._machine.records.forget(uid)
            if record := self._records.pop(uid, None):
                self._addresses.release(record.address)
        for item in items:  # before any address is taken: pods without a record keep the address that the API knows
            uid, address = item["metadata"]["uid"], (item.get("status") or {}).get("podIP")
            mine = item["spec"].get("nodeName") == self._machine.node_name
            known = uid in self._workers or uid in self._records or uid in self._claimed
            if mine and address and not known and self._addresses.claim(address):
                self._claimed[uid] = address
        for item in sorted(items, key=lambda item: str(item["metadata"]["creationTimestamp"])):
            self._seen(item)

    def _seen(self, pod: Object) -> None:
        uid, node = pod["metadata"]["uid"], pod["spec"].get("nodeName")
        over = (pod.get("status") or {}).get("phase") in _OVER
        if not node:
            known = self._waiting.get(uid)
            if known is not None:
                known.pod = pod
            elif uid not in self._taken and not pod["metadata"].get("deletionTimestamp"):
                self._waiting[uid] = _Waiting(pod)
                self._schedule.set()
            return
        self._waiting.pop(uid, None)
        if node != self._machine.node_name:
            return
        if over:
            if self._taken.pop(uid, None):
                self._schedule.set()
        else:
            self._taken[uid] = request_of(pod)
        if worker := self._workers.get(uid):
            worker.observe(pod)
        elif not over or pod["metadata"].get("deletionTimestamp") or uid in self._records:
            self._take_on(pod)

    def _gone(self, uid: str) -> None:
        self._waiting.pop(uid, None)
        if address := self._claimed.pop(uid, None):
            self._addresses.release(address)
        if self._taken.pop(uid, None):
            self._schedule.set()
        if worker := self._workers.get(uid):
            worker.vanish()

    def _take_on(self, pod: Object) -> None:
        metadata = pod["metadata"]
        uid = metadata["uid"]
        record = self._records.pop(uid, None)
        if record is None:
            address = self._claimed.pop(uid, None) or self._addresses.take()
            record = PodRecord(uid, metadata["namespace"], metadata["name"], address, time.time())
        worker = PodWorker(self._machine, pod, record)
        self._workers[uid] = worker
        self._tasks[uid] = asyncio.create_task(self._run(uid, worker), name=f"pod {metadata['name']}")

    async def _run(self, uid: str, worker: PodWorker) -> None:
        try:
            await worker.run()
        except Exception:
            log.exception("pod %s: the agent gives up on it", uid)
        self._workers.pop(uid, None)
        self._tasks.pop(uid, None)
        self._addresses.release(worker.address)

    # --- scheduling

    async def _schedule_waiting(self) -> None:
        backoff = Backoff()
        while True:
            await self._schedule.wait()
            self._schedule.clear()
            for uid, waiting in list(self._waiting.items()):
                try:
                    await self._place(uid, waiting)
                except ApiError as error:
                    if error.status in (404, 409):  # gone, or bound by somebody else: the watch will say
                        self._waiting.pop(uid, None)
                        continue
                    log.warning("scheduling %s: %s; trying again", waiting.pod["metadata"]["name"], error)
                    await backoff.wait()
                    self._schedule.set()
                else:
                    backoff.reset()

    async def _place(self, uid: str, waiting: _Waiting) -> None:
        pod = waiting.pod
        if uid not in self._waiting or pod["metadata"].get("deletionTimestamp") or pod["spec"].get("schedulingGates"):
            return
        name = self._machine.node_name
        path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
        reason = why_not(pod, self._node, room_of(self._node, self._room), self._taken.values())
        if reason is None:
            body: dict[str, Any] = {
                "apiVersion": "v1",
                "kind": "Binding",
                "metadata": {"name": pod["metadata"]["name"], "uid": uid},
                "target": {"apiVersion": "v1", "kind": "Node", "name": name},
            }
            self._taken[uid] = request_of(pod)  # before the answer: the next pod must not get the same room
            try:
                await self._api.request("POST", f"{path}/binding", body)
            except ApiError:
                self._taken.pop(uid, None)
                raise
            self._waiting.pop(uid, None)
        elif reason != waiting.told:
            condition = condition_object(Condition("PodScheduled", False, time.time(), "Unschedulable", reason))
            body = {"metadata": {"uid": uid}, "status": {"conditions": [condition]}}
            await self._api.request("PATCH", f"{path}/status", body, content_type=STRATEGIC_MERGE)
            waiting.told = reason


async def _until_it_works(report: Callable[[], Awaitable[None]]) -> None:
    backoff = Backoff()
    while True:
        try:
            return await report()
        except ApiError as error:
            if error.status == 404:
                return None  # the Node is gone: its deletion comes through the watch
            log.warning("reporting the node: %s; trying again", error)
            await backoff.wait()
