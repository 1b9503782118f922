from __future__ import annotations

from typing import Any

import pytest

from canary.core.observed import LoadView
from canary.workload.hpa import hpas_of, load_view, reads_pod_metrics
from canary.workload.quantity import amount
from tests.unit.workload.drawn import stamp
from tests.unit.workload.objects import NOW, deployment

Object = dict[str, Any]


def _pods(stable: int, canary: int, *, ready: int | None = None, age: float = 600.0) -> list[Object]:
    """So many pods that request one core each; `ready`: how many of the canary's are."""
    serving = canary if ready is None else ready
    return [
        *(_pod(f"s{i}", age=age) for i in range(stable)),
        *(_pod(f"c{i}", track=True, ready=i < serving, age=age) for i in range(canary)),
    ]


def _pod(name: str, *, track: bool = False, ready: bool = True, age: float = 600.0, request: str = "1") -> Object:
    labels = {"app": "web", **({"canary.delivery/track": "canary"} if track else {})}
    since = stamp(NOW - age)
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [{"name": "app", "resources": {"requests": {"cpu": request, "memory": "1Gi"}}}]},
        "status": {
            "phase": "Running",
            "startTime": since,
            "conditions": [{"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": since}],
        },
    }


def _use(stable: list[float], canary: list[float], *, ago: float = 10.0, memory: str = "100Mi") -> list[Object]:
    """What pods use, in cores."""
    named = [
        *((f"s{i}", cores) for i, cores in enumerate(stable)),
        *((f"c{i}", cores) for i, cores in enumerate(canary)),
    ]
    return [
        {
            "metadata": {"name": name},
            "timestamp": stamp(NOW - ago),
            "window": "15s",
            "containers": [{"name": "app", "usage": {"cpu": f"{round(cores * 1000)}m", "memory": memory}}],
        }
        for name, cores in named
    ]


def _hpa(
    *metrics: Object, now: list[Object] | None = None, conditions: list[Object] | None = None, **spec: Any
) -> Object:
    return {
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "web"},
            "maxReplicas": 100,
            "metrics": list(metrics) or [_cpu()],
            **spec,
        },
        "status": {"currentMetrics": now or [], "conditions": conditions or [], "desiredReplicas": 10},
    }


def _cpu(target: int = 50, name: str = "cpu") -> Object:
    return {
        "type": "Resource",
        "resource": {"name": name, "target": {"type": "Utilization", "averageUtilization": target}},
    }


def _external(kind: str, value: str) -> tuple[Object, Object]:
    metric = {"name": "queue", "selector": {"matchLabels": {"q": "a"}}}
    key = "value" if kind == "Value" else "averageValue"
    return (
        {"type": "External", "external": {"metric": metric, "target": {"type": kind, key: "10"}}},
        {"type": "External", "external": {"metric": metric, "current": {key: value}}},
    )


def _view(hpa: Object, pods: list[Object], metrics: list[Object] | str = (), replicas: int = 10) -> LoadView:  # type: ignore[assignment]
    return load_view([hpa], deployment(replicas=replicas), pods, metrics, NOW)


def _carries(hpa: Object, pods: list[Object], metrics: list[Object] | str = ()) -> bool:  # type: ignore[assignment]
    return _view(hpa, pods, metrics).enough


def test_without_an_autoscaler_nothing_speaks_against_it():
    assert load_view([], deployment(), _pods(3, 1), [], NOW) == LoadView()


@pytest.mark.parametrize(
    ("stable", "canary", "carries"),
    [
        ([0.5] * 10, [], True),  # each at its target
        ([0.55] * 10, [], True),  # just inside the tolerance
        ([0.5] * 10, [0.5], True),  # eleven pods' load on ten: as well
        ([0.5] * 10, [0.5, 0.5], False),
        ([0.25] * 10, [0.25] * 10, True),  # the whole load is ten pods' work
        ([0.0] * 10, [0.55] * 10, True),  # all of it on the canary
        ([0.0] * 10, [0.6] * 10, False),
        ([0.0] * 10, [1.0] * 10, False),  # it has doubled: the autoscaler sees each pod at its target, and stays
    ],
)
def test_the_load_of_both_versions_is_put_on_stables_pods(stable: list[float], canary: list[float], carries: bool):
    assert _carries(_hpa(), _pods(10, len(canary)), _use(stable, canary)) is carries


