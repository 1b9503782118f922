"""The lab itself works: what the other end-to-end tests stand on."""

from __future__ import annotations

import collections
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from lab import gitops, waiting
from lab.cluster import ApiRefused, CommandFailed, Lab
from lab.parts.git import GitRefused, git
from tests.rooms import AS_NOBODY, OUTSIDE, descendants

pytestmark = pytest.mark.lab


def ask(lab: Lab, host: str) -> tuple[int, str]:
    """Status and version of one answer through the gateway."""
    request = urllib.request.Request(lab.gateway_url, headers={"Host": host})
    with urllib.request.urlopen(request, timeout=5) as response:
        return response.status, response.headers["X-App-Version"]


def available(lab: Lab, namespace: str, name: str) -> None:
    lab.kubectl("rollout", "status", "--timeout=60s", f"--namespace={namespace}", f"deployment/{name}")


def query(lab: Lab, promql: str) -> list[dict[str, Any]]:
    url = f"{lab.prometheus_url}/api/v1/query?{urllib.parse.urlencode({'query': promql})}"
    with urllib.request.urlopen(url, timeout=5) as response:
        found: list[dict[str, Any]] = json.load(response)["data"]["result"]
        return found


def test_the_control_plane_is_ready_and_serves_mutating_policies(lab):
    assert lab.api("GET", "/readyz") == "ok"
    kinds = {item["kind"] for item in lab.api("GET", "/apis/admissionregistration.k8s.io/v1")["resources"]}
    assert "MutatingAdmissionPolicy" in kinds


def test_a_service_account_has_its_own_rights_and_no_more(lab, made_namespace):
    waiting.until("the ServiceAccount", lambda: lab.get("v1", "serviceaccounts", "default", made_namespace))
    kubeconfig = lab.kubeconfig_for("default", made_namespace)
    with pytest.raises(CommandFailed, match="cannot list resource"):
        lab.kubectl("get", "pods", f"--namespace={made_namespace}", kubeconfig=kubeconfig)


def test_a_weighted_route_serves_both_versions_through_envoy_by_their_weights(lab, made_namespace):
    host = f"{made_namespace}.example"
    lab.apply(
        gitops.dump(
            gitops.deployment("one", "v1", replicas=2),
            gitops.service("one"),
            gitops.deployment("two", "v2", replicas=1),
            gitops.service("two"),
            gitops.route("both", host, {"one": 80, "two": 20}),
            namespace=made_namespace,
        )
    )
    available(lab, made_namespace, "one")
    available(lab, made_namespace, "two")
    waiting.until("the gateway serves the route", lambda: ask(lab, host)[0] == 200)
    versions = collections.Counter(ask(lab, host)[1] for _ in range(1000))
    assert set(versions) == {"v1", "v2"}
    assert 130 <= versions["v2"] <= 270  # 200, 5.5 standard deviations of 12.6


def test_a_services_cluster_address_leads_to_its_ready_pods_alone(lab, made_namespace):
    lab.apply(gitops.dump(gitops.deployment("web", "v1", replicas=3), gitops.service("web"), namespace=made_namespace))
    available(lab, made_namespace, "web")
    address = lab.get("v1", "services", "web", made_namespace)["spec"]["clusterIP"]

    def pod() -> str:
        with urllib.request.urlopen(f"http://{address}/", timeout=2) as response:
            return str(response.headers["X-Pod"])

    def met() -> set[str]:
        return {pod() for _ in range(60)}  # misses one of three once in 10^10

    seen = waiting.until("all three pods", lambda: found if len(found := met()) == 3 else set())
    out = min(seen)
    found = lab.get("v1", "pods", out, made_namespace)["status"]["podIP"]
    with urllib.request.urlopen(f"http://{found}:8080/-/knobs?ready=false", data=b"", timeout=2):
        pass
    waiting.until("the two that are ready", lambda: met() == seen - {out})


