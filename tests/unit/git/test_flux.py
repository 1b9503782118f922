from __future__ import annotations

from typing import Any

import pytest

from canary.git.flux import flux_owner, flux_source, from_flux
from canary.git.provenance import NotFromGit, Provenance, Reference, revision_of
from canary.git.sync import sync_request
from tests.unit.git.applications import changed

SHA, NEWER = "a" * 40, "b" * 40
DEPLOYMENT: dict[str, Any] = {
    "metadata": {
        "namespace": "shop",
        "name": "checkout",
        "labels": {"kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"},
    }
}
KUSTOMIZATION: dict[str, Any] = {
    "metadata": {"namespace": "flux-system", "name": "shop"},
    "spec": {"path": "./apps/shop/", "sourceRef": {"kind": "GitRepository", "name": "fleet"}},
    "status": {
        "lastAppliedRevision": f"main@sha1:{SHA}",
        "lastAttemptedRevision": f"main@sha1:{NEWER}",
        "inventory": {
            "entries": [{"id": "shop_checkout__Service", "v": "v1"}, {"id": "shop_checkout_apps_Deployment", "v": "v1"}]
        },
    },
}
REPOSITORY: dict[str, Any] = {
    "metadata": {"namespace": "flux-system", "name": "fleet"},
    "spec": {"url": "https://git.example.org/fleet", "ref": {"branch": "main"}},
}


def test_flux_records_lead_to_repository_branch_path_and_commits():
    found = from_flux(DEPLOYMENT, KUSTOMIZATION, REPOSITORY)
    assert isinstance(found, Provenance)
    assert (found.url, found.branch, found.path) == ("https://git.example.org/fleet", "main", "apps/shop")
    assert (found.applied_revision, found.attempted_revision) == (SHA, NEWER)
    assert found.owner == flux_owner(DEPLOYMENT) == Reference("Kustomization", "flux-system", "shop")
    assert found.source == flux_source(KUSTOMIZATION) == Reference("GitRepository", "flux-system", "fleet")


def test_a_label_without_an_entry_in_the_inventory_is_not_believed():
    for entries in (
        [],
        [{"id": "shop_checkout_apps_StatefulSet", "v": "v1"}],
        [{"id": "other_checkout_apps_Deployment", "v": "v1"}],
    ):
        found = from_flux(DEPLOYMENT, changed(KUSTOMIZATION, status__inventory={"entries": entries}), REPOSITORY)
        assert isinstance(found, NotFromGit)
        assert "labels alone are not believed" in found.message
    assert isinstance(from_flux(DEPLOYMENT, changed(KUSTOMIZATION, status={}), REPOSITORY), NotFromGit)


def test_objects_that_do_not_belong_together_are_not_believed():
    assert isinstance(
        from_flux({"metadata": {"namespace": "shop", "name": "checkout"}}, KUSTOMIZATION, REPOSITORY), NotFromGit
    )
    assert isinstance(from_flux(DEPLOYMENT, changed(KUSTOMIZATION, metadata__name="x"), REPOSITORY), NotFromGit)
    assert isinstance(from_flux(DEPLOYMENT, KUSTOMIZATION, changed(REPOSITORY, metadata__namespace="x")), NotFromGit)
    bucket = changed(KUSTOMIZATION, spec__sourceRef={"kind": "Bucket", "name": "fleet"})
    assert isinstance(from_flux(DEPLOYMENT, bucket, REPOSITORY), NotFromGit)


@pytest.mark.parametrize(
    ("ref", "branch"),
    [({"branch": "prod"}, "prod"), ({}, "master"), ({"name": "refs/heads/x", "branch": "y"}, "x")],
    ids=["branch", "none", "name"],
)
def test_the_branch_is_the_one_that_flux_follows(ref: dict[str, str], branch: str):
    found = from_flux(DEPLOYMENT, KUSTOMIZATION, changed(REPOSITORY, spec__ref=ref))
    assert isinstance(found, Provenance)
    assert found.branch == branch


@pytest.mark.parametrize(
    "ref", [{"tag": "v1"}, {"semver": ">1"}, {"branch": "main", "commit": SHA}, {"name": "refs/tags/v1"}]
)
def test_what_follows_no_branch_cannot_be_reverted_by_a_commit(ref: dict[str, str]):
    assert isinstance(from_flux(DEPLOYMENT, KUSTOMIZATION, changed(REPOSITORY, spec__ref=ref)), NotFromGit)


def test_fields_that_change_the_render_are_named():
    app = changed(
        KUSTOMIZATION, spec__images=[{"name": "app"}], spec__postBuild={"substitute": {"a": "b"}}, spec__patches=[]
    )
    found = from_flux(DEPLOYMENT, app, REPOSITORY)
    assert isinstance(found, Provenance)
    assert found.transforms == ("images", "postBuild")


@pytest.mark.parametrize("text", [SHA, f"main@sha1:{SHA}", f"sha1:{SHA}", f"feature/x@sha1:{SHA}", f"main/{SHA}"])
def test_a_revision_is_read_in_each_form(text: str):
    assert revision_of(text) == SHA


@pytest.mark.parametrize("text", ["", "main", f"x{SHA}", f"main@sha1:{SHA}0", "latest@sha256:xyz"])
def test_what_is_no_commit_is_read_as_none(text: str):
    assert revision_of(text) == ""


def test_flux_is_asked_to_sync_on_its_repository():
    found = from_flux(DEPLOYMENT, KUSTOMIZATION, REPOSITORY)
    assert isinstance(found, Provenance)
    asked = sync_request(found, "now")
    assert (asked.kind, asked.namespace, asked.name) == ("GitRepository", "flux-system", "fleet")
    assert asked.patch == {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "now"}}}