def test_a_load_that_doubled_at_a_hundred_percent_is_told_with_what_the_autoscaler_needs_to_see_it():
    seen = _view(_hpa(), _pods(10, 10), _use([0.0] * 10, [1.0] * 10))
    assert seen.why == "by cpu of HorizontalPodAutoscaler web the load needs 20 pods, stable has 10 ready"
    assert seen.needs == 20
    # Twenty-three pods on a load for twenty: the average is below 90 % of its target.
    assert seen.canary_at_least == 13
    assert not seen.blocked


def test_what_the_autoscaler_has_asked_for_already_needs_no_more_of_the_canary():
    seen = _view(_hpa(), _pods(10, 10), _use([0.0] * 10, [1.0] * 10), replicas=20)
    assert not seen.enough
    assert seen.needs == 20
    assert seen.canary_at_least == 0


def test_canary_pods_that_are_not_ready_block_a_scale_up_that_would_come_without_them():
    # Twelve pods' load on ten of stable's, and two that use nothing: 12 / 12 is on target.
    blocked = _view(_hpa(), _pods(10, 2, ready=0), _use([0.6] * 10, [0.0] * 2))
    assert blocked.needs == 12
    assert blocked.blocked
    # Sixteen on ten and two: far above, so the autoscaler grows it all the same.
    free = _view(_hpa(), _pods(10, 2, ready=0), _use([0.8] * 10, [0.0] * 2))
    assert free.needs == 16
    assert not free.blocked


def test_what_a_canary_burns_before_it_is_ready_is_no_load():
    assert _carries(_hpa(), _pods(10, 2, ready=0), _use([0.5] * 10, [1.0] * 2))


def test_a_candidate_that_requests_otherwise_is_weighed_by_stables_requests():
    pods = [*(_pod(f"s{i}") for i in range(10)), _pod("c0", track=True, request="4")]
    assert not _carries(_hpa(), pods, _use([0.5] * 10, [2.0]))
    assert _carries(_hpa(), pods, _use([0.35] * 10, [2.0]))


def test_minimum_and_maximum_bound_what_is_needed():
    use = _use([1.0] * 10, [1.0] * 2)
    assert _view(_hpa(maxReplicas=11), _pods(10, 2), use).needs == 11
    assert _carries(_hpa(maxReplicas=10), _pods(10, 2), use), "it would not be larger without a canary"
    low = _view(_hpa(minReplicas=12), _pods(10, 2), _use([0.1] * 10, []))
    assert not low.enough
    assert low.why == "by minReplicas of HorizontalPodAutoscaler web the load needs 12 pods, stable has 10 ready"


def test_an_autoscaler_that_may_not_scale_up_keeps_stable_as_it_is():
    never: Object = {"behavior": {"scaleUp": {"selectPolicy": "Disabled"}}}
    assert _carries(_hpa(**never), _pods(10, 2), _use([1.0] * 10, [1.0] * 2))


def test_of_several_metrics_the_largest_counts():
    wide = deployment(replicas=10)
    wide["status"]["replicas"] = 10
    use = _use([0.6] * 10, [0.0] * 2)
    for value, needs in (("30", 30), ("10", 12)):
        metric, now = _external("AverageValue", value)
        assert load_view([_hpa(_cpu(), metric, now=[now])], wide, _pods(10, 2), use, NOW).needs == needs


def test_the_autoscalers_own_tolerance_counts():
    wide: Object = {"behavior": {"scaleUp": {"tolerance": "500m"}}}
    assert _carries(_hpa(**wide), _pods(10, 5), _use([0.5] * 10, [0.5] * 5))
    assert not _carries(_hpa(**wide), _pods(10, 6), _use([0.5] * 10, [0.5] * 6))


def test_memory_does_not_move_with_the_traffic_so_only_stables_own_counts():
    memory = _hpa(_cpu(name="memory"))
    assert _carries(memory, _pods(10, 10), _use([0.0] * 10, [0.0] * 10, memory="500Mi"))
    assert not _carries(memory, _pods(10, 10), _use([0.0] * 10, [0.0] * 10, memory="600Mi"))


def test_a_container_that_is_named_is_measured_alone():
    where = {"name": "cpu", "container": "app"}
    metric = {
        "type": "ContainerResource",
        "containerResource": {**where, "target": {"type": "AverageValue", "averageValue": "500m"}},
    }
    assert _carries(_hpa(metric), _pods(10, 1), _use([0.5] * 10, [0.5]))
    assert not _carries(_hpa(metric), _pods(10, 2), _use([0.5] * 10, [0.5] * 2))


