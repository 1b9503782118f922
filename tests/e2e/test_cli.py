"""The `canary` command against the real API server, as a user with no more rights than it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from canary.api import names
from lab import waiting
from lab.cluster import Lab
from tests.unit.cli import samples

pytestmark = pytest.mark.lab

Done = subprocess.CompletedProcess[str]
RIGHTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: releaser, namespace: {namespace}}}
rules:
- {{apiGroups: [canary.delivery], resources: [rollouts], verbs: [get, list, watch, patch]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: releaser, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: releaser}}
subjects: [{{kind: ServiceAccount, name: releaser, namespace: {namespace}}}]
"""


class World:
    """A namespace, somebody who may release there, and Rollouts written by hand in the operator's place."""

    def __init__(self, lab: Lab, namespace: str) -> None:
        self.lab, self.namespace = lab, namespace
        lab.kubectl("create", "serviceaccount", "releaser", "-n", namespace)
        lab.apply(RIGHTS.format(namespace=namespace))
        self.kubeconfig = lab.kubeconfig_for("releaser", namespace)

    def put(self, document: dict[str, Any]) -> None:
        status = document.pop("status")
        document["metadata"] = {"name": document["metadata"]["name"], "namespace": self.namespace}
        self.lab.apply(json.dumps(document))
        self.lab.api("PATCH", f"{self._path()}/status", {"status": status}, content_type="application/merge-patch+json")

    def annotations(self) -> dict[str, str]:
        return dict(self.lab.api("GET", self._path())["metadata"].get("annotations", {}))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [str(Path(sys.executable).with_name("canary")), "-n", self.namespace, *arguments]
        environment = os.environ | {"KUBECONFIG": str(self.kubeconfig), "COLUMNS": "80"}
        return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def canary(self, *arguments: str) -> Done:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        return Done(arguments, process.returncode, out, err)

    def _path(self) -> str:
        return f"/apis/canary.delivery/v1alpha1/namespaces/{self.namespace}/rollouts/checkout"


@pytest.fixture
def world(lab: Lab, made_namespace: str) -> World:
    return World(lab, made_namespace)


@pytest.fixture
def watching(world: World) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `canary watch` and ends it in any case; returns when it has shown its first line."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = world.start("watch", "checkout", *arguments)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=10)


def test_a_rollout_is_listed_shown_and_explained(world: World):
    world.put(samples.in_step())
    assert "Step 2/4" in world.canary("get").stdout
    assert "10 % in force" in world.canary("status", "rollout/checkout").stdout
    assert "http-health/errors" in world.canary("why", "checkout").stdout
    assert json.loads(world.canary("get", "checkout", "-o", "json").stdout)["kind"] == "Rollout"
    missing = world.canary("status", "chekout")
    assert (missing.returncode, missing.stderr.count("\n")) == (3, 1)
    assert "did you mean checkout?" in missing.stderr


def test_what_people_ask_for_arrives_as_annotations_with_their_name(world: World):
    world.put(samples.in_step())
    assert world.canary("pause", "checkout").returncode == 0
    paused = world.annotations()[names.ANNOTATION_PAUSED]
    assert paused.startswith(f"system:serviceaccount:{world.namespace}:releaser at 20")
    assert world.canary("resume", "checkout").returncode == 0
    assert names.ANNOTATION_PAUSED not in world.annotations()
    assert world.canary("abort", "checkout").returncode == 0
    assert world.annotations()[names.ANNOTATION_ABORT] == samples.RELEASE_ID
    assert world.canary("approve", "checkout").returncode == 1


def test_watch_sees_the_rollback_and_ends_with_the_code_that_scripts_wait_for(world: World, watching):
    world.put(samples.in_step())
    hoping, fearing = watching("--until", "promoted"), watching("--until", "rolledBack")
    world.put(samples.awaiting_git())
    assert (hoping.wait(timeout=30), fearing.wait(timeout=30)) == (5, 0)


def test_watch_lives_through_a_restart_of_the_api_server(world: World, watching, lab: Lab):
    world.put(samples.in_step())
    process = watching("--until", "rolledBack")
    with lab.faults.stopped("apiserver"):
        assert process.stdout is not None
        assert "does not answer" in process.stdout.readline()
    waiting.until("the API server answers again", lambda: world.canary("status", "checkout").returncode == 0)
    world.put(samples.awaiting_git())
    assert process.wait(timeout=30) == 0


def test_without_an_api_server_the_answer_is_one_sentence(world: World, lab: Lab):
    with lab.faults.stopped("apiserver"):
        away = world.canary("status", "checkout")
    assert away.returncode == 4
    assert "does not answer (connection refused)" in away.stderr
    assert away.stderr.count("\n") == 1
