"""Who writes to the cluster in these tests: the operator with its own rights, and the ways of everybody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from canary.api.patch import ContentType, Delete, Manifest, ObjectRef, Patch, Write
from lab.cluster import Lab

_TYPES = {ContentType.MERGE: "merge", ContentType.JSON: "json"}


@dataclass(frozen=True)
class Operator:
    """Executes writes with the ServiceAccount that deploy/ gives the operator: a missing right fails the test."""

    lab: Lab
    kubeconfig: Path

    def write(self, *writes: Write | None) -> None:
        for write in writes:
            match write:
                case None:
                    pass
                case Delete():
                    self._run("delete", *_named(write.ref), "--cascade=foreground", "--wait=false")
                case Patch(content_type=ContentType.APPLY):
                    force = "--force-conflicts", f"--field-manager={write.field_manager}"
                    self._run("apply", "--server-side", *force, "-f", "-", stdin=json.dumps(write.body))
                case Patch():
                    part = [f"--subresource={write.subresource}"] if write.subresource else []
                    body = f"--type={_TYPES[write.content_type]}", "-p", json.dumps(write.body)
                    self._run("patch", *_named(write.ref), *body, f"--field-manager={write.field_manager}", *part)

    def _run(self, *arguments: str, stdin: str | None = None) -> None:
        self.lab.kubectl(*arguments, input=stdin, kubeconfig=self.kubeconfig)


def read(lab: Lab, ref: ObjectRef) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lab.kubectl("get", *_named(ref), "-o", "json"))
    return found


def read_all(lab: Lab, resource: str, namespace: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(lab.kubectl("get", resource, "-n", namespace, "-o", "json"))["items"]
    return found


def client_side_apply(lab: Lab, manifest: Manifest) -> None:
    lab.kubectl("apply", "-f", "-", input=json.dumps(manifest))


def server_side_apply(lab: Lab, manifest: Manifest) -> None:
    force = "--server-side", "--force-conflicts", "--field-manager=engine"
    lab.kubectl("apply", *force, "-f", "-", input=json.dumps(manifest))


def put(lab: Lab, manifest: Manifest) -> None:
    lab.kubectl("replace", "-f", "-", input=json.dumps(manifest))


WRITERS: dict[str, Callable[[Lab, Manifest], None]] = {
    "client-side apply": client_side_apply,
    "server-side apply": server_side_apply,
    "PUT": put,
}


def _named(ref: ObjectRef) -> tuple[str, ...]:
    group, _, version = ref.api_version.rpartition("/")
    kind = f"{ref.kind}.{version}.{group}" if group else ref.kind
    return kind, ref.name, "-n", ref.namespace
