"""The hold and the pin, on a real API server, against every way in which others write."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from canary.api import names
from canary.api.labelling import label, unlabel
from canary.api.patch import DEPLOYMENT, REPLICA_SET, SERVICE, Manifest, ObjectRef, Patch
from canary.core.state import Rejected
from canary.workload import hold, pin, rejected, scaling
from lab import waiting
from lab.cluster import CommandFailed, Lab
from tests.e2e.policies_in_force import wait_for_policies
from tests.e2e.writers import WRITERS, Operator, client_side_apply, put, read, read_all, server_side_apply

pytestmark = pytest.mark.lab
Writer = Callable[[Lab, Manifest], None]
everybody = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS.keys())


@pytest.fixture(scope="module")
def operator(running_lab: Lab) -> Operator:
    wait_for_policies(running_lab, routes=False)
    return Operator(running_lab, running_lab.kubeconfig_for(names.OPERATOR_SERVICE_ACCOUNT, names.OPERATOR_NAMESPACE))


@dataclass(frozen=True)
class App:
    """One app in a namespace of its own, as Git has it."""

    lab: Lab
    operator: Operator
    namespace: str

    @property
    def deployment_ref(self) -> ObjectRef:
        return ObjectRef(*DEPLOYMENT, self.namespace, "web")

    @property
    def service_ref(self) -> ObjectRef:
        return ObjectRef(*SERVICE, self.namespace, "web")

    def deployment(self, image: str, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": self.namespace, "labels": labels or {"app": "web"}},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "web", "image": image}]},
                },
                **spec,
            },
        }

    def service(self, **annotations: str) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "web",
                "namespace": self.namespace,
                **({"annotations": annotations} if annotations else {}),
            },
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
        }

    def take(self, ref: ObjectRef) -> None:
        self.operator.write(label(ref, read(self.lab, ref), "web"))

    def live(self) -> dict[str, Any]:
        return read(self.lab, self.deployment_ref)

    def live_service(self) -> dict[str, Any]:
        return read(self.lab, self.service_ref)

    @property
    def held(self) -> bool:
        live = self.live()
        return (
            live["spec"].get("paused") is True and live["metadata"]["annotations"].get(names.ANNOTATION_HELD) == "true"
        )

    def images_that_run(self) -> set[str]:
        """Those of ReplicaSets, once the controller has seen the Deployment as it is now."""

        def seen() -> bool:
            live = self.live()
            return bool(live.get("status", {}).get("observedGeneration", 0) >= live["metadata"]["generation"])

        waiting.until("the Deployment controller looked", seen, seconds=20)
        return {_image(rs) for rs in read_all(self.lab, "replicasets", self.namespace)}

    def let_go(self) -> Patch:
        return hold.let_go(self.deployment_ref, self.live()["metadata"]["resourceVersion"])

    def until_no_conflict(self, write: Callable[[], None]) -> None:
        """The Deployment controller writes its status at any moment; as the operator does, read again and try again."""

        def attempt() -> bool:
            try:
                write()
            except CommandFailed as error:
                if "Conflict" in str(error):
                    return False
                raise
            return True

        waiting.until("a write without a conflict", attempt, seconds=20)


@pytest.fixture
def empty(lab: Lab, operator: Operator, made_namespace: str) -> App:
    return App(lab, operator, made_namespace)


@pytest.fixture
def app(empty: App) -> App:
    client_side_apply(empty.lab, empty.deployment("v1"))
    empty.take(empty.deployment_ref)
    assert empty.images_that_run() == {"v1"}
    return empty


@pytest.fixture
def service(empty: App) -> App:
    client_side_apply(empty.lab, empty.service())
    empty.take(empty.service_ref)
    return empty


# --- the hold


@everybody
def test_a_new_template_is_held_in_the_write_that_brings_it(app: App, write: Writer) -> None:
    write(app.lab, app.deployment("v2"))
    assert app.held
    assert _image(app.live()) == "v2"
    assert app.images_that_run() == {"v1"}


@everybody
def test_paused_false_in_git_does_not_ship_the_new_template(app: App, write: Writer) -> None:
    write(app.lab, app.deployment("v2", paused=False))
    assert app.held
    write(app.lab, app.deployment("v2", paused=False))
    assert app.held
    assert app.images_that_run() == {"v1"}


@everybody
def test_a_commit_that_drops_the_label_and_changes_the_image_is_held(app: App, write: Writer) -> None:
    # Git owns the label for once, so that leaving it out takes it off.
    write(app.lab, app.deployment("v1", {"app": "web", names.LABEL_ROLLOUT: "web"}))
    write(app.lab, app.deployment("v2"))
    assert app.held
    assert app.live()["metadata"]["labels"][names.LABEL_ROLLOUT] == "web"
    assert app.images_that_run() == {"v1"}


def test_a_label_of_another_rollout_does_not_take_the_deployment_over(app: App) -> None:
    server_side_apply(app.lab, app.deployment("v1", {"app": "web", names.LABEL_ROLLOUT: "other"}))
    assert app.live()["metadata"]["labels"][names.LABEL_ROLLOUT] == "web"


def test_a_person_cannot_take_the_hold_off(app: App) -> None:
    client_side_apply(app.lab, app.deployment("v2"))
    app.until_no_conflict(lambda: _patch(app.lab, app.let_go()))
    _patch(app.lab, unlabel(app.deployment_ref))
    assert app.held
    assert app.images_that_run() == {"v1"}


def test_the_operator_lets_go_in_one_patch(app: App) -> None:
    client_side_apply(app.lab, app.deployment("v2"))
    app.until_no_conflict(lambda: app.operator.write(app.let_go()))
    live = app.live()
    assert not live["spec"].get("paused")
    assert names.ANNOTATION_HELD not in live["metadata"]["annotations"]
    assert app.images_that_run() == {"v1", "v2"}


def test_a_commit_that_lands_between_verdict_and_patch_is_not_let_go(app: App) -> None:
    client_side_apply(app.lab, app.deployment("v2"))
    judged = app.live()["metadata"]["resourceVersion"]
    client_side_apply(app.lab, app.deployment("v3"))
    with pytest.raises(CommandFailed, match=r"(?i)conflict|modified"):
        app.operator.write(hold.let_go(app.deployment_ref, judged))
    assert app.held
    assert app.images_that_run() == {"v1"}


def test_the_operator_cannot_let_go_and_change_the_template_at_once(app: App) -> None:
    client_side_apply(app.lab, app.deployment("v2"))
    template = {"metadata": {"annotations": {"x": "y"}}}
    body = {"metadata": {"annotations": {names.ANNOTATION_HELD: None}}, "spec": {"paused": None, "template": template}}
    app.operator.write(Patch(app.deployment_ref, body))
    assert app.held


def test_letting_go_of_stables_own_template_rolls_nothing(app: App) -> None:
    client_side_apply(app.lab, app.deployment("v2"))
    client_side_apply(app.lab, app.deployment("v1"))
    assert app.held
    app.until_no_conflict(lambda: app.operator.write(app.let_go()))
    assert not app.held
    assert len(read_all(app.lab, "replicasets", app.namespace)) == 1
    assert app.images_that_run() == {"v1"}


def test_a_break_glass_member_takes_the_hold_off(app: App) -> None:
    client_side_apply(app.lab, app.deployment("v2"))
    member = "--as=somebody", "--as-group=system:masters", f"--as-group={names.BREAK_GLASS_GROUP}"
    app.until_no_conflict(lambda: _patch(app.lab, app.let_go(), *member))
    assert not app.held
    assert app.images_that_run() == {"v1", "v2"}


def test_creation_is_not_held(empty: App) -> None:
    client_side_apply(empty.lab, empty.deployment("v1", {"app": "web", names.LABEL_ROLLOUT: "web"}))
    assert not empty.held
    assert empty.images_that_run() == {"v1"}


def _reject(app: App, *versions: str) -> None:
    """Write the namespace's list as the operator does, and wait until the API server has it."""
    whose = rejected.Listed(app.namespace, "web-rollout", "web")
    present = None
    for version in versions:
        entry = Rejected(f"t-{version}", f"v-{version}", 1.0, images=(version,))
        write = rejected.add(present, whose, entry)
        app.operator.write(write)
        present = read(app.lab, write.ref)
    probe = app.deployment("")
    containers = [{"name": f"c{i}", "image": image} for i, image in enumerate(versions[-1].split())]
    probe["spec"]["template"]["spec"]["containers"] = containers

    def acts() -> bool:
        made = app.lab.kubectl("create", "-f", "-", "--dry-run=server", "-o", "yaml", input=yaml.safe_dump(probe))
        return bool(yaml.safe_load(made)["spec"].get("paused"))

    waiting.until("the policy of first sight acts", acts, seconds=30)


