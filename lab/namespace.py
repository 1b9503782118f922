"""A room of its own for each lab: network, processes and mounts that nobody outside can meet, and that end together.

The process that enters stays outside as the keeper. Inside, the first process (pid 1 of the new namespace) runs the
command. When it ends, the kernel kills every process of the namespace; when the keeper dies, even by `kill -9`, the
kernel kills the first process. So nothing of a lab outlives it, whatever happens.

Sockets belong to the network they were made in. The keeper opens its listeners before it enters, and the relay inside
inherits them: that is how a page of the lab is reached from outside.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import ipaddress
import os
import select
import shutil
import signal
import socket
import struct
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from lab import relay

SYSTEM_ADDRESS: Final = relay.SYSTEM
"""Where the lab's own parts listen."""
POD_NETWORK: Final = "10.244.0.0/16"
"""Every address of it is local inside: a pod binds its own, no device is needed."""
SERVICE_NETWORK: Final = "10.96.0.0/16"
"""Cluster addresses of Services. It leads into the loopback, where kube-proxy's rules turn it to a pod's address."""
STATE_VARIABLE: Final = "CANARY_LAB_STATE"
"""Set inside only: the folder of this lab."""
OUTSIDE_VARIABLE: Final = "CANARY_LAB_OUTSIDE"
"""Set inside only: `name=port` of each listener on the loopback of the outside, separated by commas."""

_PREFIX: Final = "canary-lab-"
_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x20000, 0x10000000, 0x20000000, 0x40000000
_PR_SET_PDEATHSIG: Final = 1
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REC, _MS_PRIVATE = 2, 4, 8, 16384, 1 << 18
_SIOCSIFADDR, _SIOCSIFFLAGS, _SIOCSIFNETMASK, _SIOCGIFFLAGS = 0x8916, 0x8914, 0x891C, 0x8913
_SIOCADDRT, _RTF_UP = 0x890B, 1
_libc: Final = ctypes.CDLL(None, use_errno=True)


class NamespaceRefused(RuntimeError):
    """The kernel does not let this user make a network namespace."""


def inside() -> bool:
    return STATE_VARIABLE in os.environ


def state_folder() -> Path:
    """Give the folder of the lab that this process runs in. Raises NamespaceRefused outside of one."""
    if not inside():
        raise NamespaceRefused("this must run inside the lab's network: python -m lab exec -- COMMAND")
    return Path(os.environ[STATE_VARIABLE])


def outside_ports() -> dict[str, int]:
    """Ports of the outside's loopback by what they lead to. Raises NamespaceRefused outside of a lab."""
    state_folder()
    return {
        name: int(port) for name, _, port in (item.partition("=") for item in os.environ[OUTSIDE_VARIABLE].split(","))
    }


