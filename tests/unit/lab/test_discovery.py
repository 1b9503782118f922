"""Pods as targets for Prometheus."""

from __future__ import annotations

import json
from typing import Any

from lab.discovery import TargetFile, target
from lab.node.kubeapi import Changed, Deleted, Listed


def pod(name: str, address: str | None) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "shop",
            "name": name,
            "uid": f"uid-{name}",
            "labels": {"app": "web", "pod-template-hash": "abc"},
            "annotations": {"prometheus.io/scrape": "true", "huge": "x" * 5000},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "web-abc", "controller": True}],
        },
        "spec": {"nodeName": "n1", "containers": [{"name": "app", "ports": [{"containerPort": 8080}]}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        | ({"podIP": address} if address else {}),
    }


def test_a_pod_has_the_labels_that_discovery_in_kubernetes_gives_it():
    found = target(pod("web-1", "10.244.1.1"))
    assert found is not None
    assert found["targets"] == ["10.244.1.1:8080"]
    prefix = "__meta_kubernetes_"
    assert found["labels"] == {
        f"{prefix}namespace": "shop",
        f"{prefix}pod_name": "web-1",
        f"{prefix}pod_uid": "uid-web-1",
        f"{prefix}pod_ip": "10.244.1.1",
        f"{prefix}pod_phase": "Running",
        f"{prefix}pod_ready": "true",
        f"{prefix}pod_node_name": "n1",
        f"{prefix}pod_controller_kind": "ReplicaSet",
        f"{prefix}pod_controller_name": "web-abc",
        f"{prefix}pod_container_name": "app",
        f"{prefix}pod_label_app": "web",
        f"{prefix}pod_label_pod_template_hash": "abc",
        f"{prefix}pod_annotation_prometheus_io_scrape": "true",
    }


def test_a_pod_without_an_address_is_no_target_yet():
    assert target(pod("web-1", None)) is None


def test_the_file_follows_what_is_listed_changed_and_deleted(tmp_path):
    path = tmp_path / "pods.json"
    file = TargetFile(path)

    def addresses() -> list[str]:
        return [item["targets"][0] for item in json.loads(path.read_text())]

    assert addresses() == []
    file.take(Listed([pod("web-1", "10.244.1.1"), pod("web-2", None)]))
    assert addresses() == ["10.244.1.1:8080"]
    file.take(Changed(pod("web-2", "10.244.1.2")))
    assert addresses() == ["10.244.1.1:8080", "10.244.1.2:8080"]
    file.take(Deleted(pod("web-1", "10.244.1.1")))
    assert addresses() == ["10.244.1.2:8080"]
    file.take(Listed([]))
    assert addresses() == []
