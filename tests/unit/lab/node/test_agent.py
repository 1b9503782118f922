"""The agent against an API server in miniature: binding, room, and watches that break."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx
import pytest
from typing_extensions import override

from lab.node.addresses import Addresses
from lab.node.agent import Agent
from lab.node.kubeapi import ApiError, Changed, Deleted, KubeApi, Listed
from lab.node.scheduling import MAX_PODS_ANNOTATION, Room, quantity
from tests.unit.lab.node.conftest import until

ROOM = Room(quantity(64), quantity("1Gi"), 110)


class Stream(httpx.AsyncByteStream):
    """A watch's answer: lines as they come, until None."""

    def __init__(self, queue):
        self.queue = queue

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (event := await self.queue.get()) is not None:
            yield (json.dumps(event) + "\n").encode()


class SmallServer:
    """Nodes and pods with versions, watches, bindings: just what an agent needs, behind httpx's transport seam."""

    def __init__(self):
        self.version = 10
        self.objects: dict[str, dict[str, Any]] = {"nodes": {}, "pods": {}}
        self.watches: dict[str, list[asyncio.Queue[Any]]] = {"nodes": [], "pods": []}
        self.requests = []

    def put(self, kind, item, event="MODIFIED"):
        self.version += 1
        item["metadata"]["resourceVersion"] = str(self.version)
        self.objects[kind][item["metadata"]["name"]] = item
        for queue in self.watches[kind]:
            queue.put_nowait({"type": event, "object": json.loads(json.dumps(item))})

    def add_pod(self, name):
        metadata = {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "creationTimestamp": "2026-01-01T00:00:00Z",
        }
        container = {"name": "app", "image": "lab/app:v1", "command": ["sleep", "60"]}
        self.put("pods", {"metadata": metadata, "spec": {"containers": [container]}}, "ADDED")

    def break_watches(self):
        for kind, queues in self.watches.items():
            for queue in queues:
                queue.put_nowait(None)
            self.watches[kind] = []

    async def __call__(self, request):
        path, body = request.url.path, json.loads(request.content or b"{}")
        self.requests.append((request.method, path))
        kind = "nodes" if "/nodes" in path else "pods"
        if request.method == "GET" and request.url.params.get("watch"):
            queue: asyncio.Queue[Any] = asyncio.Queue()
            self.watches[kind].append(queue)
            return httpx.Response(200, stream=Stream(queue))
        if request.method == "GET":
            items = list(self.objects[kind].values())
            return httpx.Response(200, json={"items": items, "metadata": {"resourceVersion": str(self.version)}})
        if request.method == "POST" and path == "/api/v1/nodes":
            body["metadata"]["uid"] = "node"
            self.put("nodes", body, "ADDED")
            return httpx.Response(201, json=body)
        name = path.split("/")[6 if kind == "pods" else 4]
        item = self.objects[kind][name]
        if path.endswith("/binding"):
            item["spec"]["nodeName"] = body["target"]["name"]
        elif request.method == "PATCH":
            item.setdefault("status", {}).update(body["status"])
        elif request.method == "DELETE":
            del self.objects[kind][name]
        self.put(kind, item) if request.method != "DELETE" else None
        return httpx.Response(200, json=item)

    def pod(self, name):
        return self.objects["pods"][name]

    def ready(self, name):
        conditions = self.pod(name).get("status", {}).get("conditions", [])
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


@pytest.fixture
async def server(machine):
    small = SmallServer()
    client = httpx.AsyncClient(transport=httpx.MockTransport(small), base_url="http://api")
    agent = Agent(replace(machine, api=KubeApi(client)), Addresses("127.0.92.0/24", "127.0.92.1"), ROOM)
    task = asyncio.create_task(agent.run())
    yield small
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await client.aclose()


async def test_the_node_is_there_before_any_pod_is_looked_at(server):
    await until(lambda: server.watches["pods"], "watching pods")
    methods = [request for request in server.requests if request[1] in ("/api/v1/nodes", "/api/v1/pods")]
    assert methods[0] == ("POST", "/api/v1/nodes")
    ready = server.objects["nodes"]["n1"]["status"]["conditions"][-1]
    assert (ready["type"], ready["status"]) == ("Ready", "True")


