"""A pod from its first process to the removal of its object, with real processes and a fake API server."""

import asyncio
import datetime as dt
import os
import signal
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from lab.node.containers import ContainerState, Running
from lab.node.pod import PodWorker, grace_left, state_in
from lab.node.processes import Process
from lab.node.records import PodRecord
from lab.node.runner import OOM_ANNOTATION
from tests.unit.lab.node.conftest import make_pod, until

ADDRESS = "127.0.91.1"


@asynccontextmanager
async def agent_of(machine, pod, record=None):
    """Runs a pod; leaving ends the agent's part only, as its death would."""
    fresh = PodRecord(pod["metadata"]["uid"], "default", "p", ADDRESS, time.time())
    worker = PodWorker(machine, pod, record or fresh)
    task = asyncio.create_task(worker.run())
    try:
        yield worker, task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def delete(worker, pod, grace_seconds=30):
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=grace_seconds)
    deletion = {"deletionTimestamp": ends.strftime("%Y-%m-%dT%H:%M:%SZ"), "deletionGracePeriodSeconds": grace_seconds}
    worker.observe(pod | {"metadata": pod["metadata"] | deletion})


def pid(machine, attempt=1):
    process = Process.adopt(machine.records.attempt_dir("u1", "app", attempt))
    assert process is not None
    return process.ref.pid


def ready_probe():
    return {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 0.05}


def exists(process):
    return Path(f"/proc/{process}").exists()


def log_of(machine):
    return machine.records.log("default", "p", "app").read_text()


async def test_a_pod_becomes_ready_when_its_probe_passes_and_its_object_is_removed_after_its_end(machine, fake):
    pod = make_pod(readinessProbe=ready_probe(), env=[{"name": "PRESTOP_S", "value": "0"}])
    async with agent_of(machine, pod) as (worker, task):
        await until(lambda: fake.container.get("ready"), "ready")
        assert fake.statuses[-1]["podIP"] == ADDRESS
        delete(worker, pod)
        await task
    assert fake.container["state"]["terminated"]["exitCode"] == 0
    assert fake.statuses[-1]["phase"] == "Succeeded"
    assert fake.deleted[0]["gracePeriodSeconds"] == 0
    assert fake.deleted[0]["preconditions"] == {"uid": "u1"}
    assert machine.records.uids() == set()


async def test_a_deleted_pod_serves_on_while_it_drains(machine, fake):
    pod = make_pod(readinessProbe=ready_probe(), env=[{"name": "PRESTOP_S", "value": "0.4"}])
    async with agent_of(machine, pod) as (worker, task):
        await until(lambda: fake.container.get("ready"), "ready")
        delete(worker, pod)
        await until(lambda: not fake.container["ready"], "unready while draining")
        assert "running" in fake.container["state"]
        _, writer = await asyncio.open_connection(ADDRESS, 8080)
        writer.close()
        await task


async def test_a_container_that_ignores_sigterm_is_killed_when_its_grace_ends(machine, fake):
    pod = make_pod("sh", "-c", "trap '' TERM; echo set; while :; do sleep 0.05; done")
    async with agent_of(machine, pod) as (worker, task):
        await until(lambda: "running" in fake.container.get("state", {}) and "set" in log_of(machine), "running")
        begun = time.monotonic()
        delete(worker, pod, grace_seconds=2)
        await task
    assert time.monotonic() - begun >= 1.9
    assert fake.container["state"]["terminated"]["exitCode"] == 137


async def test_kill_9_of_a_container_is_a_restart_with_its_exit_code(machine, fake):
    pod = make_pod("sleep", "60")
    async with agent_of(machine, pod):
        await until(lambda: fake.container.get("ready"), "ready")
        os.kill(pid(machine), signal.SIGKILL)
        await until(lambda: fake.container["restartCount"] == 1 and fake.container["ready"], "restarted")
    assert fake.container["lastState"]["terminated"]["exitCode"] == 137
    assert fake.container["lastState"]["terminated"]["reason"] == "Error"


