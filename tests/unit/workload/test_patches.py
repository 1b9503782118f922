"""Holds, pins and labels: the bodies, whose effect tests/e2e sees on a real API server."""

from __future__ import annotations

import pytest

from canary.api.labelling import label, other_owner, unlabel
from canary.api.names import ANNOTATION_HELD, ANNOTATION_PIN, ANNOTATION_SPLIT, LABEL_ROLLOUT
from canary.api.patch import DEPLOYMENT, SERVICE, ObjectRef
from canary.workload.hold import hold, let_go
from canary.workload.pin import pin
from canary.workload.scaling import scale_replica_set
from canary.workload.selectors import matches

WEB = ObjectRef(*DEPLOYMENT, "shop", "web")
ROOT = ObjectRef(*SERVICE, "shop", "web")


def test_letting_go_is_one_patch_with_the_judged_resource_version():
    assert let_go(WEB, "42").body == {
        "metadata": {"resourceVersion": "42", "annotations": {ANNOTATION_HELD: None}},
        "spec": {"paused": None},
    }


def test_the_operators_own_hold_carries_the_resource_version_too():
    body = hold(WEB, "42").body
    assert body["metadata"] == {"resourceVersion": "42", "annotations": {ANNOTATION_HELD: "true"}}
    assert body["spec"] == {"paused": True}


@pytest.mark.parametrize("value", ["h", None])
def test_with_policies_the_pin_leaves_the_selector_to_its_owner(value):
    assert pin(ROOT, value, policies=True).body == {"metadata": {"annotations": {ANNOTATION_PIN: value}}}
    assert pin(ROOT, value, policies=False).body["spec"] == {"selector": {"pod-template-hash": value}}


def test_labelling_takes_off_what_somebody_else_put_there_before():
    forged = {"metadata": {"annotations": {ANNOTATION_PIN: "x", ANNOTATION_SPLIT: "y", "note": "z"}}}
    assert label(ROOT, forged, "web").body["metadata"] == {
        "labels": {LABEL_ROLLOUT: "web"},
        "annotations": {ANNOTATION_PIN: None, ANNOTATION_SPLIT: None},
    }
    assert "annotations" not in label(ROOT, {"metadata": {}}, "web").body["metadata"]
    assert unlabel(ROOT).body == {"metadata": {"labels": {LABEL_ROLLOUT: None}}}


def test_another_rollouts_label_tells_its_name():
    assert other_owner({"metadata": {"labels": {LABEL_ROLLOUT: "api"}}}, "web") == "api"
    assert other_owner({"metadata": {"labels": {LABEL_ROLLOUT: "web"}}}, "web") == ""
    assert other_owner({"metadata": {}}, "web") == ""


def test_a_replica_set_is_scaled_through_its_subresource():
    patch = scale_replica_set("shop", "web-abc", 0)
    assert (patch.subresource, patch.body, patch.ref.kind) == ("scale", {"spec": {"replicas": 0}}, "ReplicaSet")


@pytest.mark.parametrize(
    ("selector", "matched"),
    [
        ({"matchLabels": {"a": "1"}}, True),
        ({"matchLabels": {"a": "2"}}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, False),
        ({"matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["1"]}]}, True),
        ({"matchExpressions": [{"key": "b", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "b", "operator": "DoesNotExist"}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Unknown"}]}, False),
        ({}, False),
    ],
)
def test_selectors_match_as_kubernetes_says(selector, matched):
    assert matches(selector, {"a": "1"}) is matched
