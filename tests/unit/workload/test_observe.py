from __future__ import annotations

import pytest

from canary.api.names import ANNOTATION_HELD, ANNOTATION_PIN, LABEL_RELEASE, LABEL_ROLLOUT, LABEL_TRACK
from canary.workload.observe import canary_service, copy_view, service_view, workload_view
from tests.unit.workload.objects import (
    NOW,
    deployment,
    endpoint_slice,
    pod,
    replica_set,
    service,
    template,
)

MARKS = {LABEL_TRACK: "canary", LABEL_RELEASE: "r-1"}


def _copy(**meta):
    selector = {"matchLabels": {"app": "web", LABEL_TRACK: "canary"}}
    return deployment(
        template(labels=MARKS), meta={"uid": "c-uid", "labels": {"app": "web", **MARKS}, **meta}, selector=selector
    )


# --- the Deployment in Git


def test_replica_sets_that_run_come_first_and_then_the_newest():
    sets = [
        replica_set("old", template("app:0"), created="2027-01-01T00:00:00Z"),
        replica_set("new", template("app:2"), created="2027-01-03T00:00:00Z"),
        replica_set("serves", template("app:1"), replicas=2, ready=2, created="2027-01-02T00:00:00Z"),
        replica_set("anothers", template("app:1"), owner="somebody", replicas=9),
    ]
    view = workload_view(deployment(), sets, "web")
    assert [rs.pod_template_hash for rs in view.replica_sets] == ["serves", "new", "old"]
    assert [rs.ready for rs in view.active] == [2]
    assert view.replica_set_of(view.revision.template_hash) == view.replica_sets[0]


def test_a_rolled_out_deployment_is_told():
    sets = [replica_set("a", template(), replicas=2, ready=2)]
    assert workload_view(deployment(), sets, "web").rolled_out


@pytest.mark.parametrize(
    "change",
    [{"observedGeneration": 2}, {"updatedReplicas": 1}, {"availableReplicas": 1}, {"replicas": 3}],
    ids=lambda change: next(iter(change)),
)
def test_a_deployment_that_still_rolls_is_told(change):
    made = deployment()
    made["status"].update(change)
    assert not workload_view(made, [replica_set("a", template(), replicas=2)], "web").rolled_out


def test_a_held_template_that_never_ran_is_not_rolled_out_even_at_zero_replicas():
    made = deployment(template("app:2"), replicas=0)
    made["status"] = {"observedGeneration": 3}
    assert not workload_view(made, [replica_set("a", template("app:1"))], "web").rolled_out


@pytest.mark.parametrize(
    ("paused", "annotated", "held"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_held_means_paused_with_our_annotation(paused, annotated, held):
    meta = {"annotations": {ANNOTATION_HELD: "true"}} if annotated else {}
    view = workload_view(deployment(meta=meta, paused=paused), [], "web")
    assert (view.held, view.paused) == (held, paused)


@pytest.mark.parametrize(("owner", "labelled", "other"), [("web", True, ""), ("api", False, "api"), (None, False, "")])
def test_the_label_tells_whose_deployment_it_is(owner, labelled, other):
    labels = {} if owner is None else {LABEL_ROLLOUT: owner}
    view = workload_view(deployment(meta={"labels": labels}), [], "web")
    assert (view.labelled, view.other_owner) == (labelled, other)


def test_the_commit_belongs_to_the_deployments_template_only():
    view = workload_view(deployment(), [replica_set("a", template("app:0"))], "web", "c0ffee")
    assert view.revision.commit == "c0ffee"
    assert view.replica_sets[0].revision.commit == ""


# --- the copy


def test_no_copy_is_none():
    assert copy_view(None, [], [], NOW) is None


def test_only_ready_pods_of_the_wanted_release_count():
    pods = [
        pod("ready", MARKS, ready=True),
        pod("unready", MARKS),
        pod("going", MARKS, ready=True, deletionTimestamp="2027-01-15T08:00:00Z"),
        pod("older-release", {**MARKS, LABEL_RELEASE: "r-0"}, ready=True),
        pod("stables", {}, ready=True),
    ]
    view = copy_view(_copy(), [replica_set("h", template(labels=MARKS), owner="c-uid")], pods, NOW)
    assert view is not None
    assert (view.release, view.ready, view.pods, view.pod_template_hash) == ("r-1", 1, 4, "h")
    assert view.first_ready_at == NOW


def test_evicted_pods_do_not_count_as_existing():
    evicted = pod("evicted", MARKS)
    evicted["status"]["phase"] = "Failed"
    view = copy_view(_copy(), [], [evicted], NOW)
    assert view is not None
    assert view.pods == 0


def test_the_replica_set_of_an_older_release_does_not_give_the_hash():
    older = replica_set("old", template(labels={**MARKS, LABEL_RELEASE: "r-0"}), owner="c-uid", replicas=1)
    view = copy_view(_copy(), [older], [], NOW)
    assert view is not None
    assert view.pod_template_hash == ""


def test_of_two_replica_sets_of_a_release_the_one_with_the_copys_template_gives_the_hash():
    edited = replica_set("edited", template("app:9", labels=MARKS), owner="c-uid", replicas=1)
    right = replica_set("right", template(labels=MARKS), owner="c-uid", replicas=1)
    view = copy_view(_copy(), [edited, right], [], NOW)
    assert view is not None
    assert view.pod_template_hash == "right"


def test_a_copy_that_is_being_deleted_is_told():
    view = copy_view(_copy(deletionTimestamp="2027-01-15T08:00:00Z"), [], [], NOW)
    assert view is not None
    assert view.deleting


# --- Services


def test_endpoints_of_the_pinned_hash_are_those_of_its_pods():
    made = service({LABEL_ROLLOUT: "web"}, {ANNOTATION_PIN: "h1"}, selector={"app": "web", "pod-template-hash": "h1"})
    pods = [pod("a", {"pod-template-hash": "h1"}), pod("b", {"pod-template-hash": "h2"})]
    slices = [
        endpoint_slice(("a", True), ("b", True), ("gone", True), ("c", False)),
        endpoint_slice(("a", True), of="other"),
    ]
    view = service_view(made, slices, pods, "web")
    assert (view.labelled, view.pin, view.selector_hash) == (True, "h1", "h1")
    assert (view.ready_endpoints, view.pinned_endpoints) == (3, 1)


def test_an_unpinned_service_has_no_pinned_endpoints():
    view = service_view(service(), [endpoint_slice(("a", True))], [pod("a", {})], "web")
    assert (view.pin, view.selector_hash, view.ready_endpoints, view.pinned_endpoints) == (None, None, 1, 0)


def test_a_pod_with_two_address_families_is_one_endpoint_and_unknown_readiness_is_ready():
    view = service_view(service(), [endpoint_slice(("a", None)), endpoint_slice(("a", True))], [], "web")
    assert view.ready_endpoints == 1


def test_a_canary_service_of_another_release_has_no_endpoints():
    made = service(selector={"app": "web", **MARKS})
    slices = [endpoint_slice(("a", True))]
    assert canary_service(made, slices, "r-1") == (True, 1)
    assert canary_service(made, slices, "r-2") == (False, 0)
    assert canary_service(None, slices, "r-1") == (False, 0)