async def test_a_pod_is_bound_started_and_reported_with_an_address_of_its_own(server):
    await until(lambda: server.watches["pods"], "watching pods")
    server.add_pod("a")
    server.add_pod("b")
    await until(lambda: server.ready("a") and server.ready("b"), "both ready")
    assert {server.pod(name)["status"]["podIP"] for name in "ab"} == {"127.0.92.1", "127.0.92.2"}


async def test_a_pod_without_room_is_pending_and_told_so_until_there_is_room(server):
    await until(lambda: server.watches["nodes"], "watching the node")
    node = server.objects["nodes"]["n1"]
    node["metadata"]["annotations"] = {MAX_PODS_ANNOTATION: "1"}
    server.put("nodes", node)
    await until(lambda: server.objects["nodes"]["n1"]["status"]["allocatable"]["pods"] == "1", "capped")
    server.add_pod("a")
    server.add_pod("b")
    await until(lambda: server.ready("a") and server.pod("b").get("status"), "one ready, one told")
    condition = server.pod("b")["status"]["conditions"][0]
    assert (condition["type"], condition["status"], condition["reason"]) == ("PodScheduled", "False", "Unschedulable")
    assert "nodeName" not in server.pod("b")["spec"]
    node["metadata"]["annotations"] = {}
    server.put("nodes", node)
    await until(lambda: server.ready("b"), "placed")


async def test_a_broken_watch_is_resumed_without_listing_again(server):
    await until(lambda: server.watches["pods"], "watching pods")
    server.break_watches()
    await until(lambda: server.watches["pods"], "watching again")
    server.add_pod("a")
    await until(lambda: server.ready("a"), "ready")
    paths = [request for request in server.requests if request == ("GET", "/api/v1/pods")]
    assert len(paths) == 3, "one list, two watches"


async def scripted(*answers):
    """Follow a server that gives these answers, one a request; the events it led to until the script ends."""
    queue = list(answers)

    def answer(request):
        if not queue:
            raise asyncio.CancelledError
        return queue.pop(0)

    api = KubeApi(httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://api"))
    events: list[Listed | Changed | Deleted] = []
    with suppress(asyncio.CancelledError):
        async for happened in api.follow("/api/v1/pods"):
            events.append(happened)  # noqa: PERF401 - the script's end must not lose what came before it
    await api.aclose()
    return events


def listing(version, *names):
    items = [{"metadata": {"name": name, "resourceVersion": version}} for name in names]
    return httpx.Response(200, json={"metadata": {"resourceVersion": version}, "items": items})


def event(kind, version):
    return json.dumps({"type": kind, "object": {"metadata": {"name": "a", "resourceVersion": version}}}) + "\n"


async def test_an_expired_version_leads_to_a_new_list():
    gone = json.dumps({"type": "ERROR", "object": {"code": 410, "message": "too old"}}) + "\n"
    events = await scripted(listing("5", "a"), httpx.Response(200, text=gone), listing("9"))
    assert [len(e.items) for e in events if isinstance(e, Listed)] == [1, 0]


async def test_errors_and_torn_lines_are_met_by_trying_again():
    torn = event("MODIFIED", "6") + '{"type": "MODI'
    events = await scripted(
        httpx.Response(503, text="starting"),
        listing("5"),
        httpx.Response(200, text=torn),
        httpx.Response(200, text=event("BOOKMARK", "7") + event("DELETED", "8")),
    )
    assert [type(e) for e in events] == [Listed, Changed, Deleted]


async def test_an_answer_that_is_no_success_is_an_error_that_says_whether_to_retry():
    api = KubeApi(
        httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(422, json={"message": "no"})))
    )
    with pytest.raises(ApiError, match="422 no") as caught:
        await api.request("PATCH", "http://api/x", {})
    assert not caught.value.retryable
    await api.aclose()
