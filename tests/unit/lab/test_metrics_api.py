from __future__ import annotations

from decimal import Decimal
from typing import Any

from lab.metrics_api import Usage, pod_metrics

POD: dict[str, Any] = {
    "metadata": {"name": "p", "namespace": "shop", "uid": "u", "labels": {"app": "web", "track": "canary"}},
    "spec": {"containers": [{"name": "app"}]},
}


def test_usage_is_written_as_metrics_servers_write_it():
    metrics = pod_metrics(POD, {"app": Decimal("0.25")}, 1_800_000_000.4)
    assert metrics["timestamp"] == "2027-01-15T08:00:00Z"
    assert metrics["window"] == "2s"
    assert metrics["containers"] == [{"name": "app", "usage": {"cpu": "250000000n", "memory": "64Mi"}}]


def test_pods_are_listed_by_namespace_and_labels():
    usage = Usage()
    usage.measured("u", pod_metrics(POD, {"app": Decimal(1)}, 0))
    assert [m["metadata"]["name"] for m in usage.list("shop", {"app": "web"})] == ["p"]
    assert usage.list("shop", {"app": "other"}) == []
    assert usage.list("elsewhere", {}) == []
    assert len(usage.list("", {})) == 1
    usage.forget("u")
    assert usage.list("", {}) == []


def test_what_a_test_says_of_a_namespace_counts_instead_of_what_is_measured():
    usage = Usage()
    usage.measured("u", pod_metrics(POD, {"app": Decimal(1)}, 0))
    said = pod_metrics({**POD, "metadata": {**POD["metadata"], "name": "q"}}, {"app": Decimal(2)}, 0)
    usage.say("shop", [said])
    assert usage.list("shop", {}) == [said]
    usage.say("shop", None)
    assert [m["metadata"]["name"] for m in usage.list("shop", {})] == ["p"]