@pytest.mark.parametrize("write", [client_side_apply, server_side_apply], ids=["client-side", "server-side"])
def test_a_deployment_that_is_made_with_a_rejected_version_is_held_in_the_write_that_makes_it(
    empty: App, write: Writer
) -> None:
    _reject(empty, "v1", "v2")
    write(empty.lab, empty.deployment("v2"))
    assert empty.held
    assert empty.live()["metadata"]["labels"] == {"app": "web", names.LABEL_ROLLOUT: "web-rollout"}
    assert empty.images_that_run() == set()
    write(empty.lab, empty.deployment("v2", paused=False))
    write(empty.lab, empty.deployment("v3"))
    assert empty.held, "from then on it is held as any other"
    assert empty.images_that_run() == set()
    empty.until_no_conflict(lambda: empty.operator.write(empty.let_go()))
    assert empty.images_that_run() == {"v3"}


def test_a_deployment_that_is_made_with_another_version_or_under_another_name_is_not_held(empty: App) -> None:
    _reject(empty, "v2")
    other = empty.deployment("v2")
    other["metadata"]["name"] = "other"
    client_side_apply(empty.lab, other)
    client_side_apply(empty.lab, empty.deployment("v1"))
    assert not empty.held
    assert empty.images_that_run() == {"v1", "v2"}


