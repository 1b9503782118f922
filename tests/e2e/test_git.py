"""What Git gets from Canary, and from whom it gets nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.parts.git import OWN_PORT
from lab.shop.files import flux_objects
from tests.e2e.argocd import ArgoCD
from tests.e2e.shops import QuickShop, Shops
from tests.e2e.stories import Stories

pytestmark = pytest.mark.lab
STORIES = Stories()
HALF = ((50, "60s", "90s"),)


def aborted(shop: QuickShop) -> str:
    """Have a new version judged bad by a person, which needs no load; give the release's id."""
    shop.wait("half of the traffic", lambda: shop.weight() == 50, seconds=120)
    release = str(shop.status()["release"]["id"])
    shop.canary("abort", "checkout")
    return release


@STORIES
def test_a_bad_commit_that_argo_cd_applied_is_reverted_and_argo_cd_takes_the_revert(shops: Shops) -> None:
    shop = shops.bare("argocd", steps=HALF)
    shop.repository = shop.lab.create_repo(shop.namespace, shop.app.files())
    argocd = ArgoCD(shop)
    argocd.install()
    first = shop.repository.head()
    shop.wait_for_phase("Stable", seconds=120)
    # The kind came after the operator: it is looked for, not waited for until the next complete listing.
    shop.wait("stable's commit", lambda: (shop.status().get("stable") or {}).get("commit") == first, seconds=60)
    bad = shop.push("v2", version="v2")
    argocd.fail(bad)
    assert argocd.sync() == bad
    with argocd.running():
        shop.wait_for_phase("Step", seconds=90)
        assert shop.status()["candidate"]["commit"] == bad
        assert argocd.sync() == "", "it tries the bad commit again, and takes no other"
        aborted(shop)
        status = shop.settle("shop/checkout:v1", seconds=120)
        shop.wait("the sync to be told", lambda: argocd.read()["status"]["operationState"]["phase"] == "Succeeded")
    head = shop.repository.head()
    assert shop.trailers(head)["Rollout-Reverts"] == bad
    assert status["history"][0]["outcome"] == "RolledBack"
    assert status["history"][0]["revertCommit"] == head
    assert argocd.ended == 1
    assert argocd.refreshed == 1
    assert argocd.read()["status"]["history"][0]["revision"] == head
    assert shop.replica_sets() == {"shop/checkout:v1": 2}, "the Deployment itself never ran the bad template"


@STORIES
def test_a_deployment_that_calls_itself_another_teams_is_not_reverted_in_their_repository(shops: Shops) -> None:
    theirs = shops.open("theirs")
    before = theirs.repository.head()
    flux = "kustomize.toolkit.fluxcd.io"
    marks = {f"{flux}/name": theirs.namespace, f"{flux}/namespace": "flux-system"}
    shop = shops.bare("deputy", steps=HALF, labels=tuple(marks.items()))
    _apply(shop)
    shop.wait_for_phase("Stable", seconds=120)
    shop.wait("the label", lambda: "canary.delivery/rollout" in shop.deployment()["metadata"]["labels"])
    _apply(shop, version="v2")
    aborted(shop)
    shop.wait_for_reason("NotFromGit", seconds=90)
    assert "labels alone are not believed" in shop.status()["revert"]["message"]
    assert shop.held()
    assert theirs.repository.head() == before
    _apply(shop, version="v1")
    shop.settle("shop/checkout:v1", seconds=60)


@STORIES
def test_a_repository_that_no_binding_allows_gets_no_push_and_traffic_is_taken_all_the_same(shops: Shops) -> None:
    shop = shops._make("unbound", {"steps": HALF})
    shop.repository = shop.lab.create_repo(shop.namespace, shop.app.files())
    # The same server by another name: a binding is for an address, not for what answers there.
    unbound = f"http://127.0.0.1:{OWN_PORT}/{shop.namespace}.git"
    shop.lab.apply(flux_objects(shop.namespace, unbound))
    shop.wait_for_phase("Stable", seconds=120)
    bad = shop.push("v2", version="v2")
    aborted(shop)
    shop.wait_for_reason("Forbidden", seconds=90)
    status = shop.status()
    assert status["phase"] == "Reverting"
    assert "no Git credential is bound" in status["revert"]["message"]
    assert status["revert"]["final"] is False, "a binding may be added: it is tried again"
    assert shop.weight() in (0, None)
    assert shop.repository.head() == bad
    own = shop.push("Revert v2", version="v1")
    shop.settle("shop/checkout:v1", seconds=90)
    assert shop.repository.head() == own


def _apply(shop: QuickShop, **changes: Any) -> None:
    """Apply the shop's files by hand."""
    shop.app = replace(shop.app, **changes)
    shop.lab.apply("---\n".join(shop.app.files().values()))