def test_flux_applies_a_commit_and_the_next_one_at_once_when_asked(lab, namespace):
    files = {"app.yaml": gitops.dump(gitops.deployment("web", "v1", replicas=1), gitops.service("web"))}
    app = gitops.App(lab, namespace, files, interval="10m")
    app.wait_applied(app.repository.head())
    available(lab, namespace, "web")
    second = app.push(
        "Two", {"app.yaml": gitops.dump(gitops.deployment("web", "v2", replicas=1), gitops.service("web"))}
    )
    app.wait_applied(second)
    image = lab.get("apps/v1", "deployments", "web", namespace)["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == "shop/web:v2"


def test_prometheus_scrapes_pods_with_their_labels_and_envoy(lab, made_namespace):
    host = f"{made_namespace}.example"
    objects = (gitops.deployment("web", "v1", replicas=2), gitops.service("web"), gitops.route("web", host))
    lab.apply(gitops.dump(*objects, namespace=made_namespace))
    available(lab, made_namespace, "web")
    waiting.until("the gateway serves the route", lambda: ask(lab, host)[0] == 200)
    pods = f'up{{namespace="{made_namespace}"}} == 1'
    waiting.until("both pods are scraped", lambda: len(query(lab, pods)) == 2)
    assert all(item["metric"]["pod_template_hash"] and item["metric"]["app"] == "web" for item in query(lab, pods))
    cluster = f'envoy_cluster_upstream_rq_total{{envoy_cluster_name=~"{made_namespace}.*"}} > 0'
    waiting.until("Envoy's counters are there", lambda: query(lab, cluster))


def test_a_repository_with_credentials_refuses_others_and_a_protected_branch_refuses_pushes(lab, namespace, tmp_path):
    repository = lab.create_repo(namespace, {"a": "1"}, credentials=("robot", "secret"))
    with pytest.raises(GitRefused, match=r"Authentication failed|could not read Username"):
        git("ls-remote", lab.git_url(namespace))
    git("clone", "-q", lab.git_url(namespace).replace("://", "://robot:secret@"), tmp_path / "clone")
    git("-C", tmp_path / "clone", "commit", "-q", "--allow-empty", "-m", "empty")
    repository.refuse_pushes("GH006: Protected branch update failed")
    with pytest.raises(GitRefused, match="GH006"):
        git("-C", tmp_path / "clone", "push", "-q", "origin", "HEAD:main")
    git("-C", tmp_path / "clone", "push", "-q", "origin", "HEAD:refs/heads/other")
    repository.allow_pushes()
    git("-C", tmp_path / "clone", "push", "-q", "origin", "HEAD:main")
    assert repository.log("-1", "--format=%s") == "empty"


def test_a_stopped_part_is_down_a_frozen_one_hangs_and_a_slow_one_answers_late(lab):
    with lab.faults.stopped("prometheus"), pytest.raises(OSError):
        query(lab, "up")
    with lab.faults.frozen("prometheus"), pytest.raises(TimeoutError):
        query(lab, "up")
    waiting.until("Prometheus answers again", lambda: query(lab, "up"))
    lab.faults.slow("prometheus", 0.5)
    started = time.monotonic()
    query(lab, "up")
    assert time.monotonic() - started >= 0.5


def test_the_api_server_comes_back_after_kill_9_with_all_it_had(lab, made_namespace):
    lab.faults.kill9("apiserver")
    with pytest.raises(OSError):
        lab.api("GET", "/readyz")
    lab.faults.start("apiserver")
    assert lab.get("v1", "namespaces", made_namespace)["status"]["phase"] == "Active"
    with pytest.raises(ApiRefused) as refused:
        lab.get("v1", "namespaces", "never-made")
    assert refused.value.status == 404


SECOND_LAB = """
import sys, time
from lab.cluster import Lab
with Lab.start((), project=False) as lab:
    print(lab.api("GET", "/readyz"), flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("rights", [pytest.param((), id="as-we-are"), pytest.param(AS_NOBODY, id="without-rights")])
def test_a_second_lab_runs_beside_the_first_and_ends_whole_when_its_keeper_is_killed(lab, rights):
    command = [*rights, sys.executable, "-m", "lab", "exec", "--no-build", "--", sys.executable, "-c", SECOND_LAB]
    keeper = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=OUTSIDE)
    try:
        assert keeper.stdout is not None
        assert keeper.stdout.readline().strip() == "ok"
        assert lab.api("GET", "/readyz") == "ok"
        inside = descendants(keeper.pid)
        assert len(inside) >= 5  # first process, relay, its Python, etcd, API server, controllers
        os.kill(keeper.pid, signal.SIGKILL)
        waiting.until("all its processes are gone", lambda: not any(Path(f"/proc/{pid}").exists() for pid in inside))
    finally:
        keeper.kill()
        keeper.communicate()