def test_a_version_of_several_images_is_recognised_by_all_of_them(empty: App) -> None:
    _reject(empty, "init v2 sidecar")
    several = empty.deployment("v2")
    pod = several["spec"]["template"]["spec"]
    pod["initContainers"] = [{"name": "init", "image": "init"}]
    client_side_apply(empty.lab, several)
    assert not empty.held
    empty.lab.kubectl("delete", "deployment", "web", "-n", empty.namespace)
    pod["containers"].append({"name": "sidecar", "image": "sidecar"})
    client_side_apply(empty.lab, several)
    assert empty.held


def test_a_break_glass_member_makes_a_deployment_with_a_rejected_version(empty: App) -> None:
    _reject(empty, "v2")
    member = "--as=somebody", "--as-group=system:masters", f"--as-group={names.BREAK_GLASS_GROUP}"
    empty.lab.kubectl("create", "-f", "-", *member, input=yaml.safe_dump(empty.deployment("v2")))
    assert not empty.held


def test_a_deployment_without_the_label_is_left_alone(empty: App) -> None:
    client_side_apply(empty.lab, empty.deployment("v1"))
    client_side_apply(empty.lab, empty.deployment("v2"))
    assert not empty.held


def test_a_change_of_anything_but_the_template_is_not_held(app: App) -> None:
    client_side_apply(app.lab, app.deployment("v1", replicas=3, minReadySeconds=1))
    assert not app.held
    assert app.live()["spec"]["replicas"] == 3


def test_an_autoscaler_scales_while_held(app: App) -> None:
    client_side_apply(app.lab, app.deployment("v2"))
    app.lab.kubectl("scale", "deployment/web", "-n", app.namespace, "--replicas=4")
    assert app.live()["spec"]["replicas"] == 4
    assert app.held


def test_the_operator_holds_by_itself_and_takes_the_label_off(app: App) -> None:
    ref = app.deployment_ref
    app.until_no_conflict(lambda: app.operator.write(hold.hold(ref, app.live()["metadata"]["resourceVersion"])))
    assert app.held
    app.until_no_conflict(lambda: app.operator.write(app.let_go()))
    app.operator.write(unlabel(ref))
    assert names.LABEL_ROLLOUT not in app.live()["metadata"]["labels"]


def test_the_operator_scales_one_replica_set_while_held(app: App) -> None:
    client_side_apply(app.lab, app.deployment("v2"))
    (stable,) = read_all(app.lab, "replicasets", app.namespace)
    name = stable["metadata"]["name"]
    app.operator.write(scaling.scale_replica_set(app.namespace, name, 5))
    # The Deployment controller takes it back, which shows that the write arrived: the generation counts both.
    ref = ObjectRef(*REPLICA_SET, app.namespace, name)
    assert read(app.lab, ref)["metadata"]["generation"] > stable["metadata"]["generation"]


def test_a_history_limit_of_zero_is_refused_under_a_rollout(app: App) -> None:
    with pytest.raises(CommandFailed, match="revisionHistoryLimit of 1 or more"):
        client_side_apply(app.lab, app.deployment("v1", revisionHistoryLimit=0))


# --- the pin


@everybody
def test_the_pin_survives_a_sync_and_an_engines_sync_writes_nothing(empty: App, write: Writer) -> None:
    by_engine = write is not put
    (write if by_engine else client_side_apply)(empty.lab, empty.service())
    empty.take(empty.service_ref)
    empty.operator.write(pin.pin(empty.service_ref, "abc123", policies=True))
    before = empty.live_service()
    assert before["spec"]["selector"] == {"app": "web", names.POD_TEMPLATE_HASH: "abc123"}
    write(empty.lab, empty.service())
    after = empty.live_service()
    assert after["spec"]["selector"] == before["spec"]["selector"]
    assert after["metadata"]["annotations"][names.ANNOTATION_PIN] == "abc123"
    assert after["metadata"]["labels"][names.LABEL_ROLLOUT] == "web"
    if by_engine:
        assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_a_sync_that_changes_the_selector_keeps_the_pin(service: App) -> None:
    service.operator.write(pin.pin(service.service_ref, "abc123", policies=True))
    changed = service.service()
    changed["spec"]["selector"] = {"app": "web", "tier": "front"}
    server_side_apply(service.lab, changed)
    assert service.live_service()["spec"]["selector"] == {
        "app": "web",
        "tier": "front",
        names.POD_TEMPLATE_HASH: "abc123",
    }


