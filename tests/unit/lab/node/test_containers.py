"""States of a container, back-off, and what the API is told."""

from lab.node.containers import (
    BackOff,
    ContainerState,
    Running,
    Terminated,
    container_status,
    ending_of,
    restarts_after,
)

RUN = Terminated(1, "Error", 100.0, 101.0)
FRESH = ContainerState("app", "lab/app:v1")


def test_the_first_start_is_no_restart_and_each_later_one_is():
    state = FRESH.begun(1.0, "c1", "i")
    assert state.restarts == 0
    state = state.ended(RUN).begun(2.0, "c2", "i")
    assert (state.restarts, state.last) == (1, RUN)
    state = state.ended(RUN).waits("CrashLoopBackOff", "").begun(3.0, "c3", "i")
    assert (state.restarts, state.last, state.current) == (2, RUN, Running(3.0))


def test_waiting_for_an_image_before_the_first_start_is_no_run():
    assert FRESH.waits("ErrImagePull", "").begun(1.0, "c", "i").restarts == 0


def test_an_ended_container_is_not_ready():
    state = FRESH.begun(1.0, "c", "i")
    assert not container_status(state.ended(RUN))["ready"]


def test_the_api_is_told_of_the_run_before():
    status = container_status(FRESH.begun(90.0, "c1", "i").ended(RUN).waits("CrashLoopBackOff", "back-off 10s"))
    assert status["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    assert status["lastState"]["terminated"]["exitCode"] == 1
    assert status["lastState"]["terminated"]["finishedAt"] == "1970-01-01T00:01:41Z"


def test_the_first_restart_is_at_once_then_the_delay_doubles_to_its_bound():
    back_off, delays = BackOff(10.0, 30.0), []
    for _ in range(5):
        delay, back_off = back_off.after_run(1.0)
        delays.append(delay)
    assert delays == [0.0, 10.0, 20.0, 30.0, 30.0]


def test_a_long_good_run_is_forgiven():
    back_off = BackOff(10.0, 30.0, next_seconds=30.0)
    assert back_off.after_run(60.0)[0] == 30.0
    delay, later = back_off.after_run(60.1)
    assert (delay, later.next_seconds) == (0.0, 10.0)


def test_a_new_agent_goes_on_with_the_delay_that_the_restarts_tell():
    assert [BackOff(10.0, 300.0).after_restarts(n).next_seconds for n in (0, 1, 2, 100)] == [0.0, 10.0, 20.0, 300.0]


def test_reasons_of_exit_codes():
    assert [ending_of(0, True), ending_of(137, False), ending_of(137, True), ending_of(1, True)] == [
        "Completed", "Error", "OOMKilled", "Error",
    ]  # fmt: skip


def test_the_restart_policy_decides():
    assert [restarts_after(p, c) for p in ("Always", "OnFailure", "Never") for c in (0, 1)] == [
        True, True, False, True, False, False,
    ]  # fmt: skip
