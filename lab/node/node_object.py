"""The Node object of this node. Pure."""

from __future__ import annotations

from typing import Any

from lab.node.containers import timestamp
from lab.node.scheduling import Room

_CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID"),
    ("Ready", "True", "KubeletReady"),
)


def node_object(name: str) -> dict[str, Any]:
    """To create it with; the endpoint controller wants it before the pods."""
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/zone": "lab",
    }
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}


def node_status(name: str, address: str, room: Room, since: float, now: float) -> dict[str, Any]:
    """What a healthy kubelet reports; times in Unix seconds."""
    capacity = {
        "cpu": str(room.cpu),
        "memory": str(int(room.memory)),
        "ephemeral-storage": "100Gi",
        "pods": str(room.pods),
    }
    return {
        "capacity": capacity,
        "allocatable": capacity,
        "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
        "conditions": [
            {
                "type": kind,
                "status": status,
                "reason": reason,
                "message": "the lab's node agent says so",
                "lastHeartbeatTime": timestamp(now),
                "lastTransitionTime": timestamp(since),
            }
            for kind, status, reason in _CONDITIONS
        ],
        "nodeInfo": {
            "architecture": "amd64",
            "bootID": "lab",
            "containerRuntimeVersion": "lab://1",
            "kernelVersion": "lab",
            "kubeProxyVersion": "",
            "kubeletVersion": "v1.36.3",
            "machineID": "lab",
            "operatingSystem": "linux",
            "osImage": "Canary lab (local processes)",
            "systemUUID": "lab",
        },
    }
