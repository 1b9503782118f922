"""Containers as processes that outlive the agent."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from lab.node.containers import ContainerState, Running, Terminated
from lab.node.processes import Process, ProcessRef, StartFailed, kill_outright
from lab.node.records import ContainerRecord, PodRecord, Records
from tests.unit.lab.node.conftest import until

PATH = {"PATH": os.environ["PATH"]}


async def start(tmp_path, *argv):
    return await Process.start(argv, PATH, tmp_path / "run", tmp_path / "log")


async def test_the_exit_code_and_the_output_are_kept(tmp_path):
    process = await start(tmp_path, "sh", "-c", "echo hello; exit 7")
    assert (await process.exited()).code == 7
    assert (tmp_path / "log").read_text() == "hello\n"


async def test_a_killed_process_ends_with_137(tmp_path):
    process = await start(tmp_path, "sleep", "60")
    process.signal(signal.SIGKILL)
    assert (await process.exited()).code == 137


async def test_what_a_container_left_running_is_killed_with_it(tmp_path):
    process = await start(tmp_path, "sh", "-c", f"sleep 60 & echo $! >{tmp_path}/child; exit 0")
    assert (await process.exited()).code == 0
    child = int((tmp_path / "child").read_text())
    await until(lambda: not running(child), "the child is gone")


async def test_a_program_that_is_not_there_fails_to_start(tmp_path):
    with pytest.raises(StartFailed, match="not found"):
        await start(tmp_path, "/no/such/program")


async def test_another_process_with_the_same_id_is_not_taken_for_it(tmp_path):
    process = await start(tmp_path, "sleep", "60")
    other = ProcessRef(process.ref.pid, process.ref.session, process.ref.start_ticks + 1)
    assert process.ref.alive()
    assert not other.alive()
    Process(other, tmp_path).signal(signal.SIGKILL)
    assert process.ref.alive()
    process.signal(signal.SIGKILL)
    await process.exited()


def test_a_stat_line_is_read_whatever_the_program_is_called():
    line = "42 (a) b (c) S 1 40 41 " + " ".join(str(n) for n in range(7, 23))
    assert ProcessRef.parse(line) == ProcessRef(42, 41, 22)


STARTER = """
import asyncio, sys
from pathlib import Path
from lab.node.processes import Process
async def main():
    await Process.start(["sh", "-c", sys.argv[3]], {"PATH": sys.argv[2]}, Path(sys.argv[1]) / "run", Path(sys.argv[1]) / "log")
    print("started", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_a_process_outlives_kill_9_of_its_agent_and_its_exit_code_is_found(tmp_path):
    script = f"while [ ! -e {tmp_path}/end ]; do sleep 0.02; done; exit 9"
    agent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STARTER, str(tmp_path), PATH["PATH"], script, stdout=asyncio.subprocess.PIPE
    )
    assert agent.stdout is not None
    assert await agent.stdout.readline() == b"started\n"
    agent.kill()
    await agent.wait()
    adopted = Process.adopt(tmp_path / "run")
    assert adopted is not None
    assert adopted.ref.alive()
    (tmp_path / "end").touch()
    assert (await adopted.exited()).code == 9


async def test_an_end_that_nobody_saw_has_no_code(tmp_path):
    process = await start(tmp_path, "sleep", "60")
    os.kill(process.ref.session, signal.SIGKILL)  # the shim, which leads the session
    process.signal(signal.SIGKILL)
    assert (await process.exited()).code is None


async def test_nothing_can_be_adopted_where_nothing_was_started(tmp_path):
    assert Process.adopt(tmp_path) is None
    assert not kill_outright(tmp_path)


def test_a_record_is_read_as_it_was_written(tmp_path):
    run = Terminated(3, "Error", 1.0, 2.0, "m", "c")
    states = [
        ContainerState("a", "i", current=Running(5.0), last=run, restarts=2, started=True, ready=True),
        ContainerState("b", "i"),
    ]
    record = PodRecord("u", "ns", "p", "10.244.1.1", 4.0, {s.name: ContainerRecord(s, 2) for s in states})
    records = Records(tmp_path)
    records.write(record)
    assert records.read_all() == {"u": record}


async def test_sweep_ends_every_process_even_of_a_pod_whose_record_is_torn(tmp_path):
    records = Records(tmp_path)
    process = await Process.start(["sleep", "60"], PATH, records.attempt_dir("u", "c", 1), tmp_path / "log")
    (tmp_path / "pods" / "u" / "pod.json").write_text("{")
    assert records.read_all() == {}
    assert records.sweep() == 1
    assert not process.ref.alive()
    assert records.uids() == set()


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
