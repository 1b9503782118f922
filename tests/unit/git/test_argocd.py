from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from canary.git.argocd import argocd_owner, fetched_revision, from_argocd, is_behind, slim
from canary.git.provenance import NotFromGit, Provenance, Reference
from canary.git.sync import sync_request
from tests.unit.git.applications import (
    BAD,
    BEFORE,
    DESTINATION,
    NEWER,
    SOURCE,
    URL,
    application,
    changed,
    deployment,
    trying_again,
)

PUSHED_AT = datetime.fromisoformat("2026-11-21T12:01:00Z").timestamp()
AUTOMATED = "spec__syncPolicy"


def _found(app: dict[str, Any], tracked: dict[str, Any] | None = None, namespace: str = "argocd") -> Provenance:
    found = from_argocd(tracked or deployment(), app, namespace)
    assert isinstance(found, Provenance), found.message
    return found


def _refused(app: dict[str, Any], tracked: dict[str, Any] | None = None) -> str:
    found = from_argocd(tracked or deployment(), app, "argocd")
    assert isinstance(found, NotFromGit)
    return found.message


def test_argo_cds_records_lead_to_repository_branch_path_and_commits():
    found = _found(application())
    assert (found.url, found.branch, found.path, found.recursive) == (URL, "main", "apps/shop", False)
    assert (found.applied_revision, found.attempted_revision) == (BEFORE, BEFORE)
    assert found.owner == found.source == Reference("Application", "argocd", "shop")
    assert found.transforms == ()


def test_while_a_newer_commit_is_applied_or_fails_it_is_the_one_that_is_tried():
    found = _found(trying_again())
    assert (found.applied_revision, found.attempted_revision) == (BEFORE, BAD)
    assert fetched_revision(trying_again()) == BAD


def test_a_commit_that_was_only_compared_is_not_yet_the_one_that_is_tried():
    app = application(status__sync__revision=NEWER)
    assert _found(app).attempted_revision == BEFORE
    assert fetched_revision(app) == NEWER


def test_without_a_history_what_compares_as_equal_is_applied():
    synced = application(status__history=[])
    assert _found(synced).applied_revision == BEFORE
    assert _found(changed(synced, status__sync__status="OutOfSync")).applied_revision == ""


@pytest.mark.parametrize(
    ("tracked", "owner"),
    [
        (deployment(), Reference("Application", "argocd", "shop")),
        (deployment("team-a_shop:apps/Deployment:shop/checkout"), Reference("Application", "team-a", "shop")),
        (deployment(None, **{"app.kubernetes.io/instance": "shop"}), Reference("Application", "argocd", "shop")),
        (deployment(None, **{"app.kubernetes.io/instance": "team-a_shop"}), Reference("Application", "team-a", "shop")),
        (deployment(None), None),
        (deployment("shop"), None),
        (deployment("shop:apps/Deployment:shop/another"), None),
        (deployment("shop:apps/StatefulSet:shop/checkout"), None),
        (deployment("shop:apps/Deployment:other/checkout", **{"app.kubernetes.io/instance": "x"}), None),
    ],
    ids=["id", "id-elsewhere", "label", "label-elsewhere", "none", "no-object", "copied", "kind", "copied-and-label"],
)
def test_the_tracking_id_or_label_names_the_application(tracked: dict[str, Any], owner: Reference | None):
    assert argocd_owner(tracked, "argocd") == owner


def test_an_application_by_label_in_another_argo_cds_namespace_is_found():
    tracked = deployment(None, **{"app.kubernetes.io/instance": "shop"})
    app = application(metadata__namespace="openshift-gitops")
    assert _found(app, tracked, "openshift-gitops").owner.namespace == "openshift-gitops"
    assert "not tracked" in _refused(app, tracked)


