"""The lab's room, without a cluster in it: made by anybody, beside others, and gone with its keeper."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab import waiting
from tests.rooms import AS_NOBODY, OUTSIDE, descendants, namespaces

ROOM = """
import os, signal, socket
with socket.socket() as pod:
    pod.bind(("10.244.3.7", 8080))
    pod.listen()
    socket.create_connection(("10.244.3.7", 8080), timeout=5).close()
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.connect(("10.96.0.7", 80))
    print(client.getsockname()[0])
print(len([name for name in os.listdir("/proc") if name.isdigit()]), flush=True)
"""
"""A pod's address is its own, a Service's is reached from one, and no process of the outside is seen."""


def room(*command: str, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    line = [*before, sys.executable, "-m", "lab", "exec", "--no-build", "--", *command]
    return subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=OUTSIDE)


@pytest.fixture
def anybody() -> tuple[str, ...]:
    """What runs a command as a user without rights; skipped where the kernel lets no such user make namespaces."""
    tried = subprocess.run([*AS_NOBODY, "unshare", "--user", "--net", "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"this kernel lets no user make a network namespace: {tried.stderr.decode().strip()}")
    return AS_NOBODY


def test_a_user_without_rights_gets_a_room_with_addresses_for_pods_and_services(anybody):
    with room(sys.executable, "-c", ROOM, before=anybody) as keeper:
        said, _ = keeper.communicate(timeout=30)
    assert keeper.returncode == 0
    assert said.split() == ["10.244.0.1", "3"]  # its first process, the relay, and itself


def test_the_exit_code_of_a_command_is_the_rooms(anybody):
    with room("sh", "-c", "exit 7", before=anybody) as keeper:
        assert keeper.wait(30) == 7


@pytest.mark.parametrize("before", [pytest.param((), id="as-we-are"), pytest.param(None, id="without-rights")])
def test_a_room_beside_another_leaves_no_process_mount_or_namespace_when_its_keeper_is_killed(before, anybody):
    mounts = Path("/proc/self/mountinfo").read_text()
    command = ("sh", "-c", "mount -t tmpfs none /mnt; sleep 600 & echo up; wait")
    with contextlib.ExitStack() as ends:
        one, other = (room(*command, before=anybody if before is None else before) for _ in range(2))
        for keeper in (one, other):
            ends.callback(keeper.communicate)
            ends.callback(keeper.kill)
        for keeper in (one, other):
            assert keeper.stdout is not None
            assert keeper.stdout.readline().strip() == "up"
        inside = descendants(one.pid)
        own = {name for pid in inside for name in namespaces(pid)} - namespaces(os.getpid())
        assert len(inside) >= 4  # first process, relay, the shell and what it runs
        assert {name.split(":")[0] for name in own} >= {"net", "pid", "mnt"}
        os.kill(one.pid, signal.SIGKILL)
        waiting.until("its processes to go", lambda: not any(Path(f"/proc/{pid}").exists() for pid in inside))
        left = {entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit()}
        assert not any(namespaces(int(pid)) & own for pid in left)
        assert other.poll() is None
        assert descendants(other.pid), "the room beside it stands"
    assert Path("/proc/self/mountinfo").read_text() == mounts
