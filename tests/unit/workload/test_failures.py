from __future__ import annotations

import pytest

from canary.workload.failures import PATIENCE_SECONDS, failure_of_pods, no_room
from tests.unit.workload.objects import NOW, NOW_TEXT, pod

LONG = NOW + PATIENCE_SECONDS


def _waiting(reason, restarts=0, **terminated):
    last = {"lastState": {"terminated": terminated}} if terminated else {}
    return {"name": "web", "restartCount": restarts, "state": {"waiting": {"reason": reason, "message": "why"}}, **last}


def _running(restarts, **terminated):
    state = {"state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1, **terminated}}}
    return {"name": "web", "restartCount": restarts, **state}


def _of(container, now=NOW):
    return failure_of_pods([pod("web-canary-x", {}, containers=[container])], now)


def test_a_crash_loop_is_a_failure_at_once_and_names_the_pod():
    text = _of(_waiting("CrashLoopBackOff", exitCode=3))
    assert text == "CrashLoopBackOff: pod web-canary-x, container web: exit code 3, why"


@pytest.mark.parametrize("reason", ["InvalidImageName", "ErrImageNeverPull"])
def test_an_image_that_can_never_come_is_a_failure_at_once(reason):
    assert _of(_waiting(reason)).startswith(reason)


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError"])
def test_what_may_heal_by_itself_is_borne_for_a_while(reason):
    assert _of(_waiting(reason), LONG - 1) == ""
    assert _of(_waiting(reason), LONG).startswith(reason)


def test_an_out_of_memory_kill_is_a_failure_whether_it_restarted_or_not():
    killed = {"reason": "OOMKilled", "exitCode": 137, "finishedAt": NOW_TEXT}
    assert _of(_running(1, **killed)).startswith("OOMKilled")
    assert _of({"name": "web", "restartCount": 0, "state": {"terminated": killed}}).startswith("OOMKilled")


def test_repeated_restarts_are_a_failure_and_one_or_two_are_not():
    assert _of(_running(2, finishedAt=NOW_TEXT)) == ""
    assert _of(_running(3, finishedAt=NOW_TEXT)).startswith("RepeatedRestarts")


def test_restarts_of_long_ago_are_not_held_against_the_version():
    assert _of(_running(9, finishedAt=NOW_TEXT), NOW + 3600) == ""


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing"])
def test_a_container_that_is_starting_is_no_failure(reason):
    assert _of(_waiting(reason), LONG) == ""


def test_an_init_container_that_crashes_is_a_failure():
    broken = pod("p", {})
    broken["status"]["initContainerStatuses"] = [_waiting("CrashLoopBackOff")]
    assert failure_of_pods([broken], NOW).startswith("CrashLoopBackOff")


def test_a_quota_is_told_as_the_clusters_fault():
    condition = {
        "type": "ReplicaFailure",
        "status": "True",
        "message": "exceeded quota",
        "lastTransitionTime": NOW_TEXT,
    }
    failing = {"status": {"conditions": [condition]}}
    assert no_room(failing, []) == "exceeded quota"
    condition["status"] = "False"
    assert no_room(failing, []) == ""


def test_a_pod_without_a_node_is_told_as_the_clusters_fault():
    waiting = pod("p", {})
    waiting["status"]["conditions"] = [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}
    ]
    assert no_room({}, [waiting]) == "pod p has no node: 0/3 nodes are available"
    assert failure_of_pods([waiting], LONG) == ""
