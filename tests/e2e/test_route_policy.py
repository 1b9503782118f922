"""The split of an attached HTTPRoute, on a real API server, against syncs, people and forgeries."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from canary.api import names
from canary.api.patch import HTTP_ROUTE, Manifest, ObjectRef, Owner, Patch
from canary.core.observed import TrafficView
from canary.traffic.gateway_api import AttachedRoute
from canary.traffic.gateway_api_managed import ManagedRoute
from canary.traffic.protocol import Objects, Provider, Split
from canary.traffic.shares import is_backend, shared
from lab.cluster import CommandFailed, Lab
from tests.e2e.policies_in_force import wait_for_policies
from tests.e2e.writers import WRITERS, Operator, client_side_apply, put, read, server_side_apply

pytestmark = pytest.mark.lab
Writer = Callable[[Lab, Manifest], None]

FILTER = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-version", "value": "v"}]}}
REDIRECT = {"type": "RequestRedirect", "requestRedirect": {"statusCode": 301}}


def _rule(path: str, *backends: tuple[str, int, int | None], **more: Any) -> dict[str, Any]:
    """One rule: backends as (name, port, weight), None where Git gives no weight."""
    refs = [{"name": n, "port": p, **({} if w is None else {"weight": w})} for n, p, w in backends]
    return {
        "matches": [{"path": {"type": "PathPrefix", "value": path}}],
        **({"backendRefs": refs} if refs else {}),
        **more,
    }


RULES: list[dict[str, Any]] = [
    {"backendRefs": [{"name": "web", "port": 80, "filters": [FILTER]}]},
    _rule("/beside-another", ("web", 80, 80), ("other", 80, 20)),
    _rule("/another-alone", ("other", 80, None)),
    _rule("/no-backend", filters=[REDIRECT]),
    _rule("/two-ports", ("web", 80, 3), ("web", 81, 0)),
    _rule("/large-weights", ("web", 80, 70_000), ("other", 80, 333_333)),
    _rule("/elsewhere", backendRefs=[{"name": "web", "namespace": "elsewhere", "port": 80}]),
]


@pytest.fixture(scope="module")
def operator(running_lab: Lab) -> Operator:
    wait_for_policies(running_lab, routes=True)
    return Operator(running_lab, running_lab.kubeconfig_for(names.OPERATOR_SERVICE_ACCOUNT, names.OPERATOR_NAMESPACE))


@dataclass(frozen=True)
class App:
    """A route in a namespace of its own, as Git has it, and the provider that is attached to it."""

    lab: Lab
    operator: Operator
    namespace: str
    policies: bool = True

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef(*HTTP_ROUTE, self.namespace, "web")

    @property
    def split(self) -> Split:
        owner = Owner(names.API_VERSION, "Rollout", "web", "0f2d7c1e-0000-4000-8000-000000000000")
        return Split(owner, self.namespace, "web", "web-canary", 80, self.policies)

    @property
    def provider(self) -> Provider:
        return AttachedRoute(self.split, "web")

    def git(self, rules: Sequence[Any] | None = None, annotations: dict[str, str] | None = None) -> dict[str, Any]:
        return {
            "apiVersion": HTTP_ROUTE[0],
            "kind": HTTP_ROUTE[1],
            "metadata": {
                "name": "web",
                "namespace": self.namespace,
                **({"annotations": annotations} if annotations else {}),
            },
            "spec": {"parentRefs": [{"name": "served-by-nobody"}], "hostnames": ["a.example"], "rules": rules or RULES},
        }

    def live(self) -> dict[str, Any]:
        return read(self.lab, self.ref)

    def backends(self) -> list[Any]:
        return [rule.get("backendRefs") for rule in self.live()["spec"]["rules"]]

    def objects(self) -> Objects:
        return {self.ref: self.live()}

    def view(self) -> TrafficView:
        view = self.provider.read(self.objects())
        assert view is not None
        return view

    def give(self, weight: int, resource_version: str | None = None) -> None:
        self.operator.write(*self.provider.set_weight(self.objects(), weight, resource_version))

    def restore(self) -> None:
        self.operator.write(*self.provider.restore(self.objects()))

    def by_another(self, body: dict[str, Any]) -> None:
        self.lab.kubectl("patch", "httproute", "web", "-n", self.namespace, "--type=merge", "-p", json.dumps(body))


@pytest.fixture
def empty(lab: Lab, operator: Operator, made_namespace: str) -> App:
    return App(lab, operator, made_namespace)


@pytest.fixture
def app(empty: App) -> App:
    server_side_apply(empty.lab, empty.git())
    empty.operator.write(*empty.provider.label(empty.objects(), on=True))
    assert empty.view().labelled
    return empty


def test_every_rule_is_shared_and_restored_as_the_pure_functions_say(app: App) -> None:
    git = app.backends()
    for weight in (1, 10, 50, 100, 33, 0):
        app.give(weight)
        expected = [None if refs is None else _shared(refs, app.namespace, weight) for refs in git]
        if weight == 1:
            assert app.backends() == expected
        assert app.view().weight == weight
    app.restore()
    assert app.backends() == git
    assert not app.live()["metadata"].get("annotations")
    assert app.view().weight is None


def test_the_canarys_backend_is_a_copy_of_the_services_own(app: App) -> None:
    app.give(10)
    stable, canary = app.backends()[0]
    assert canary == {**stable, "name": "web-canary", "weight": 10}
    assert canary["filters"] == [FILTER]


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS.keys())
def test_the_split_survives_a_sync_and_an_engines_sync_writes_nothing(empty: App, write: Writer) -> None:
    by_engine = write is not put
    (write if by_engine else client_side_apply)(empty.lab, empty.git())
    empty.operator.write(*empty.provider.label(empty.objects(), on=True))
    empty.give(10)
    before = empty.live()
    write(empty.lab, empty.git())
    after = empty.live()
    assert after["spec"] == before["spec"]
    assert after["metadata"]["labels"] == before["metadata"]["labels"]
    for key in (names.ANNOTATION_SPLIT, names.ANNOTATION_BACKENDS):
        assert after["metadata"]["annotations"][key] == before["metadata"]["annotations"][key]
    if write is server_side_apply:
        assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_what_git_changes_in_mid_release_arrives_and_stays(app: App) -> None:
    app.give(10)
    rules = [
        {"backendRefs": [{"name": "web", "port": 80, "weight": 7}, {"name": "third", "port": 80, "weight": 3}]},
        {"matches": [{"path": {"type": "PathPrefix", "value": "/new"}}], "backendRefs": [{"name": "web", "port": 80}]},
    ]
    changed = app.git(rules)
    changed["spec"]["hostnames"] = ["b.example"]
    server_side_apply(app.lab, changed)
    assert app.live()["spec"]["hostnames"] == ["b.example"]
    assert app.view().weight == 10
    assert [ref["weight"] for ref in app.backends()[0]] == [630, 300, 70]
    app.give(50)
    app.restore()
    assert [[(ref["name"], ref["weight"]) for ref in refs] for refs in app.backends()] == [
        [("web", 7), ("third", 3)],
        [("web", 1)],
    ]


def test_a_persons_edit_of_another_field_does_not_scale_the_weights_again(app: App) -> None:
    app.give(10)
    before = app.backends()
    app.by_another({"spec": {"hostnames": ["c.example"]}})
    put(app.lab, app.live())
    assert app.backends() == before


def test_another_writers_split_does_nothing(app: App) -> None:
    git = app.backends()
    forged = {names.ANNOTATION_SPLIT: "web evil 0 100", names.ANNOTATION_BACKENDS: "[]"}
    server_side_apply(app.lab, app.git(annotations=forged))
    assert app.backends() == git
    # An annotation that was left in place would be believed at the operator's next write.
    app.operator.write(Patch(app.ref, {"metadata": {"annotations": {"touched": "yes"}}}))
    assert app.backends() == git
    assert app.live()["metadata"]["annotations"] == {"touched": "yes"}


@pytest.mark.parametrize("value", ["web web-canary 0 100", None], ids=["changed", "removed"])
def test_another_writer_cannot_move_the_split(app: App, value: str | None) -> None:
    app.give(10)
    before = app.live()
    app.by_another({"metadata": {"annotations": {names.ANNOTATION_SPLIT: value, names.ANNOTATION_BACKENDS: value}}})
    after = app.live()
    assert after["spec"] == before["spec"]
    assert after["metadata"]["annotations"] == before["metadata"]["annotations"]


@pytest.mark.parametrize("created_labelled", [True, False], ids=["with the label", "before the label"])
def test_a_split_that_was_there_before_the_operator_is_not_believed(empty: App, created_labelled: bool) -> None:
    forged = empty.git(annotations={names.ANNOTATION_SPLIT: "web evil 0 100"})
    if created_labelled:
        forged["metadata"]["labels"] = {names.LABEL_ROLLOUT: "web"}
    client_side_apply(empty.lab, forged)
    empty.operator.write(*empty.provider.label(empty.objects(), on=True))
    names_of_backends = {ref["name"] for refs in empty.backends() for ref in refs or ()}
    assert names_of_backends == {"web", "other"}
    assert names.ANNOTATION_SPLIT not in empty.live()["metadata"]["annotations"]


def test_a_value_that_is_no_split_does_nothing(app: App) -> None:
    git = app.backends()
    app.operator.write(Patch(app.ref, {"metadata": {"annotations": {names.ANNOTATION_SPLIT: "web web-canary 10 900"}}}))
    assert app.backends() == git


def test_a_raise_on_an_old_observation_fails_and_a_decrease_does_not(app: App) -> None:
    old = app.view().resource_version
    app.give(10, old)
    with pytest.raises(CommandFailed, match=r"(?i)conflict|modified"):
        app.give(50, old)
    assert app.view().weight == 10
    app.give(0)
    assert app.view().weight == 0


def test_a_break_glass_member_takes_the_traffic_back(app: App) -> None:
    app.give(50)
    body = {"metadata": {"annotations": {names.ANNOTATION_SPLIT: "web web-canary 100 0"}}}
    person = "--as=somebody", "--as-group=system:masters", f"--as-group={names.BREAK_GLASS_GROUP}"
    app.lab.kubectl("patch", "httproute", "web", "-n", app.namespace, "--type=merge", "-p", json.dumps(body), *person)
    assert app.view().weight == 0


def test_without_the_policies_the_operator_writes_the_backends_itself(empty: App) -> None:
    app = App(empty.lab, empty.operator, empty.namespace, policies=False)
    client_side_apply(app.lab, app.git())  # without the label, no policy acts
    git = app.backends()
    for weight in (10, 100, 0):
        app.give(weight, app.view().resource_version)
        assert app.view().weight == weight
    with pytest.raises(CommandFailed, match=r"(?i)conflict|modified"):
        app.give(50, "1")
    app.restore()
    assert app.backends() == git
    assert names.ANNOTATION_SPLIT not in app.live()["metadata"]["annotations"]


def test_a_managed_route_is_made_split_and_restored_by_the_operator(empty: App) -> None:
    # The garbage collector deletes what is owned by nobody: a ConfigMap stands for the Rollout.
    empty.lab.kubectl("create", "configmap", "web", "-n", empty.namespace)
    owner = read(empty.lab, ObjectRef("v1", "ConfigMap", empty.namespace, "web"))["metadata"]["uid"]
    split = replace(empty.split, owner=Owner("v1", "ConfigMap", "web", owner))
    managed = ManagedRoute(split, "served-by-nobody", "", "", ("a.example",))
    empty.operator.write(*managed.label({empty.ref: None}, on=True))
    assert managed.read(empty.objects()).labelled
    assert managed.read(empty.objects()).weight is None
    empty.operator.write(*managed.set_weight(empty.objects(), 10, managed.read(empty.objects()).resource_version))
    assert managed.read(empty.objects()).weight == 10
    with pytest.raises(CommandFailed, match=r"(?i)conflict|modified"):
        empty.operator.write(*managed.set_weight(empty.objects(), 50, "1"))
    empty.operator.write(*managed.restore(empty.objects()))
    assert managed.read(empty.objects()).weight is None
    assert managed.read(empty.objects()).labelled


def _shared(refs: list[dict[str, Any]], namespace: str, weight: int) -> list[dict[str, Any]]:
    return shared(refs, lambda ref: is_backend(ref, "web", namespace), "web-canary", weight)
