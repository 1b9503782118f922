from __future__ import annotations

import copy
import json

import pytest

from canary.api.names import ANNOTATION_BACKENDS, ANNOTATION_SPLIT, API_VERSION, LABEL_ROLLOUT
from canary.api.patch import ContentType, Owner
from canary.api.traffic import Traffic
from canary.errors import NotFound, RouteNotOwned, SpecInvalid
from canary.traffic.gateway_api import AttachedRoute
from canary.traffic.gateway_api_managed import ManagedRoute
from canary.traffic.protocol import Split
from canary.traffic.registry import PROVIDERS, provider_of
from canary.traffic.shares import is_backend, shared

OWNER = Owner(API_VERSION, "Rollout", "web", "r-uid")


def _split(*, policies=True):
    return Split(OWNER, "shop", "web", "web-canary", 80, policies)


def _attached(*, policies=True):
    return AttachedRoute(_split(policies=policies), "web")


def _route(*rules, annotations=None, labels=None):
    return {
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "resourceVersion": "9",
            "generation": 1,
            "labels": {LABEL_ROLLOUT: "web"} if labels is None else labels,
            "annotations": annotations or {},
        },
        "spec": {"parentRefs": [{"name": "gw"}], "rules": [{"backendRefs": refs} for refs in rules]},
    }


def _ref(name="web", weight=1):
    return {"name": name, "port": 80, "weight": weight}


def _under_policy(route, weight):
    """The route as the policy makes it, which tests/e2e compares with the real one."""
    made = copy.deepcopy(route)
    made["metadata"]["annotations"][ANNOTATION_SPLIT] = f"web web-canary {100 - weight} {weight}"
    for rule in made["spec"]["rules"]:
        rule["backendRefs"] = shared(rule["backendRefs"], lambda r: is_backend(r, "web", "shop"), "web-canary", weight)
    return made


def _view(route, provider=None):
    provider = provider or _attached()
    view = provider.read({provider.ref: route})
    assert view is not None
    return view


# --- attached: reading


def test_a_route_that_does_not_exist_is_none():
    assert _attached().read({_attached().ref: None}) is None


def test_gits_own_route_has_no_weight():
    assert _view(_route([_ref()])).weight is None


@pytest.mark.parametrize("weight", [0, 1, 50, 100])
def test_the_weight_is_read_off_the_rules(weight):
    assert _view(_under_policy(_route([_ref()], [_ref(weight=80), _ref("other", 20)]), weight)).weight == weight


def test_a_weight_that_cannot_be_shared_exactly_is_what_was_asked():
    route = _under_policy(_route([_ref(weight=1), _ref("other", 1_000_000)]), 10)
    assert _view(route).weight == 10


def test_a_rule_that_lacks_the_canary_makes_the_weight_differ_from_what_was_asked():
    route = _under_policy(_route([_ref()]), 10)
    route["spec"]["rules"].append({"backendRefs": [_ref()]})
    assert _view(route).weight == 0


def test_backends_that_were_changed_under_the_annotation_are_told():
    route = _under_policy(_route([_ref()]), 10)
    route["spec"]["rules"][0]["backendRefs"][1]["weight"] = 90
    assert _view(route).weight == 50


def test_a_route_that_does_not_name_the_service_is_a_problem():
    assert _view(_route([_ref("other")])).problem == "no rule of HTTPRoute web has Service web as a backend"


def test_a_route_to_another_port_of_the_service_is_a_problem():
    assert _view(_route([{**_ref(), "port": 8081}])).problem == (
        "HTTPRoute web sends to port 8081 of Service web, and the Rollout says 80: correct spec.service.port, or the route"
    )


def test_one_rule_to_the_port_is_enough():
    assert _view(_route([{**_ref(), "port": 8081}], [_ref()])).problem == ""


def test_another_rollouts_route_is_told():
    view = _view(_route([_ref()], labels={LABEL_ROLLOUT: "api"}))
    assert (view.labelled, view.other_owner) == (False, "api")


# --- attached: writing