def test_new_pods_without_a_sample_carry_nothing_yet_and_old_ones_are_no_evidence():
    use = _use([0.5] * 10, [])
    assert _carries(_hpa(), _pods(10, 5, age=60), use)
    old = _view(_hpa(), _pods(10, 5, age=600), use)
    assert not old.enough
    assert old.why == ("HorizontalPodAutoscaler web cannot be computed: no cpu of pod c0 has been measured for 120 s")


def test_samples_that_are_long_past_are_none():
    assert not _carries(_hpa(), _pods(10, 0), _use([0.1] * 10, [], ago=300))


def test_metrics_that_cannot_be_read_are_said_and_do_not_pass():
    seen = _view(_hpa(), _pods(10, 1), "list PodMetrics: the server could not find the requested resource")
    assert not seen.enough
    assert seen.needs == 0
    assert "could not find the requested resource" in seen.why


def test_pods_that_request_nothing_are_no_evidence():
    pods = _pods(10, 1)
    pods[-1]["spec"]["containers"][0]["resources"] = {}
    assert _carries(_hpa(), pods, _use([0.5] * 10, [0.1])), "the autoscaler says so itself, in its condition"
    pods[0]["spec"]["containers"][0]["resources"] = {}
    assert "has no request" in _view(_hpa(), pods, _use([0.5] * 10, [0.1])).why


def test_a_metric_of_pods_is_averaged_over_both_versions():
    metric = {
        "type": "Pods",
        "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "1k"}},
    }
    now = {"type": "Pods", "pods": {"metric": {"name": "rps"}, "current": {"averageValue": "600"}}}
    hpa = _hpa(metric, now=[now])
    assert not reads_pod_metrics([hpa])
    assert _carries(hpa, _pods(10, 8))
    assert not _carries(hpa, _pods(10, 9))


def test_an_external_average_is_per_replica_of_stable_and_a_value_per_pod_of_both():
    wide = deployment(replicas=10)
    wide["status"]["replicas"] = 10

    def carries(kind: str, value: str) -> bool:
        metric, now = _external(kind, value)
        return load_view([_hpa(metric, now=[now])], wide, _pods(10, 10), [], NOW).enough

    assert carries("AverageValue", "11")
    assert not carries("AverageValue", "12")
    assert carries("Value", "5")
    assert not carries("Value", "6")


def test_a_metric_without_a_current_value_is_no_evidence():
    metric, _ = _external("Value", "1")
    seen = _view(_hpa(_cpu(), metric), _pods(10, 1), _use([0.1] * 10, [0.1]))
    assert not seen.enough
    assert seen.why == "HorizontalPodAutoscaler web cannot be computed: it has no current value of queue"


@pytest.mark.parametrize("kind", ["ScalingActive", "AbleToScale"])
def test_an_autoscaler_that_does_not_scale_is_no_evidence(kind: str):
    broken = {"type": kind, "status": "False", "reason": "AmbiguousSelector", "message": "two autoscalers"}
    seen = _view(_hpa(conditions=[broken]), _pods(10, 1), _use([0.1] * 10, [0.1]))
    assert not seen.enough
    assert "two autoscalers" in seen.why


def test_stable_without_ready_pods_carries_nothing():
    assert not _carries(_hpa(), _pods(0, 1), _use([], [0.1]))


def test_the_autoscalers_of_the_deployment_are_found():
    other = {"metadata": {"name": "x"}, "spec": {"scaleTargetRef": {"kind": "StatefulSet", "name": "web"}}}
    own = _hpa()
    assert hpas_of([other, own], "web") == (own,)
    assert hpas_of([other], "web") == ()
    assert reads_pod_metrics([own])


@pytest.mark.parametrize(
    ("text", "value"),
    [("2", 2), ("100m", 0.1), ("1500Mi", 1500 * 1024**2), ("1k", 1000), ("1e3", 1000), ("12E", 12e18), ("2.5", 2.5)],
)
def test_quantities_are_read_as_kubernetes_writes_them(text, value):
    assert amount(text) == value


def test_what_is_no_quantity_is_an_error():
    with pytest.raises(ValueError, match="no quantity"):
        amount("many")
