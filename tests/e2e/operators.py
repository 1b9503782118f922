"""The operator on the tests' lab: begun on a clean cluster, and its log read when it has ended."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from lab import waiting
from lab.cluster import Lab
from lab.parts.operator import Operator
from tests.e2e.policies_in_force import wait_for_policies


@contextlib.contextmanager
def running(lab: Lab, *parts: Operator, api_server_breaks: bool = False) -> Iterator[None]:
    """Run these replicas inside the block; a right that one lacked, or an error of its own, fails at the end.

    An API server that has just been started forbids everything for a moment: it has not read the roles yet.
    """
    lab.faults.mend()
    wait_for_policies(lab, routes=True)
    delete_left_rollouts(lab)
    before = {part.name: _size(part) for part in parts}  # of the modules before
    for part in parts:
        lab.add(part)
    yield
    for part in parts:
        part.process.stop()
        del lab.parts[part.name]
    for part in parts:
        log = part.process.log.read_bytes()[before[part.name] :].decode(errors="replace").splitlines()
        if not api_server_breaks:
            _check_rights(log)
        _check_errors(log)


def delete_left_rollouts(lab: Lab) -> None:
    """Delete what tests without an operator left.

    A namespace that goes while the API server is being restarted leaves its custom resources behind: they are listed,
    and cannot be written to, until a namespace of that name is there again.
    """
    path = "/apis/canary.delivery/v1alpha1/rollouts"
    found = waiting.until("the new kind to be served", lambda: lab.api("GET", path))["items"]
    left = {rollout["metadata"]["namespace"] for rollout in found}
    for name in sorted(left):
        lab.apply(f"{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}")
        lab.kubectl("delete", "rollouts.canary.delivery", "--all", f"--namespace={name}", "--timeout=20s")
        lab.kubectl("delete", "namespace", name, "--wait=false")


def _size(part: Operator) -> int:
    return part.process.log.stat().st_size if part.process.log.exists() else 0


def _check_rights(log: list[str]) -> None:
    # A full quota forbids, too, and the operator quotes it; it makes no pods itself.
    others = "being terminated", "exceeded quota"
    refused = [line for line in log if "forbidden: " in line and not any(other in line for other in others)]
    assert not refused, "the operator lacks a right:\n" + "\n".join(refused[:5])


def _check_errors(log: list[str]) -> None:
    broken = [n for n, line in enumerate(log) if line.startswith("Traceback") or '"exception"' in line]
    assert not broken, "the operator met an error of its own:\n" + "\n".join(log[broken[0] : broken[0] + 40])
