"""Phase and conditions of a pod."""

from dataclasses import replace

from lab.node.containers import ContainerState, Running, Terminated, Waiting
from lab.node.status import Condition, conditions_of, phase_of, pod_status

READY = ContainerState("app", "i", current=Running(1.0), started=True, ready=True)
STARTING = replace(READY, ready=False)
CREATING = ContainerState("app", "i")


def over(code):
    return replace(STARTING, current=Terminated(code, "x", 1.0, 2.0))


def conditions(*states, spec=None, reported=None, before=None, phase="Running", now=50.0):
    made = conditions_of(spec or {}, phase, states, reported or {}, before or {}, now)
    return {condition.type: condition for condition in made}


def test_a_pod_is_pending_until_every_container_has_started_once():
    assert phase_of("Always", [READY, CREATING], deleted=False) == "Pending"
    again = replace(READY, current=Waiting("CrashLoopBackOff"), last=over(1).current, ready=False)
    assert phase_of("Always", [READY, again], deleted=False) == "Running"


def test_an_ended_container_that_will_be_restarted_leaves_the_pod_running():
    assert phase_of("Always", [over(1)], deleted=False) == "Running"
    assert phase_of("OnFailure", [over(1)], deleted=False) == "Running"


def test_a_pod_is_over_when_nothing_will_be_restarted():
    assert phase_of("OnFailure", [over(0)], deleted=False) == "Succeeded"
    assert phase_of("Never", [over(0), over(3)], deleted=False) == "Failed"
    assert phase_of("Never", [over(0), READY], deleted=False) == "Running"
    assert phase_of("Always", [over(0)], deleted=True) == "Succeeded"


def test_one_unready_container_makes_the_pod_unready_and_is_named():
    made = conditions(READY, replace(STARTING, name="side"))
    assert not made["Ready"].status
    assert made["ContainersReady"].message == "containers with unready status: [side]"


def test_a_condition_keeps_its_time_while_its_status_stays():
    before = {"Ready": Condition("Ready", True, 7.0), "ContainersReady": Condition("ContainersReady", False, 7.0)}
    made = conditions(READY, before=before)
    assert (made["Ready"].since, made["ContainersReady"].since) == (7.0, 50.0)


def test_readiness_gates_hold_ready_back_but_not_containers_ready():
    spec = {"readinessGates": [{"conditionType": "example/ok"}]}
    assert conditions(READY, spec=spec)["ContainersReady"].status
    assert conditions(READY, spec=spec)["Ready"].reason == "ReadinessGatesNotReady"
    assert conditions(READY, spec=spec, reported={"example/ok": True})["Ready"].status


def test_a_completed_pod_is_not_ready():
    assert conditions(over(0), phase="Succeeded")["Ready"].reason == "PodCompleted"


def test_the_status_has_what_endpoints_need():
    status = pod_status(
        {"metadata": {"generation": 3}}, "Running", (), [READY], {"podIP": "10.244.1.1", "hostIP": "10.244.0.1"}, 0.0
    )
    assert (status["podIP"], status["podIPs"], status["hostIP"]) == (
        "10.244.1.1", [{"ip": "10.244.1.1"}], "10.244.0.1",
    )  # fmt: skip
    assert status["observedGeneration"] == 3
