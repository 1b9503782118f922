"""The canary copy beside the Deployment in Git, under the real Deployment and ReplicaSet controllers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from canary.api import names
from canary.api.patch import DEPLOYMENT, SERVICE, ObjectRef, Owner, controller_uid
from canary.core.state import Rejected
from canary.workload import rejected
from canary.workload.copy import delete_copy, find_template, render_canary_service, render_copy
from canary.workload.hashing import revision_of
from canary.workload.observe import canary_service, copy_view, workload_view
from lab import waiting
from lab.cluster import CommandFailed, Lab
from tests.e2e.writers import Operator, client_side_apply, read, read_all

pytestmark = pytest.mark.lab
RELEASE = "0123456789-1"


@pytest.fixture
def operator(lab: Lab) -> Operator:
    return Operator(lab, lab.kubeconfig_for(names.OPERATOR_SERVICE_ACCOUNT, names.OPERATOR_NAMESPACE))


@dataclass(frozen=True)
class App:
    """An app of two replicas; a ConfigMap stands for the Rollout that owns the copy."""

    lab: Lab
    operator: Operator
    namespace: str

    @property
    def owner(self) -> Owner:
        owner = read(self.lab, ObjectRef("v1", "ConfigMap", self.namespace, "rollout"))
        return Owner("v1", "ConfigMap", "rollout", owner["metadata"]["uid"])

    def get(self, kind: tuple[str, str], name: str = "web") -> dict[str, Any]:
        return read(self.lab, ObjectRef(*kind, self.namespace, name))

    def all(self, resource: str) -> list[dict[str, Any]]:
        return read_all(self.lab, resource, self.namespace)

    def copy(self) -> dict[str, Any]:
        return self.get(DEPLOYMENT, "web-canary")

    def write(self, image: str, **spec: Any) -> None:
        client_side_apply(self.lab, _deployment(self.namespace, image, **spec))

    def ensure(self, wanted_hash: str | None = None, replicas: int = 1, existing: dict[str, Any] | None = None) -> None:
        deployment = self.get(DEPLOYMENT)
        wanted = wanted_hash or revision_of(deployment["spec"]["template"]).template_hash
        template = find_template(wanted, deployment, self.all("replicasets"), existing)
        self.operator.write(render_copy(self.owner, deployment, template, RELEASE, replicas, 60, existing))

    def settled(self) -> None:
        def seen() -> bool:
            deployments = self.all("deployments")
            return all(
                d.get("status", {}).get("observedGeneration", 0) >= d["metadata"]["generation"]
                and d["status"].get("replicas", 0) == d["spec"]["replicas"]
                for d in deployments
            )

        waiting.until("every Deployment has its pods", seen, seconds=30)


@pytest.fixture
def app(lab: Lab, operator: Operator, made_namespace: str) -> App:
    app = App(lab, operator, made_namespace)
    lab.kubectl("create", "configmap", "rollout", "-n", made_namespace)
    app.write("v1")
    app.settled()
    return app


def test_the_copy_and_the_original_do_not_adopt_each_others_replica_sets(app: App) -> None:
    app.ensure(replicas=3)
    app.settled()
    copy = app.copy()
    (theirs,) = (rs for rs in app.all("replicasets") if controller_uid(rs) == copy["metadata"]["uid"])
    # The original's selector matches the copy's pods; it rolls, and scales, its own all the same.
    app.write("v2", replicas=4)
    app.settled()
    app.write("v1", replicas=2)
    app.settled()
    (still,) = (rs for rs in app.all("replicasets") if controller_uid(rs) == copy["metadata"]["uid"])
    assert (still["metadata"]["uid"], still["spec"]["replicas"]) == (theirs["metadata"]["uid"], 3)
    view = workload_view(app.get(DEPLOYMENT), app.all("replicasets"), "web")
    assert [rs.replicas for rs in view.active] == [2]


def test_the_hash_of_a_template_is_the_same_in_deployment_replica_set_and_copy(app: App) -> None:
    app.ensure()
    app.settled()
    view = workload_view(app.get(DEPLOYMENT), app.all("replicasets"), "web")
    copy = copy_view(app.copy(), app.all("replicasets"), app.all("pods"), now=0)
    assert copy is not None
    assert view.replica_set_of(view.revision.template_hash) is not None
    assert copy.template_hash == view.revision.template_hash
    assert copy.pod_template_hash
    assert copy.pod_template_hash not in {rs.pod_template_hash for rs in view.replica_sets}
    assert (copy.release, copy.replicas, copy.pods) == (RELEASE, 1, 1)


def test_applying_the_same_copy_again_writes_nothing(app: App) -> None:
    app.ensure()
    app.settled()
    before = app.copy()
    app.ensure(existing=before)
    assert app.copy()["metadata"]["generation"] == before["metadata"]["generation"]


def test_an_edit_of_the_copy_by_hand_is_seen_and_put_right(app: App) -> None:
    app.ensure()
    wanted = app.copy()
    app.lab.kubectl("set", "image", "deployment/web-canary", "-n", app.namespace, "web=edited")
    edited = copy_view(app.copy(), [], [], now=0)
    assert edited is not None
    assert edited.template_hash != revision_of(wanted["spec"]["template"]).template_hash
    app.ensure(existing=app.copy())
    assert app.copy()["spec"]["template"] == wanted["spec"]["template"]


def test_after_a_newer_commit_the_copy_is_corrected_from_its_own_template(app: App) -> None:
    candidate = revision_of(app.get(DEPLOYMENT)["spec"]["template"]).template_hash
    app.ensure()
    app.write("v2", revisionHistoryLimit=0)
    app.settled()
    app.ensure(candidate, replicas=2, existing=app.copy())
    assert app.copy()["spec"]["replicas"] == 2
    assert revision_of(app.copy()["spec"]["template"]).template_hash == candidate


def test_a_deployment_of_the_copys_name_that_is_somebody_elses_is_left_alone(app: App) -> None:
    theirs = _deployment(app.namespace, "theirs")
    theirs["metadata"]["name"] = "web-canary"
    client_side_apply(app.lab, theirs)
    app.operator.write(*delete_copy(app.owner, app.copy(), None))
    assert "deletionTimestamp" not in app.copy()["metadata"]


def test_the_copy_is_seen_until_its_last_pod_is_gone(app: App) -> None:
    app.ensure()
    app.settled()
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": app.namespace},
        "spec": spec,
    }
    client_side_apply(app.lab, body)
    service = app.get(SERVICE)
    app.operator.write(render_canary_service(app.owner, service, RELEASE, None))
    twin = app.get(SERVICE, "web-canary")
    assert canary_service(twin, [], RELEASE) == (True, 0)
    app.operator.write(*delete_copy(app.owner, app.copy(), twin))

    def gone() -> bool:
        try:
            copy = app.copy()
        except CommandFailed:
            return True
        view = copy_view(copy, app.all("replicasets"), app.all("pods"), now=0)
        assert view is not None
        assert view.deleting
        return False

    waiting.until("the copy is gone", gone, seconds=60)
    assert not [p for p in app.all("pods") if p["metadata"]["labels"].get(names.LABEL_TRACK)]
    assert len(app.all("services")) == 1


def test_the_list_of_rejected_versions_is_written_read_and_shortened(app: App) -> None:
    ref = ObjectRef("v1", "ConfigMap", app.namespace, names.REJECTED_CONFIGMAP)
    first, second = Rejected("t1", "v1", 1.0, "c1", "bad"), Rejected("t2", "v2", 2.0)
    web, other = (rejected.Listed(app.namespace, name, name) for name in ("web", "other"))
    app.operator.write(rejected.add(None, web, first))
    app.operator.write(rejected.add(None, other, second))
    app.operator.write(rejected.add(read(app.lab, ref), web, second))
    assert rejected.read(read(app.lab, ref), "web") == (first, second)
    for gone in (first, second):
        forgotten = rejected.forget(
            read(app.lab, ref), web, template_hash=gone.template_hash, version_hash=gone.version_hash
        )
        app.operator.write(forgotten)
    assert rejected.read(read(app.lab, ref), "web") == ()
    assert rejected.read(read(app.lab, ref), "other") == (second,)


@pytest.mark.parametrize(
    ("verb", "resource"),
    [("get", "secrets"), ("delete", "pods"), ("update", "deployments"), ("get", "configmaps"), ("create", "pods")],
)
def test_the_operator_may_not(app: App, verb: str, resource: str) -> None:
    with pytest.raises(CommandFailed):
        app.lab.kubectl("auth", "can-i", verb, resource, "-n", app.namespace, kubeconfig=app.operator.kubeconfig)


def _deployment(namespace: str, image: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace, "labels": {"app": "web"}},
        "spec": {
            "replicas": 2,
            # Pods never become ready where no node runs them: a roll must not wait for it.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "web", "image": image}]},
            },
            **spec,
        },
    }
