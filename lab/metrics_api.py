"""The resource metrics API (metrics.k8s.io/v1beta1), which autoscalers read: what metrics-server is in a cluster.

    python -m lab.metrics_api --kubeconfig FILE --certificate FILE --key FILE --listen ADDRESS:PORT

A pod that has the annotation `metrics.lab/cpu-per-request` uses so much CPU for each request that it really answers
in a second. Where a test has said what the pods of a namespace use (PUT /lab/NAMESPACE, a list of PodMetrics), that is
what is told of them, and of no others.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import ssl
import threading
import time
from collections import deque
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
from typing_extensions import override

from lab.node.kubeapi import Changed, Deleted, KubeApi, Listed
from lab.node.scheduling import quantity

PER_REQUEST: Final = "metrics.lab/cpu-per-request"
"""Annotation of a pod: CPU (a quantity) that one request takes."""
WINDOW_SECONDS: Final = 2
_GROUP: Final = "/apis/metrics.k8s.io/v1beta1"
_REQUESTS: Final = re.compile(r"^http_requests_total\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE)

Object = dict[str, Any]


class Usage:
    """What every pod uses, as it is told; shared by the threads that answer and the one that measures."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._measured: dict[str, Object] = {}
        self._said: dict[str, list[Object]] = {}

    def measured(self, uid: str, metrics: Object) -> None:
        """A pod's newest sample."""
        with self._lock:
            self._measured[uid] = metrics

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        with self._lock:
            self._measured.pop(uid, None)

    def say(self, namespace: str, items: list[Object] | None) -> None:
        """What a test says of a namespace; None: what is measured."""
        with self._lock:
            if items is None:
                self._said.pop(namespace, None)
            else:
                self._said[namespace] = items

    def list(self, namespace: str, selector: dict[str, str]) -> list[Object]:
        """PodMetrics of a namespace (empty: of all) whose labels match."""
        with self._lock:
            measured = [m for m in self._measured.values() if m["metadata"]["namespace"] not in self._said]
            items = [*measured, *(item for said in self._said.values() for item in said)]
        return [
            item
            for item in items
            if namespace in ("", item["metadata"]["namespace"])
            and selector.items() <= (item["metadata"].get("labels") or {}).items()
        ]


class Meter:
    """Asks every annotated pod each second how many requests it has answered."""

    def __init__(self, api: KubeApi, usage: Usage) -> None:
        self._api = api
        self._usage = usage
        self._pods: dict[str, Object] = {}
        self._counts: dict[str, deque[tuple[float, float]]] = {}

    async def run(self) -> None:
        async with httpx.AsyncClient(timeout=1.0, trust_env=False) as client, asyncio.TaskGroup() as group:
            group.create_task(self._follow())
            while True:
                await asyncio.gather(*(self._measure(client, pod) for pod in list(self._pods.values())))
                await asyncio.sleep(1.0)

    async def _follow(self) -> None:
        async for event in self._api.follow("/api/v1/pods"):
            match event:
                case Listed(items):
                    for uid in set(self._pods) - {item["metadata"]["uid"] for item in items}:
                        self._gone(uid)
                    for item in items:
                        self._seen(item)
                case Changed(item):
                    self._seen(item)
                case Deleted(item):
                    self._gone(item["metadata"]["uid"])

    def _seen(self, pod: Object) -> None:
        status, annotations = pod.get("status") or {}, pod["metadata"].get("annotations") or {}
        if PER_REQUEST in annotations and status.get("podIP") and status.get("phase") == "Running":
            self._pods[pod["metadata"]["uid"]] = pod

    def _gone(self, uid: str) -> None:
        self._pods.pop(uid, None)
        self._counts.pop(uid, None)
        self._usage.forget(uid)

    async def _measure(self, client: httpx.AsyncClient, pod: Object) -> None:
        meta = pod["metadata"]
        try:
            text = (await client.get(f"http://{pod['status']['podIP']}:8080/metrics")).text
        except httpx.HTTPError:
            return  # starting, or ending
        if meta["uid"] not in self._pods:
            return
        now = time.time()
        counts = self._counts.setdefault(meta["uid"], deque(maxlen=WINDOW_SECONDS + 1))
        counts.append((now, sum(float(value) for value in _REQUESTS.findall(text))))
        (began, first), (ended, last) = counts[0], counts[-1]
        if len(counts) <= WINDOW_SECONDS or last < first:
            return
        cost = quantity(meta["annotations"][PER_REQUEST])
        cores = cost * Decimal((last - first) / (ended - began))
        containers = [container["name"] for container in pod["spec"]["containers"]]
        self._usage.measured(meta["uid"], pod_metrics(pod, {containers[0]: cores}, now))


def pod_metrics(pod: Object, cores: dict[str, Decimal], at: float, window_seconds: float = WINDOW_SECONDS) -> Object:
    """A pod's PodMetrics; `cores` by container."""
    meta = pod["metadata"]
    return {
        "metadata": {"name": meta["name"], "namespace": meta["namespace"], "labels": meta.get("labels") or {}},
        "timestamp": datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "window": f"{window_seconds:g}s",
        "containers": [
            {"name": name, "usage": {"cpu": f"{int(used * 10**9)}n", "memory": "64Mi"}} for name, used in cores.items()
        ],
    }


def handler(usage: Usage) -> type[BaseHTTPRequestHandler]:
    """The API over HTTP."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path == _GROUP:
                self._answer(200, _resources())
                return
            match = re.fullmatch(rf"{_GROUP}(?:/namespaces/([^/]+))?/pods", url.path)
            if match is None:
                self._answer(404, _status(404, "NotFound", f"{url.path} is not served"))
                return
            given = unquote(parse_qs(url.query).get("labelSelector", [""])[0])
            pairs = [part.partition("=") for part in given.split(",") if part]
            if any(not sign or "!" in name or " " in name for name, sign, _ in pairs):
                self._answer(400, _status(400, "BadRequest", f"only equalities are served, not {given!r}"))
                return
            selector = {name: value.removeprefix("=") for name, _, value in pairs}
            self._answer(200, _list("PodMetricsList", usage.list(match[1] or "", selector)))

        def do_PUT(self) -> None:
            items = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            usage.say(self.path.rsplit("/", 1)[-1], items)
            self._answer(200, {})

        def _answer(self, status: int, body: Object) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        @override
        def log_message(self, *_: object) -> None:
            """Each autoscaler asks every second: that is nobody's news."""

    return Handler


def _resources() -> Object:
    pods = {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics", "verbs": ["get", "list"]}
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": "metrics.k8s.io/v1beta1",
        "resources": [pods],
    }


def _list(kind: str, items: list[Object]) -> Object:
    return {"kind": kind, "apiVersion": "metrics.k8s.io/v1beta1", "metadata": {}, "items": items}


def _status(code: int, reason: str, message: str) -> Object:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the resource metrics API.")
    for name in ("kubeconfig", "certificate", "key"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--listen", required=True, help="ADDRESS:PORT")
    given = parser.parse_args()
    usage = Usage()
    address, _, port = given.listen.rpartition(":")
    server = ThreadingHTTPServer((address, int(port)), handler(usage))
    server.daemon_threads = True
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(given.certificate, given.key)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    asyncio.run(Meter(KubeApi.from_kubeconfig(given.kubeconfig), usage).run())


if __name__ == "__main__":
    main()