def test_another_writers_pin_does_nothing(service: App) -> None:
    server_side_apply(service.lab, service.service(**{names.ANNOTATION_PIN: "forged"}))
    service.operator.write(Patch(service.service_ref, {"metadata": {"annotations": {"touched": "yes"}}}))
    live = service.live_service()
    assert names.ANNOTATION_PIN not in live["metadata"]["annotations"]
    assert live["spec"]["selector"] == {"app": "web"}


@pytest.mark.parametrize("value", ["forged", None], ids=["changed", "removed"])
def test_another_writer_cannot_move_the_pin(service: App, value: str | None) -> None:
    service.operator.write(pin.pin(service.service_ref, "abc123", policies=True))
    _patch(service.lab, pin.pin(service.service_ref, value, policies=False))
    live = service.live_service()
    assert live["metadata"]["annotations"][names.ANNOTATION_PIN] == "abc123"
    assert live["spec"]["selector"][names.POD_TEMPLATE_HASH] == "abc123"


def test_an_annotation_that_was_there_before_the_label_is_not_believed(empty: App) -> None:
    client_side_apply(empty.lab, empty.service(**{names.ANNOTATION_PIN: "forged"}))
    empty.take(empty.service_ref)
    live = empty.live_service()
    assert names.ANNOTATION_PIN not in live["metadata"]["annotations"]
    assert live["spec"]["selector"] == {"app": "web"}


def test_a_service_that_is_created_with_label_and_pin_is_not_believed(empty: App) -> None:
    forged = empty.service(**{names.ANNOTATION_PIN: "forged"})
    forged["metadata"]["labels"] = {names.LABEL_ROLLOUT: "web"}
    forged["spec"]["selector"][names.POD_TEMPLATE_HASH] = "forged"
    empty.lab.kubectl("create", "-f", "-", input=yaml.safe_dump(forged))
    live = empty.live_service()
    assert names.ANNOTATION_PIN not in live["metadata"].get("annotations", {})
    assert live["spec"]["selector"] == {"app": "web"}


def test_taking_the_pin_off_cleans_the_selector(service: App) -> None:
    service.operator.write(pin.pin(service.service_ref, "abc123", policies=True))
    service.operator.write(pin.pin(service.service_ref, None, policies=True))
    live = service.live_service()
    assert live["spec"]["selector"] == {"app": "web"}
    assert names.ANNOTATION_PIN not in live["metadata"].get("annotations", {})


def test_a_pin_that_is_no_hash_pins_nothing(service: App) -> None:
    service.operator.write(pin.pin(service.service_ref, "no hash!", policies=True))
    assert service.live_service()["spec"]["selector"] == {"app": "web"}


def test_without_the_policies_the_pin_is_written_and_cleaned_by_the_operator(empty: App) -> None:
    client_side_apply(empty.lab, empty.service())  # without the label, no policy acts
    empty.operator.write(pin.pin(empty.service_ref, "abc123", policies=False))
    assert empty.live_service()["spec"]["selector"][names.POD_TEMPLATE_HASH] == "abc123"
    empty.operator.write(pin.pin(empty.service_ref, None, policies=False))
    assert empty.live_service()["spec"]["selector"] == {"app": "web"}


def test_the_service_keeps_its_label_through_a_put(service: App) -> None:
    put(service.lab, service.service())
    assert service.live_service()["metadata"]["labels"][names.LABEL_ROLLOUT] == "web"


def test_an_operator_that_is_not_the_one_they_believe_ends_at_once_and_says_who_it_must_be(
    lab: Lab, operator: Operator
):
    command: list[str | Path] = [
        Path(sys.executable).with_name("canary"),
        "run",
        f"--kubeconfig={lab.kubeconfig}",
        "--listen=127.0.0.1:8099",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    (said,) = (line for line in done.stderr.splitlines() if line.startswith("error:"))
    assert f"the admission policies believe {names.OPERATOR_USER!r} only" in said


def _image(manifest: Manifest) -> str:
    return str(manifest["spec"]["template"]["spec"]["containers"][0]["image"])


def _patch(lab: Lab, patch: Patch, *identity: str) -> None:
    """Write a merge patch as the cluster's admin, or as somebody else: not as the operator."""
    kind = patch.ref.kind, patch.ref.name, "-n", patch.ref.namespace
    lab.kubectl("patch", *kind, "--type=merge", "-p", yaml.safe_dump(patch.body), *identity)