def test_with_policies_only_annotations_are_written_and_gits_backends_are_saved_once():
    (patch,) = _attached().set_weight({_attached().ref: _route([_ref()])}, 10, "9")
    metadata = patch.body["metadata"]
    assert "spec" not in patch.body
    assert metadata["resourceVersion"] == "9"
    assert metadata["annotations"][ANNOTATION_SPLIT] == "web web-canary 90 10"
    assert json.loads(metadata["annotations"][ANNOTATION_BACKENDS]) == [[_ref()]]
    (again,) = _attached().set_weight({_attached().ref: _under_policy(_route([_ref()]), 10)}, 50, None)
    assert ANNOTATION_BACKENDS not in again.body["metadata"]["annotations"]
    assert "resourceVersion" not in again.body["metadata"]


def test_without_policies_each_rule_is_written_and_tested_to_be_the_one_that_was_read():
    provider = _attached(policies=False)
    route = _route([_ref("other")], [_ref()], annotations={"note": "x"})
    (patch,) = provider.set_weight({provider.ref: route}, 10, "9")
    assert patch.content_type is ContentType.JSON
    operations = [(op["op"], op["path"]) for op in patch.body]
    assert operations == [
        ("replace", "/metadata/resourceVersion"),
        ("add", "/metadata/annotations/canary.delivery~1split"),
        ("add", "/metadata/annotations/canary.delivery~1git-backends"),
        ("test", "/spec/rules/1/backendRefs"),
        ("replace", "/spec/rules/1/backendRefs"),
    ]
    assert [r["weight"] for r in patch.body[-1]["value"]] == [90, 10]
    (forced,) = provider.set_weight({provider.ref: route}, 0, None)
    assert "/metadata/resourceVersion" not in {op["path"] for op in forced.body}


def test_another_rollouts_route_is_not_written():
    objects = {_attached().ref: _route([_ref()], labels={LABEL_ROLLOUT: "api"})}
    with pytest.raises(RouteNotOwned, match="belongs to Rollout api"):
        _attached().set_weight(objects, 10, None)
    assert _attached().restore(objects) == ()
    assert _attached().label(objects, on=True) == ()


def test_a_route_that_is_gone_cannot_be_given_a_weight():
    with pytest.raises(NotFound, match="HTTPRoute shop/web does not exist"):
        _attached().set_weight({_attached().ref: None}, 10, None)
    assert _attached().restore({_attached().ref: None}) == ()


# --- attached: restoring


def _saved(route):
    """What the first write saves, put on the route."""
    (patch,) = _attached().set_weight({_attached().ref: route}, 10, None)
    marked = copy.deepcopy(route)
    marked["metadata"]["annotations"].update(patch.body["metadata"]["annotations"])
    return marked


def _restored(route, *, policies=True):
    (patch,) = _attached(policies=policies).restore({_attached().ref: route})
    assert patch.body["metadata"]["annotations"] == {ANNOTATION_SPLIT: None, ANNOTATION_BACKENDS: None}
    return patch.body.get("spec")


def test_nothing_of_ours_is_nothing_to_restore():
    assert _attached().restore({_attached().ref: _route([_ref()])}) == ()


def test_with_policies_the_annotations_end_restores_the_backends():
    assert _restored(_under_policy(_saved(_route([_ref(weight=7)])), 10)) is None


def test_without_policies_the_backends_are_written_back():
    spec = _restored(_under_policy(_saved(_route([_ref(weight=7)], [])), 10), policies=False)
    assert spec == {"rules": [{"backendRefs": [_ref(weight=7)]}, {"backendRefs": []}]}


def test_weights_too_large_to_be_scaled_exactly_come_from_what_was_saved():
    git = _route([_ref(weight=70_001), _ref("other", 333_333)])
    spec = _restored(_under_policy(_saved(git), 10))
    assert spec == {"rules": git["spec"]["rules"]}


def test_what_git_changed_during_the_release_is_kept():
    newer = _under_policy(_route([_ref(weight=3)], [_ref(weight=5)]), 10)
    newer["metadata"]["annotations"][ANNOTATION_BACKENDS] = json.dumps([[_ref(weight=7)]])
    spec = _restored(newer, policies=False)
    assert spec == {"rules": [{"backendRefs": [_ref(weight=3)]}, {"backendRefs": [_ref(weight=5)]}]}


