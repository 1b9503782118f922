from __future__ import annotations

import pytest

from canary.workload.hpa import hpa_of, stable_can_carry
from canary.workload.quantity import amount


def _hpa(metric, current, *, replicas=10, conditions=(), **spec):
    return {
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "web"},
            "metrics": [metric] if metric else [],
            **spec,
        },
        "status": {
            "currentReplicas": replicas,
            "currentMetrics": [current] if current else [],
            "conditions": list(conditions),
        },
    }


def _cpu(target=80, now=80, name="cpu"):
    return (
        {
            "type": "Resource",
            "resource": {"name": name, "target": {"type": "Utilization", "averageUtilization": target}},
        },
        {"type": "Resource", "resource": {"name": name, "current": {"averageUtilization": now, "averageValue": "80m"}}},
    )


def _external(kind, value):
    metric = {"name": "queue", "selector": {"matchLabels": {"q": "a"}}}
    key = "value" if kind == "Value" else "averageValue"
    return (
        {"type": "External", "external": {"metric": metric, "target": {"type": kind, key: "10"}}},
        {"type": "External", "external": {"metric": metric, "current": {key: value}}},
    )


def test_without_an_autoscaler_nothing_speaks_against_it():
    assert stable_can_carry(None, 3, 1) == (True, "")


@pytest.mark.parametrize(
    ("stable", "canary", "now", "carries"),
    [
        (10, 1, 80, True),  # 11 pods' load on 10: just inside the tolerance
        (10, 2, 80, False),
        (10, 10, 40, True),  # the load halved: 20 pods at half their target
        (10, 10, 44, True),  # 20 * 44 / 80 = 11.0
        (10, 10, 45, False),
    ],
)
def test_the_load_of_both_versions_is_put_on_stables_pods(stable, canary, now, carries):
    assert stable_can_carry(_hpa(*_cpu(now=now)), stable, canary)[0] is carries


def test_why_not_is_told_with_numbers():
    carries, message = stable_can_carry(_hpa(*_cpu()), 10, 10)
    assert not carries
    assert message == "by cpu of HorizontalPodAutoscaler web the load needs 20.0 pods, stable has 10 ready"


def test_the_autoscalers_own_tolerance_counts():
    wide = {"behavior": {"scaleUp": {"tolerance": "500m"}}}
    assert stable_can_carry(_hpa(*_cpu(), **wide), 10, 5)[0]
    assert not stable_can_carry(_hpa(*_cpu(), **wide), 10, 6)[0]


def test_memory_is_passed_over_because_it_does_not_move_with_traffic():
    assert stable_can_carry(_hpa(*_cpu(name="memory")), 10, 10)[0]


def test_a_metric_of_pods_and_of_a_container_is_averaged_over_both_versions():
    pods = (
        {"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "1k"}}},
        {"type": "Pods", "pods": {"metric": {"name": "rps"}, "current": {"averageValue": "600"}}},
    )
    assert not stable_can_carry(_hpa(*pods), 10, 10)[0]
    assert stable_can_carry(_hpa(*pods), 10, 8)[0]
    where = {"name": "cpu", "container": "app"}
    container = (
        {
            "type": "ContainerResource",
            "containerResource": {**where, "target": {"type": "Utilization", "averageUtilization": 50}},
        },
        {"type": "ContainerResource", "containerResource": {**where, "current": {"averageUtilization": 50}}},
    )
    assert not stable_can_carry(_hpa(*container), 10, 10)[0]


def test_an_external_average_is_per_replica_of_stable_and_a_value_per_pod_of_both():
    assert stable_can_carry(_hpa(*_external("AverageValue", "11")), 10, 10)[0]
    assert not stable_can_carry(_hpa(*_external("AverageValue", "12")), 10, 10)[0]
    assert stable_can_carry(_hpa(*_external("Value", "5")), 10, 10)[0]
    assert not stable_can_carry(_hpa(*_external("Value", "6")), 10, 10)[0]


def test_an_autoscaler_without_a_current_value_gives_no_evidence():
    metric, _ = _cpu()
    assert stable_can_carry(_hpa(metric, None), 10, 1) == (
        False,
        "HorizontalPodAutoscaler web has no current value of cpu",
    )


def test_an_autoscaler_that_does_not_scale_gives_no_evidence():
    broken = {"type": "ScalingActive", "status": "False", "reason": "AmbiguousSelector", "message": "two autoscalers"}
    carries, message = stable_can_carry(_hpa(*_cpu(now=1), conditions=[broken]), 10, 1)
    assert not carries
    assert "two autoscalers" in message


def test_stable_without_ready_pods_carries_nothing():
    assert not stable_can_carry(_hpa(*_cpu(now=1)), 0, 1)[0]


def test_the_autoscaler_of_the_deployment_is_found():
    other = {"metadata": {"name": "x"}, "spec": {"scaleTargetRef": {"kind": "StatefulSet", "name": "web"}}}
    own = _hpa(*_cpu())
    assert hpa_of([other, own], "web") is own
    assert hpa_of([other], "web") is None


@pytest.mark.parametrize(
    ("text", "value"),
    [("2", 2), ("100m", 0.1), ("1500Mi", 1500 * 1024**2), ("1k", 1000), ("1e3", 1000), ("12E", 12e18), ("2.5", 2.5)],
)
def test_quantities_are_read_as_kubernetes_writes_them(text, value):
    assert amount(text) == value


def test_what_is_no_quantity_is_an_error():
    with pytest.raises(ValueError, match="no quantity"):
        amount("many")
