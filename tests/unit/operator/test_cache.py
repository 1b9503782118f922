from __future__ import annotations

from typing import Any

from canary.operator.cache import Cache
from canary.operator.interests import Interests, targets_of
from canary.operator.kinds import AUTOSCALER, CLUSTER_ANALYSIS_TEMPLATE, DEPLOYMENT, KUSTOMIZATION, REPLICA_SET, SERVICE


def obj(name: str, version: int, *, uid: str = "", owner: str = "", **rest):
    owners = [{"uid": owner, "controller": True, "kind": "Deployment", "name": "shop"}] if owner else []
    meta = {"namespace": "ns", "name": name, "uid": uid or name, "resourceVersion": str(version)}
    return {"metadata": {**meta, "ownerReferences": owners, "managedFields": [1]}, **rest}


def found(cache: Cache, name: str) -> Any:
    known = cache.get(SERVICE, "ns", name)
    assert known is not None
    return known


def test_an_older_event_does_not_undo_what_a_writes_answer_showed():
    cache = Cache()
    assert cache.put(SERVICE, obj("a", 7, spec="ours"))
    assert not cache.put(SERVICE, obj("a", 6, spec="older"))
    assert found(cache, "a")["spec"] == "ours"


def test_the_same_version_twice_is_no_news():
    cache = Cache()
    assert cache.put(SERVICE, obj("a", 7))
    assert not cache.put(SERVICE, obj("a", 7))


def test_a_late_answer_does_not_bring_a_deleted_object_back():
    cache = Cache()
    cache.put(SERVICE, obj("a", 7))
    assert cache.remove(SERVICE, obj("a", 9))
    assert not cache.put(SERVICE, obj("a", 8))
    assert cache.get(SERVICE, "ns", "a") is None


def test_a_new_object_of_the_same_name_survives_the_deletion_of_the_old_one():
    cache = Cache()
    cache.put(SERVICE, obj("a", 7, uid="old"))
    cache.put(SERVICE, obj("a", 10, uid="new"))
    assert not cache.remove(SERVICE, obj("a", 9, uid="old"))
    assert found(cache, "a")["metadata"]["uid"] == "new"


def test_a_list_tells_of_deletions_that_no_event_told_of():
    cache = Cache()
    cache.put(SERVICE, obj("stays", 3))
    cache.put(SERVICE, obj("went", 4))
    cache.put(SERVICE, obj("newer than the list", 12))
    assert cache.replace(SERVICE, [obj("stays", 3), obj("came", 8)], "10").keys() == {("ns", "went"), ("ns", "came")}
    assert {o["metadata"]["name"] for o in cache.all(SERVICE)} == {"stays", "came", "newer than the list"}


def test_owned_objects_follow_their_owner():
    cache = Cache()
    cache.put(REPLICA_SET, obj("rs", 1, owner="d1"))
    assert [o["metadata"]["name"] for o in cache.owned(REPLICA_SET, "d1")] == ["rs"]
    cache.put(REPLICA_SET, obj("rs", 2, owner="d2"))
    assert cache.owned(REPLICA_SET, "d1") == []
    cache.remove(REPLICA_SET, obj("rs", 3, owner="d2"))
    assert cache.owned(REPLICA_SET, "d2") == []


def test_managed_fields_are_not_kept():
    cache = Cache()
    cache.put(SERVICE, obj("a", 1))
    assert "managedFields" not in found(cache, "a")["metadata"]


ROLLOUT: dict[str, Any] = {
    "metadata": {"namespace": "ns", "name": "shop"},
    "spec": {
        "workload": {"name": "shop"},
        "service": {"name": "shop"},
        "traffic": {"gatewayAPI": {"route": {"name": "r"}}},
    },
}


def test_a_rollout_is_woken_by_what_it_names_and_by_what_belongs_to_it():
    interests = Interests()
    flux = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
    interests.update(("ns", "shop"), targets_of(ROLLOUT, {"metadata": {"labels": flux}}, "argocd"))

    def wakes(kind, obj):
        return interests.of(kind, obj) == {("ns", "shop")}

    assert wakes(DEPLOYMENT, obj("shop", 1))
    assert wakes(DEPLOYMENT, obj("shop-canary", 1))
    assert wakes(REPLICA_SET, obj("any", 1, owner="d"))
    assert wakes(AUTOSCALER, obj("any", 1, spec={"scaleTargetRef": {"name": "shop"}}))
    assert wakes(KUSTOMIZATION, {"metadata": {"namespace": "flux-system", "name": "apps"}})
    assert wakes(CLUSTER_ANALYSIS_TEMPLATE, {"metadata": {"name": "default"}})
    assert not wakes(DEPLOYMENT, obj("another", 1))
    assert not wakes(DEPLOYMENT, {"metadata": {"namespace": "other", "name": "shop"}})


def test_a_rollout_that_names_something_else_is_no_longer_woken_by_the_old():
    interests = Interests()
    interests.update(("ns", "shop"), targets_of(ROLLOUT, None, "argocd"))
    renamed = {**ROLLOUT, "spec": {**ROLLOUT["spec"], "workload": {"name": "new"}}}
    interests.update(("ns", "shop"), targets_of(renamed, None, "argocd"))
    assert not interests.of(DEPLOYMENT, obj("shop", 1))
    assert interests.of(DEPLOYMENT, obj("new", 1))
    interests.forget(("ns", "shop"))
    assert not interests.of(DEPLOYMENT, obj("new", 1))