async def test_a_container_that_ends_again_and_again_backs_off(machine, fake):
    pod = make_pod("sh", "-c", "exit 137")
    pod["metadata"]["annotations"] = {OOM_ANNOTATION: "true"}
    async with agent_of(machine, pod):
        await until(lambda: fake.container.get("restartCount", 0) >= 2, "two restarts")
        await until(lambda: "waiting" in fake.container["state"], "waiting")
    assert fake.container["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert fake.container["lastState"]["terminated"]["reason"] == "OOMKilled"


async def test_an_unknown_image_waits_as_a_kubelet_does_and_nothing_runs(machine, fake):
    async with agent_of(machine, make_pod(image="nowhere/nothing:1")):
        await until(lambda: fake.container.get("state", {}).get("waiting", {}).get("reason") == "ErrImagePull", "err")
        await until(lambda: fake.container["state"]["waiting"]["reason"] == "ImagePullBackOff", "back-off")
    assert fake.statuses[-1]["phase"] == "Pending"


async def test_a_missing_config_map_heals_when_it_appears(machine, fake):
    pod = make_pod("sleep", "60", envFrom=[{"configMapRef": {"name": "c"}}])
    async with agent_of(machine, pod):
        await until(
            lambda: fake.container.get("state", {}).get("waiting", {}).get("reason") == "CreateContainerConfigError",
            "config error",
        )
        fake.objects["/api/v1/namespaces/default/configmaps/c"] = {"data": {"A": "1"}}
        await until(lambda: fake.container["ready"], "healed")


async def test_a_program_that_cannot_be_started_is_a_start_error(machine, fake):
    async with agent_of(machine, make_pod("/no/such/program")):
        await until(lambda: fake.container.get("lastState", {}).get("terminated"), "ended once")
    assert fake.container["lastState"]["terminated"]["reason"] == "StartError"
    assert fake.container["lastState"]["terminated"]["exitCode"] == 128


async def test_a_failing_liveness_probe_restarts_the_container(machine, fake):
    liveness = {"exec": {"command": ["false"]}, "periodSeconds": 0.05, "failureThreshold": 2}
    async with agent_of(machine, make_pod("sleep", "60", livenessProbe=liveness)):
        await until(lambda: fake.container.get("restartCount", 0) >= 1, "restarted")
    assert fake.container["lastState"]["terminated"]["exitCode"] == 143


async def test_readiness_and_liveness_wait_for_the_startup_probe(machine, fake, tmp_path):
    passed = tmp_path / "passed"
    startup = {"exec": {"command": ["test", "-e", str(passed)]}, "periodSeconds": 0.05, "failureThreshold": 1000}
    liveness = {"exec": {"command": ["test", "-e", str(passed)]}, "periodSeconds": 0.05, "failureThreshold": 1}
    async with agent_of(machine, make_pod("sleep", "60", startupProbe=startup, livenessProbe=liveness)):
        await until(lambda: "running" in fake.container.get("state", {}), "running")
        assert not fake.container["started"]
        assert not fake.container["ready"]
        passed.touch()
        await until(lambda: fake.container["started"] and fake.container["ready"], "started")
    assert fake.container["restartCount"] == 0


async def test_a_new_agent_adopts_the_running_process(machine, fake):
    pod = make_pod("sleep", "60")
    async with agent_of(machine, pod):
        await until(lambda: fake.container.get("ready"), "ready")
    before = pid(machine)
    record = machine.records.read_all()["u1"]
    assert isinstance(record.containers["app"].state.current, Running)
    fake.statuses.clear()
    async with agent_of(machine, pod, record) as (worker, task):
        await until(lambda: fake.container.get("ready"), "ready")
        assert (pid(machine), fake.container["restartCount"]) == (before, 0)
        delete(worker, pod)
        await task
    assert not exists(before)


async def test_a_new_agent_reports_how_a_process_ended_while_there_was_none(machine, fake):
    pod = make_pod("sleep", "60")
    async with agent_of(machine, pod):
        await until(lambda: fake.container.get("ready"), "ready")
    os.kill(pid(machine), signal.SIGKILL)
    async with agent_of(machine, pod, machine.records.read_all()["u1"]):
        await until(lambda: fake.container["restartCount"] == 1, "restarted")
    assert fake.container["lastState"]["terminated"]["exitCode"] == 137


async def test_a_completed_pod_stays_completed_under_a_new_agent(machine, fake):
    pod = make_pod("sh", "-c", "echo ran; exit 3")
    pod["spec"]["restartPolicy"] = "Never"
    async with agent_of(machine, pod):
        await until(lambda: fake.statuses and fake.statuses[-1]["phase"] == "Failed", "failed")
    fake.statuses.clear()
    async with agent_of(machine, pod, machine.records.read_all()["u1"]) as (worker, task):
        await until(lambda: fake.statuses, "reported again")
        assert fake.statuses[-1]["phase"] == "Failed"
        delete(worker, pod)
        await task
    assert log_of(machine) == "ran\n"


async def test_a_pod_whose_object_vanished_is_ended_without_a_report(machine, fake):
    pod = make_pod("sleep", "60")
    async with agent_of(machine, pod) as (worker, task):
        await until(lambda: fake.container.get("ready"), "ready")
        process = pid(machine)
        worker.vanish()
        await task
    assert fake.deleted == []
    assert not exists(process)


async def test_an_api_server_that_fails_does_not_touch_the_process_and_is_told_later(machine, fake):
    pod = make_pod("sleep", "60")
    fake.answers_with = 503
    async with agent_of(machine, pod):
        await until((machine.records.attempt_dir("u1", "app", 1) / "process").exists, "started")
        fake.answers_with = None
        await until(lambda: fake.container.get("ready"), "told")


def test_a_new_agent_does_not_start_the_grace_anew():
    now = 1_700_000_000.5
    metadata = {"deletionGracePeriodSeconds": 30}
    assert grace_left(metadata | {"deletionTimestamp": "2023-11-14T22:13:50Z"}, now) == 30.0
    assert grace_left(metadata | {"deletionTimestamp": "2023-11-14T22:13:30Z"}, now) == 10.5
    assert grace_left(metadata | {"deletionTimestamp": "2023-11-14T22:13:00Z"}, now) == 2.0


def test_a_process_that_was_lost_with_its_record_is_one_more_end():
    status = {"name": "app", "containerID": "lab://x", "restartCount": 4}
    pod = make_pod() | {"status": {"containerStatuses": [status]}}
    state = state_in(pod, pod["spec"]["containers"][0], 10.0)
    assert state.newest_run is not None
    assert (state.newest_run.reason, state.begun(11.0, "c", "i").restarts) == ("ContainerStatusUnknown", 5)
    assert state_in(make_pod(), pod["spec"]["containers"][0], 10.0) == ContainerState("app", "lab/app:v1")