@pytest.mark.parametrize(
    "resources",
    [
        [],
        [{"group": "apps", "kind": "Deployment", "namespace": "other", "name": "checkout"}],
        [{"group": "apps", "kind": "StatefulSet", "namespace": "shop", "name": "checkout"}],
        [{"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "checkout", "requiresPruning": True}],
    ],
    ids=["none", "namespace", "kind", "no-longer-in-git"],
)
def test_a_mark_without_an_entry_in_the_resources_is_not_believed(resources: list[dict[str, Any]]):
    assert "annotations and labels alone are not believed" in _refused(application(status__resources=resources))


def test_an_application_that_never_ran_confirms_nothing():
    app = application()
    del app["status"]
    assert "not believed" in _refused(app)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"spec__destination": {**DESTINATION, "server": "https://10.1.2.3"}}, "another cluster"),
        ({"spec__destination": {"namespace": "shop", "name": "edge"}}, "another cluster"),
        ({"spec__sources": [SOURCE, SOURCE], "spec__source": None}, "several sources"),
        ({"spec__source": {**SOURCE, "chart": "checkout"}}, "a chart"),
        ({"spec__source": None, "spec__sourceHydrator": {"drySource": SOURCE}}, "a hydrator"),
        ({"spec__source": {**SOURCE, "targetRevision": BAD}}, "not a branch"),
        ({"spec__source": {**SOURCE, "targetRevision": "refs/tags/v1"}}, "not a branch"),
    ],
)
def test_what_a_commit_to_a_branch_would_not_reach_is_told(changes: dict[str, Any], word: str):
    assert word in _refused(application(**changes))


def test_the_cluster_of_argo_cd_may_be_named_instead():
    app = application(spec__destination={"namespace": "shop", "name": "in-cluster"})
    assert isinstance(from_argocd(deployment(), app, "argocd"), Provenance)


@pytest.mark.parametrize(
    ("target", "branch"), [(None, "HEAD"), ("", "HEAD"), ("HEAD", "HEAD"), ("refs/heads/prod", "prod")]
)
def test_the_branch_is_the_one_that_argo_cd_follows(target: str | None, branch: str):
    assert _found(application(spec__source={**SOURCE, "targetRevision": target})).branch == branch


@pytest.mark.parametrize(
    ("changes", "transforms"),
    [
        ({"spec__source": {**SOURCE, "kustomize": {"images": ["app:v2"]}}}, ("kustomize",)),
        ({"spec__source": {**SOURCE, "directory": {"recurse": True, "exclude": "x"}}}, ("directory.exclude",)),
        ({"status__sourceType": "Helm"}, ("source type Helm",)),
        ({"status__sourceType": "Plugin"}, ("source type Plugin",)),
        ({"status__sourceType": "Kustomize"}, ()),
    ],
)
def test_what_changes_the_render_is_named(changes: dict[str, Any], transforms: tuple[str, ...]):
    assert _found(application(**changes)).transforms == transforms


# --- a sync that keeps it from the revert


def test_a_sync_that_began_before_the_push_keeps_argo_cd_from_it():
    assert is_behind(trying_again(), NEWER, PUSHED_AT)


@pytest.mark.parametrize(
    "app",
    [
        application(),
        trying_again(started="2026-11-21T12:01:01Z"),
        trying_again(NEWER),
        trying_again(status__operationState__phase="Terminating"),
        trying_again(spec__syncPolicy={}),
        trying_again(spec__syncPolicy={"automated": {"enabled": False}}),
        trying_again(status__operationState__startedAt=None),
        {"metadata": {"name": "shop"}},
    ],
    ids=["over", "began-later", "of-the-revert", "ending", "by-hand", "not-enabled", "no-time", "empty"],
)
def test_no_other_sync_is_in_the_way(app: dict[str, Any]):
    assert not is_behind(app, NEWER, PUSHED_AT)


def test_argo_cd_is_asked_to_refresh_and_never_told_to_sync():
    asked = sync_request(_found(application()), NEWER)
    assert (asked.api_version, asked.kind, asked.namespace, asked.name) == (
        "argoproj.io/v1alpha1",
        "Application",
        "argocd",
        "shop",
    )
    assert asked.patch == {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}}


def test_a_sync_is_ended_only_at_the_version_of_the_application_that_was_seen():
    assert sync_request(_found(trying_again()), NEWER, ends="41").patch == {
        "metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}, "resourceVersion": "41"},
        "status": {"operationState": {"phase": "Terminating"}},
    }


# --- what is kept of it


@pytest.mark.parametrize("app", [application(), trying_again()], ids=["synced", "trying-again"])
def test_what_is_kept_in_memory_says_the_same(app: dict[str, Any]):
    kept = changed(app)
    slim(kept)
    assert len(str(kept)) < 0.8 * len(str(app))
    assert _found(kept) == _found(app)
    assert is_behind(kept, NEWER, PUSHED_AT) == is_behind(app, NEWER, PUSHED_AT)
    slim({"metadata": {}})
