from __future__ import annotations

import pytest

from canary.api.names import API_VERSION, LABEL_RELEASE, LABEL_ROLLOUT, LABEL_TRACK
from canary.api.patch import ContentType, Owner
from canary.errors import ApiConflict, SpecInvalid
from canary.workload.copy import delete_copy, find_template, render_canary_service, render_copy
from canary.workload.hashing import template_hash
from canary.workload.selectors import matches
from tests.unit.workload.objects import deployment, replica_set, service, template

OWNER = Owner(API_VERSION, "Rollout", "web", "r-uid")
FOREIGN = {"metadata": {"name": "web-canary", "ownerReferences": [{"uid": "x", "controller": True}]}}


def _render(original, existing=None, **settings):
    found = find_template(template_hash(original["spec"]["template"]), original, [], None)
    given = {"release": "r-1", "replicas": 3, "progress_deadline_seconds": 60.0, **settings}
    return render_copy(OWNER, original, found, existing=existing, **given)


def test_the_copy_keeps_the_pods_labels_and_annotations_and_adds_track_and_release():
    body = _render(deployment(template(labels={"tier": "front"}, note="x"))).body
    metadata = body["spec"]["template"]["metadata"]
    assert metadata["labels"] == {"app": "web", "tier": "front", LABEL_TRACK: "canary", LABEL_RELEASE: "r-1"}
    assert metadata["annotations"] == {"note": "x"}


def test_the_copys_selector_matches_its_pods_and_not_stables():
    body = _render(deployment()).body
    assert matches(body["spec"]["selector"], body["spec"]["template"]["metadata"]["labels"])
    assert not matches(body["spec"]["selector"], template()["metadata"]["labels"])


def test_the_copys_selector_is_the_same_for_every_release_because_it_cannot_change():
    first, second = (_render(deployment(), release=release).body["spec"]["selector"] for release in ("r-1", "r-2"))
    assert first == second


def test_what_flux_argo_cd_and_we_wrote_on_the_original_is_left_off():
    meta = {
        "labels": {
            "app": "web",
            LABEL_ROLLOUT: "web",
            "kustomize.toolkit.fluxcd.io/name": "apps",
            "argocd.argoproj.io/instance": "apps",
        },
        "annotations": {
            "canary.delivery/held": "true",
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            "argocd.argoproj.io/tracking-id": "x",
            "deployment.kubernetes.io/revision": "4",
        },
    }
    metadata = _render(deployment(meta=meta, paused=True)).body["metadata"]
    assert metadata["labels"] == {"app": "web", LABEL_TRACK: "canary", LABEL_RELEASE: "r-1"}
    assert "annotations" not in metadata


def test_the_copy_is_never_paused_and_owned_by_the_rollout():
    patch = _render(deployment(paused=True))
    assert "paused" not in patch.body["spec"]
    assert patch.body["metadata"]["ownerReferences"] == [OWNER.reference()]
    assert (patch.content_type, patch.ref.name, patch.ref.namespace) == (ContentType.APPLY, "web-canary", "shop")
    assert patch.body["spec"]["replicas"] == 3


def test_the_deadline_is_longer_than_the_time_in_which_a_pod_must_stay_ready():
    assert _render(deployment()).body["spec"]["progressDeadlineSeconds"] == 60
    assert _render(deployment(minReadySeconds=90)).body["spec"]["progressDeadlineSeconds"] == 91


def test_the_copys_template_has_the_candidates_hash():
    original = deployment()
    body = _render(original).body
    assert template_hash(body["spec"]["template"]) == template_hash(original["spec"]["template"])


def test_a_copys_name_that_is_taken_is_refused():
    with pytest.raises(SpecInvalid, match="web-canary exists and does not belong to Rollout web"):
        _render(deployment(), existing=FOREIGN)
    with pytest.raises(SpecInvalid, match="web-canary"):
        render_canary_service(OWNER, service(), "r-1", FOREIGN)


def test_the_candidates_template_is_found_in_a_replica_set_or_in_the_copy_after_a_newer_commit():
    candidate = template("app:2")
    newer = deployment(template("app:3"))
    for sets, copy in (([replica_set("a", candidate)], None), ([], deployment(candidate))):
        found = find_template(template_hash(candidate), newer, sets, copy)
        assert found["spec"]["containers"][0]["image"] == "app:2"
        assert found["metadata"]["labels"] == {"app": "web"}
    with pytest.raises(ApiConflict, match="changed since it was read"):
        find_template(template_hash(candidate), newer, [], None)


def test_the_canarys_service_has_the_ports_and_none_of_the_addresses():
    spec = render_canary_service(OWNER, service(), "r-1", None).body["spec"]
    assert spec == {
        "type": "ClusterIP",
        "selector": {"app": "web", LABEL_TRACK: "canary", LABEL_RELEASE: "r-1"},
        "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}],
    }


def test_the_pin_of_the_root_service_is_not_copied():
    root = service(selector={"app": "web", "pod-template-hash": "stable"})
    assert "pod-template-hash" not in render_canary_service(OWNER, root, "r-1", None).body["spec"]["selector"]


def test_a_headless_service_stays_headless_and_unready_pods_are_never_published():
    root = service(clusterIP="None", type="ClusterIP", publishNotReadyAddresses=True)
    spec = render_canary_service(OWNER, root, "r-1", None).body["spec"]
    assert spec["clusterIP"] == "None"
    assert "publishNotReadyAddresses" not in spec


def test_hints_for_gateways_are_copied_and_what_would_act_twice_is_not():
    root = service(
        {"app": "web", LABEL_ROLLOUT: "web"},
        {
            "projectcontour.io/upstream-protocol.h2c": "80",
            "external-dns.alpha.kubernetes.io/hostname": "a.example",
            "service.beta.kubernetes.io/aws-load-balancer-type": "nlb",
            "canary.delivery/pin": "h",
        },
    )
    metadata = render_canary_service(OWNER, root, "r-1", None).body["metadata"]
    assert metadata["annotations"] == {"projectcontour.io/upstream-protocol.h2c": "80"}
    assert LABEL_ROLLOUT not in metadata["labels"]


@pytest.mark.parametrize("spec", [{"selector": None}, {"type": "ExternalName"}], ids=["no selector", "ExternalName"])
def test_a_service_that_selects_no_pods_is_refused(spec):
    with pytest.raises(SpecInvalid, match="has no selector"):
        render_canary_service(OWNER, service(**spec), "r-1", None)


def test_a_service_name_without_room_is_refused():
    root = service()
    root["metadata"]["name"] = "a" * 57
    with pytest.raises(SpecInvalid, match="63 characters"):
        render_canary_service(OWNER, root, "r-1", None)


def test_only_what_is_the_rollouts_is_deleted_and_in_the_foreground():
    ours = deployment(meta={"name": "web-canary", "ownerReferences": [OWNER.reference()]})
    (deletion,) = delete_copy(OWNER, ours, service())
    assert (deletion.ref.name, deletion.uid, deletion.propagation) == ("web-canary", "d-uid", "Foreground")
    assert delete_copy(OWNER, None, None) == ()