def run(command: list[str], *, state: Path | None = None) -> int:
    """Run the command in a new namespace and give its exit code; its folder goes when it ends, unless it was named."""
    sweep()
    # Under a name that no sweep() looks at until it is locked, which says that this lab lives.
    folder = state or Path(tempfile.mkdtemp(prefix=f".{_PREFIX}"))
    folder.mkdir(parents=True, exist_ok=True)
    listeners = {name: _listener() for name in relay.TARGETS}
    try:
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if state is None:
                folder = folder.rename(folder.with_name(folder.name.removeprefix(".")))
            return _keep(command, folder, listeners)
    finally:
        if state is None:
            shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Remove the folders of labs whose keeper was killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/"):
        with contextlib.suppress(OSError), (folder / "lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


def running() -> list[tuple[Path, int]]:
    """Folder and first process (as seen from outside) of each lab that runs on this machine, newest first."""
    found = []
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/"):
        with contextlib.suppress(OSError, ValueError), (folder / "lock").open("r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # its keeper lives
                found.append((folder.stat().st_mtime, folder, int((folder / "pid").read_text())))
    return [(folder, pid) for _, folder, pid in sorted(found, reverse=True)]


def _keep(command: list[str], folder: Path, listeners: dict[str, socket.socket]) -> int:
    _unshare()
    alive, keeper = os.pipe()  # the reading end closes its other side when the keeper is gone
    go_read, go_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(keeper)
        os.close(go_write)
        _first_process(command, folder, listeners, alive, go_read)
    os.close(alive)
    os.close(go_read)
    for listener in listeners.values():
        listener.close()
    (folder / "pid").write_text(str(pid))
    os.write(go_write, b"1")
    os.close(go_write)

    def forward(number: int, _: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    # Ctrl-C reaches the command from the terminal itself; forwarding would make two of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, forward)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _unshare() -> None:
    flags = _CLONE_NEWNET | _CLONE_NEWPID | _CLONE_NEWNS
    uid, gid = os.geteuid(), os.getegid()
    if uid != 0:
        flags |= _CLONE_NEWUSER
    if _libc.unshare(flags) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise NamespaceRefused(
            f"the lab needs a network namespace and the kernel refused it ({reason}): run as root, "
            "or allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, "
            "kernel.apparmor_restrict_unprivileged_userns=0)"
        )
    if uid != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def _first_process(
    command: list[str], folder: Path, listeners: dict[str, socket.socket], alive: int, go: int
) -> NoReturn:
    """Pid 1 inside: sets up the room, runs the command, reaps orphans, and ends with the command's exit code."""
    code = 70  # EX_SOFTWARE, when the room itself cannot be set up
    try:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.read(go, 1)
        if select.select([alive], [], [], 0)[0]:  # the keeper died before the kernel was told to watch it
            os._exit(code)
        _mount_proc()
        _set_up_loopback()
        if os.fork() == 0:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the command's to answer
            relay.serve(listeners)
        environment = _environment(folder, listeners)
        for listener in listeners.values():
            listener.close()
        code = _run_and_reap(command, environment)
    except BaseException as error:
        print(f"[lab] {error!r}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


def _run_and_reap(command: list[str], environment: dict[str, str]) -> int:
    child = os.fork()
    if child == 0:
        try:
            os.execvpe(command[0], command, environment)
        except OSError as error:
            print(f"[lab] {command[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(127)

    def forward(number: int, _: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, forward)
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _environment(folder: Path, listeners: dict[str, socket.socket]) -> dict[str, str]:
    said = ",".join(f"{name}={item.getsockname()[1]}" for name, item in listeners.items())
    # A proxy of the outside cannot be reached from here, and pods' addresses must never be sent to one.
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {**kept, STATE_VARIABLE: str(folder), OUTSIDE_VARIABLE: said}


def _mount_proc() -> None:
    """Show this namespace's processes only; without it `ps` and every tool that reads /proc would see the outside."""
    if _libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None) != 0:
        raise OSError(ctypes.get_errno(), "mount --make-rprivate /")
    if _libc.mount(b"proc", b"/proc", b"proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, None) != 0:
        raise OSError(ctypes.get_errno(), "mount /proc")


def _set_up_loopback() -> None:
    """`ip link set lo up; ip addr add 10.244.0.1/16 dev lo; ip route add 10.96.0.0/16 dev lo`, without iproute2."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = fcntl.ioctl(control, _SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))
        (flags,) = struct.unpack("16xH14x", request)
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | 1))
        for call, address in ((_SIOCSIFADDR, SYSTEM_ADDRESS), (_SIOCSIFNETMASK, "255.255.0.0")):
            packed = struct.pack("16sHH4s8x", b"lo:0", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(control, call, packed)
        _add_route(control, ipaddress.ip_network(SERVICE_NETWORK))


def _add_route(control: socket.socket, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> None:
    """Lead a network into the loopback: not as addresses of our own, or clients would come from one of them."""

    def address(packed: bytes) -> bytes:
        return struct.pack("=HH4s8x", socket.AF_INET, 0, packed)

    device = ctypes.create_string_buffer(b"lo")
    ends = address(network.network_address.packed), address(bytes(4)), address(network.netmask.packed)
    # struct rtentry: destination, gateway, netmask, flags, (padding), metric, device, mtu, window, irtt
    route = struct.pack("@L16s16s16sHhLPhPLLH", 0, *ends, _RTF_UP, 0, 0, 0, 0, ctypes.addressof(device), 0, 0, 0)
    fcntl.ioctl(control, _SIOCADDRT, route)


def _listener() -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    return listener
