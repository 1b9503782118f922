"""What tests of the lab's rooms share: users without rights, processes and their namespaces."""

from __future__ import annotations

import collections
import contextlib
import os
from pathlib import Path

AS_NOBODY: tuple[str, ...] = ("unshare", "--user", "--map-user=1000", "--map-group=1000") if os.geteuid() == 0 else ()
"""In front of a command: it has no capability, but still its owner's files."""
OUTSIDE = {name: value for name, value in os.environ.items() if not name.startswith("CANARY_LAB_")}
"""The environment of a command that is not in a lab, though this process may be."""


def descendants(pid: int) -> set[int]:
    """All processes that descend from one."""
    children: dict[int, set[int]] = collections.defaultdict(set)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                children[int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])].add(int(entry.name))
    found: set[int] = set()
    todo = [pid]
    while todo:
        new = children[todo.pop()] - found
        found |= new
        todo.extend(new)
    return found


def namespaces(pid: int) -> set[str]:
    """The namespaces that a process is in, as `kind:[number]`; none when it has gone."""
    found: set[str] = set()
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/ns").iterdir():
            if not entry.name.endswith("_for_children"):
                found.add(str(entry.readlink()))
    return found