@pytest.mark.parametrize("saved", ["", "no json", "{}", "[7]", "[[7]]", '[[{"name": 1}]]'])
def test_a_spoiled_memory_of_gits_backends_does_no_harm(saved):
    route = _under_policy(_route([_ref(weight=7)]), 10)
    route["metadata"]["annotations"][ANNOTATION_BACKENDS] = saved
    assert _restored(route, policies=False) == {"rules": [{"backendRefs": [_ref(weight=7)]}]}


def test_a_canary_that_was_left_behind_without_annotation_is_taken_out_by_the_operator_itself():
    route = _under_policy(_route([_ref(weight=7)]), 10)
    route["metadata"]["annotations"] = {}
    assert _restored(route) == {"rules": [{"backendRefs": [_ref(weight=7)]}]}


# --- managed


def _managed():
    return ManagedRoute(_split(), "gw", "infra", "", ("a.example",))


def _applied(patch):
    body = copy.deepcopy(patch.body)
    body["metadata"].update(resourceVersion="1", generation=1)
    body["spec"]["parentRefs"][0].update(group="gateway.networking.k8s.io", kind="Gateway")
    return body


def test_a_managed_route_is_made_when_it_is_labelled():
    provider = _managed()
    assert not provider.read({provider.ref: None}).labelled
    (patch,) = provider.label({provider.ref: None}, on=True)
    assert patch.body["spec"] == {
        "parentRefs": [{"name": "gw", "namespace": "infra"}],
        "hostnames": ["a.example"],
        "rules": [{"backendRefs": [{"name": "web", "port": 80, "weight": 100}]}],
    }
    view = _view(_applied(patch), provider)
    assert (view.labelled, view.weight, view.other_owner) == (True, None, "")


def test_a_managed_route_is_split_and_restored():
    provider = _managed()
    (patch,) = provider.set_weight({provider.ref: None}, 10, None)
    route = _applied(patch)
    assert _view(route, provider).weight == 10
    (back,) = provider.restore({provider.ref: route})
    assert _view(_applied(back), provider).weight is None
    assert provider.restore({provider.ref: _applied(back)}) == ()


def test_a_managed_route_that_the_rollout_says_otherwise_is_applied_again_at_its_weight():
    provider = _managed()
    (patch,) = provider.set_weight({provider.ref: None}, 10, None)
    moved = ManagedRoute(_split(), "gw2", "infra", "", ("a.example",))
    assert not _view(_applied(patch), moved).labelled
    (corrected,) = moved.label({moved.ref: _applied(patch)}, on=True)
    assert _view(_applied(corrected), moved).labelled
    assert _view(_applied(corrected), moved).weight == 10


def test_somebody_elses_route_of_that_name_is_left_alone():
    provider = _managed()
    theirs = {provider.ref: _route([_ref()])}
    assert _view(theirs[provider.ref], provider).other_owner == "somebody else"
    assert provider.label(theirs, on=True) == ()
    with pytest.raises(RouteNotOwned):
        provider.set_weight(theirs, 10, None)


# --- the registry


def test_the_provider_is_chosen_by_its_key():
    attached = Traffic.model_validate({"gatewayAPI": {"route": {"name": "web"}}})
    managed = Traffic.model_validate({"gatewayAPI": {"gateway": {"name": "gw"}, "hostnames": ["a.example"]}})
    assert provider_of(attached, _split()) == _attached()
    assert provider_of(managed, _split()) == ManagedRoute(_split(), "gw", "", "", ("a.example",))


def test_a_provider_that_is_not_served_is_refused_with_the_names_of_those_that_are():
    with pytest.raises(SpecInvalid, match=r"spec\.traffic\.istio is not served yet: use one of gatewayAPI"):
        provider_of(Traffic.model_validate({"istio": {}}), _split())
    assert set(PROVIDERS) == {"gatewayAPI"}
