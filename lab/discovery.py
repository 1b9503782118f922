"""Pods as targets for Prometheus, written to a file that it watches.

    python -m lab.discovery --kubeconfig FILE --output FILE

Debian's Prometheus is built without discovery in Kubernetes. This writes the labels that it would have found, under
the same names (`__meta_kubernetes_pod_...`), so that the relabelling is the one of a cluster. Differences: one target
a pod instead of one a container's port.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from pathlib import Path
from typing import Any

from lab.node.kubeapi import Changed, Deleted, KubeApi, Listed

_META = "__meta_kubernetes_"


def target(pod: dict[str, Any]) -> dict[str, Any] | None:
    """The pod as Prometheus' discovery shows it; None while it has no address."""
    metadata, status = pod["metadata"], pod.get("status", {})
    address = status.get("podIP")
    if not address:
        return None
    containers = pod["spec"]["containers"]
    port = next((item["containerPort"] for container in containers for item in container.get("ports") or []), 80)
    ready = any(item["type"] == "Ready" and item["status"] == "True" for item in status.get("conditions") or [])
    owner: dict[str, Any] = next((item for item in metadata.get("ownerReferences") or [] if item.get("controller")), {})
    labels = {
        f"{_META}namespace": metadata["namespace"],
        f"{_META}pod_name": metadata["name"],
        f"{_META}pod_uid": metadata["uid"],
        f"{_META}pod_ip": address,
        f"{_META}pod_phase": status.get("phase", ""),
        f"{_META}pod_ready": str(ready).lower(),
        f"{_META}pod_node_name": pod["spec"].get("nodeName", ""),
        f"{_META}pod_controller_kind": owner.get("kind", ""),
        f"{_META}pod_controller_name": owner.get("name", ""),
        f"{_META}pod_container_name": containers[0]["name"],
    }
    for kind in ("label", "annotation"):
        for name, value in (metadata.get(f"{kind}s") or {}).items():
            if len(value) <= 1024:  # the last applied configuration is nobody's label
                labels[f"{_META}pod_{kind}_{re.sub('[^a-zA-Z0-9_]', '_', name)}"] = value
    return {"targets": [f"{address}:{port}"], "labels": labels}


class TargetFile:
    """The file, rewritten whole when its content changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._targets: dict[str, dict[str, Any]] = {}
        self._written = ""
        self.write()

    def take(self, event: Listed | Changed | Deleted) -> None:
        """Bring the targets up to date with what the API said."""
        if isinstance(event, Listed):
            self._targets = {}
            for pod in event.items:
                self._put(pod)
        elif isinstance(event, Changed):
            self._put(event.item)
        else:
            self._targets.pop(event.item["metadata"]["uid"], None)
        self.write()

    def _put(self, pod: dict[str, Any]) -> None:
        found = target(pod)
        if found is None:
            self._targets.pop(pod["metadata"]["uid"], None)
        else:
            self._targets[pod["metadata"]["uid"]] = found

    def write(self) -> None:
        """Write only what is new: each write makes Prometheus read."""
        text = json.dumps(list(self._targets.values()))
        if text != self._written:
            part = self._path.with_suffix(".part")
            part.write_text(text)
            part.rename(self._path)
            self._written = text


async def follow(kubeconfig: Path, output: Path) -> None:
    """Keep the file up to date for ever."""
    file = TargetFile(output)
    async for event in KubeApi.from_kubeconfig(kubeconfig).follow("/api/v1/pods"):
        file.take(event)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the cluster's pods as Prometheus targets.")
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    asyncio.run(follow(given.kubeconfig, given.output))


if __name__ == "__main__":
    main()
