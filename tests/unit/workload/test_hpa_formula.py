"""The autoscaler's arithmetic, against a second statement of it that follows the controller's own order of steps."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.workload.hpa_formula import (
    PodUse,
    Standing,
    Target,
    Tolerances,
    Uncomputed,
    pod_uses,
    replicas,
)
from tests.unit.workload.drawn import case
from tests.unit.workload.objects import NOW


def by_the_controllers_steps(current: int, target: Target, pods: list[PodUse], tolerances: Tolerances) -> int | None:
    """Maps of names, entries taken out and put in, as the Go code has it; None: an error."""
    metrics = {p.name: p.usage for p in pods if p.usage is not None}
    requests = {p.name: p.request for p in pods}
    names: dict[Standing, set[str]] = {s: {p.name for p in pods if p.standing is s} for s in Standing}
    for gone in names[Standing.IGNORED] | names[Standing.UNREADY]:
        metrics.pop(gone, None)
    if not metrics or (target.utilization and None in requests.values()):
        return None

    def ratio() -> float | None:
        total = sum(metrics.values())
        if not target.utilization:
            return math.floor(total / len(metrics)) / target.value
        of = sum(requests[name] or 0 for name in metrics)
        return None if of == 0 else math.floor(100 * total / of) / target.value

    def within(value: float) -> bool:
        return value >= 1.0 - tolerances.down and value <= 1.0 + tolerances.up

    first = ratio()
    if first is None:
        return None
    up_with_unready = len(names[Standing.UNREADY]) > 0 and first > 1.0
    if not up_with_unready and not names[Standing.MISSING]:
        return current if within(first) else math.ceil(first * len(metrics))
    for name in names[Standing.MISSING]:
        if first < 1.0:
            full = (requests[name] or 0) * (max(100, target.value)) // 100
            metrics[name] = full if target.utilization else target.value
        elif first > 1.0:
            metrics[name] = 0
    if up_with_unready:
        metrics.update(dict.fromkeys(names[Standing.UNREADY], 0))
    second = ratio()
    assert second is not None
    if within(second) or (first < 1.0 and second > 1.0) or (first > 1.0 and second < 1.0):
        return current
    proposed = math.ceil(second * len(metrics))
    if (second < 1.0 and proposed > current) or (second > 1.0 and proposed < current):
        return current
    return proposed


pods = st.lists(
    st.builds(
        PodUse,
        name=st.uuids().map(str),
        standing=st.sampled_from(Standing),
        ready=st.booleans(),
        request=st.sampled_from([100, 250, 1000]),
        usage=st.integers(0, 3000),
    ).map(lambda p: p if p.standing is not Standing.MISSING else PodUse(p.name, p.standing, p.ready, p.request, None)),
    max_size=12,
)
targets = st.one_of(
    st.builds(Target, st.integers(1, 200), st.just(True)), st.builds(Target, st.integers(1, 2000), st.just(False))
)
tolerances = st.builds(Tolerances, st.sampled_from([0.0, 0.1, 0.3]), st.sampled_from([0.0, 0.1, 0.3]))


@given(current=st.integers(1, 30), target=targets, pods=pods, tolerances=tolerances)
def test_the_count_is_the_controllers(current: int, target: Target, pods: list[PodUse], tolerances: Tolerances) -> None:
    ours = replicas(current, target, pods, tolerances)
    expected = by_the_controllers_steps(current, target, pods, tolerances)
    assert (None if isinstance(ours, Uncomputed) else ours) == expected


@given(seed=st.integers(0, 2**32))
def test_pods_as_the_api_has_them_are_read_without_an_error(seed: int) -> None:
    drawn = case(Random(seed), "a", NOW)
    uses = pod_uses(drawn.pods, drawn.metrics, "cpu", "", NOW)
    assert [u.name for u in uses] == [p["metadata"]["name"] for p in drawn.pods]
    assert all(u.usage is not None for u in uses if u.standing is Standing.MEASURED)


def pod(*, ready: str = "True", phase: str = "Running", age: int = 3600, since: int = 3000, **meta: Any) -> Any:
    stamps = {name: f"2027-01-15T{(28800 - s) // 3600:02}:{(28800 - s) % 3600 // 60:02}:{(28800 - s) % 60:02}Z"
              for name, s in (("start", age), ("ready", since))}  # fmt: skip
    return {
        "metadata": {"name": "p", **meta},
        "spec": {"containers": [{"name": "app", "resources": {"requests": {"cpu": "500m"}}}]},
        "status": {
            "phase": phase,
            "startTime": stamps["start"],
            "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": stamps["ready"]}],
        },
    }


def sample(ago: int = 0, window: str = "15s", **usage: str) -> Any:
    at = 28800 - ago
    return {
        "metadata": {"name": "p"},
        "timestamp": f"2027-01-15T{at // 3600:02}:{at % 3600 // 60:02}:{at % 60:02}Z",
        "window": window,
        "containers": [{"name": "app", "usage": usage or {"cpu": "250m"}}],
    }


@pytest.mark.parametrize(
    ("manifest", "metrics", "standing"),
    [
        (pod(), [sample()], Standing.MEASURED),
        (pod(), [], Standing.MISSING),
        (pod(), [sample(memory="1Mi")], Standing.MISSING),
        (pod(phase="Pending"), [sample()], Standing.UNREADY),
        (pod(phase="Failed"), [sample()], Standing.IGNORED),
        (pod(deletionTimestamp="2027-01-15T08:00:00Z"), [sample()], Standing.IGNORED),
        # Ready for ten seconds, and the sample covers fifteen: part of it is from before.
        (pod(age=60, since=10), [sample()], Standing.UNREADY),
        (pod(age=60, since=20), [sample()], Standing.MEASURED),
        (pod(age=60, since=20), [sample(window="1m0s")], Standing.UNREADY),
        (pod(age=60, since=50, ready="False"), [sample()], Standing.UNREADY),
        # Long after its start only a pod that never was ready is left out.
        (pod(age=3600, since=3590, ready="False"), [sample()], Standing.UNREADY),
        (pod(age=3600, since=60, ready="False"), [sample()], Standing.MEASURED),
    ],
)  # fmt: skip
def test_a_pod_counts_as_the_controller_counts_it(manifest: Any, metrics: Any, standing: Standing) -> None:
    (use,) = pod_uses([manifest], metrics, "cpu", "", NOW)
    assert use.standing is standing


def test_requests_are_those_of_all_containers_sidecars_included_or_of_the_one_that_is_named() -> None:
    manifest = pod()
    asked = {"resources": {"requests": {"cpu": "1"}}}
    manifest["spec"]["initContainers"] = [
        {"name": "proxy", "restartPolicy": "Always", **asked},
        {"name": "migrate", **asked},
    ]
    assert [u.request for u in pod_uses([manifest], [], "cpu", "", NOW)] == [1500]
    assert [u.request for u in pod_uses([manifest], [], "cpu", "app", NOW)] == [500]
    assert [u.request for u in pod_uses([manifest], [], "memory", "", NOW)] == [None]
    manifest["spec"]["resources"] = {"requests": {"cpu": "2"}}
    assert [u.request for u in pod_uses([manifest], [], "cpu", "", NOW)] == [2000]
    assert [u.request for u in pod_uses([manifest], [], "cpu", "app", NOW)] == [500]
