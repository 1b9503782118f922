"""The five first sights: what a user gets when the operator sees a Deployment, or a version of it, for the first time."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml

from lab.shop.files import flux_objects
from tests.e2e.shops import QuickShop, Shops
from tests.e2e.stories import Stories

pytestmark = pytest.mark.lab
STORIES = Stories()
LIST = "canary-rejected-versions"
BAD = {"version": "v2", "error_ratio": 0.7}


def rejected_before(shops: Shops, name: str) -> QuickShop:
    """A shop at v1 whose v2 was rejected, while the server takes no push to `main`: Git goes on saying v2."""
    shop = shops.open(name, steps=((50, "60s", "120s"),))
    shop.repository.refuse_pushes()
    shop.push("v2", **BAD)
    status = shop.wait_for_phase("Step", seconds=120)
    shop.canary("abort", "checkout", "--yes")
    shop.wait("the list", lambda: shop.get("v1", "configmaps", LIST), seconds=90)
    shop.wait("Git's note", shop.note, seconds=90)
    assert status["release"]["id"]
    return shop


def flux(shop: QuickShop, *, suspended: bool) -> None:
    patch = json.dumps({"spec": {"suspend": suspended}})
    shop.lab.kubectl("patch", "kustomization", shop.namespace, "-n", "flux-system", "--type=merge", "-p", patch)


def refused_with_nothing_running(shop: QuickShop) -> dict[str, Any]:
    status = shop.wait_for_reason("RejectedFirst", seconds=90)
    assert status["phase"] == "Held"
    assert shop.condition("Stalled")["status"] == "True"
    assert shop.held()
    assert shop.deployment()["metadata"]["labels"]["canary.delivery/rollout"] == "checkout"
    assert shop.replica_sets() == {}
    shop.wait("the alert", lambda: "RejectedFirst" in shop.events())
    assert "canary retry" in shop.events()["RejectedFirst"]
    return status


@STORIES
def test_a_first_deployment_rolls_as_without_canary_and_is_adopted(shops: Shops) -> None:
    shop = shops.open("first")
    status = shop.status()
    assert status["reason"] == "Adopted"
    assert status["stable"]["images"] == ["shop/checkout:v1"]
    assert not status.get("history")
    assert shop.get("v1", "configmaps", LIST) is None
    assert not shop.held()


@STORIES
def test_a_rollout_for_a_deployment_that_runs_adopts_what_serves_and_touches_no_pod(shops: Shops) -> None:
    shop = shops.bare("existing")
    files = shop.app.files()
    for path in ("app/deployment.yaml", "app/service.yaml", "app/route.yaml"):
        shop.lab.apply(files[path])
    shop.wait("ready pods", lambda: shop.deployment()["status"].get("readyReplicas") == 2, seconds=90)
    before = shop.pods()
    shop.lab.apply(files["app/rollout.yaml"])
    status = shop.wait_for_phase("Stable", seconds=90)
    assert status["reason"] == "Adopted"
    assert status["stable"]["images"] == ["shop/checkout:v1"]
    assert shop.pods() == before
    shop.wait("the label", lambda: "canary.delivery/rollout" in shop.deployment()["metadata"].get("labels", {}))
    shop.lab.apply(replace(shop.app, version="v2").deployment())
    assert shop.held(), "from then on a new version is held"


@STORIES
def test_a_deployment_that_is_made_anew_with_the_rejected_version_is_held_and_retry_lets_it_run(shops: Shops) -> None:
    shop = rejected_before(shops, "anew")
    shop.lab.kubectl("delete", "deployment", "checkout", "-n", shop.namespace)
    shop.lab.apply(shop.app.deployment())
    refused_with_nothing_running(shop)
    shop.canary("retry", "checkout")
    status = shop.wait_for_reason("Adopted", seconds=90)
    assert status["stable"]["images"] == ["shop/checkout:v2"]
    assert not status.get("rejected")
    shop.wait("v2 to run", lambda: shop.deployment()["status"].get("readyReplicas") == 2, seconds=90)
    shop.wait("the list to be empty", lambda: not (shop.get("v1", "configmaps", LIST) or {}).get("data"))


@STORIES
def test_a_deployment_that_is_made_anew_with_another_version_runs_although_its_images_were_rejected(
    shops: Shops,
) -> None:
    shop = rejected_before(shops, "mended")
    shop.lab.kubectl("delete", "deployment", "checkout", "-n", shop.namespace)
    shop.lab.apply(replace(shop.app, error_ratio=0.0).deployment())  # the same images, other settings
    status = shop.wait_for_reason("Adopted", seconds=90)
    assert status["stable"]["images"] == ["shop/checkout:v2"]
    shop.wait("it to run", lambda: shop.deployment()["status"].get("readyReplicas") == 2, seconds=90)
    assert not shop.held()
    assert (shop.get("v1", "configmaps", LIST) or {})["data"]["hold_checkout"] == "checkout\nshop/checkout:v2"


@STORIES
def test_a_namespace_restored_from_a_backup_with_the_list_refuses_the_version_and_takes_the_next(shops: Shops) -> None:
    shop = rejected_before(shops, "restored")
    saved = (shop.get("v1", "configmaps", LIST) or {})["data"]
    flux(shop, suspended=True)
    lose(shop)
    shop.lab.kubectl("create", "namespace", shop.namespace)
    shop.lab.apply(yaml.safe_dump(list_of(shop, saved)))
    # A backup brings objects one by one, without status, the list before what it is about.
    for path in ("app/service.yaml", "app/route.yaml", "app/deployment.yaml", "app/rollout.yaml"):
        shop.lab.apply(shop.app.files()[path])
    refused_with_nothing_running(shop)
    shop.push("v3", version="v3", error_ratio=0.0)
    flux(shop, suspended=False)
    shop.wait("v3 to run", lambda: shop.replica_sets() == {"shop/checkout:v3": 2}, seconds=120)
    status = shop.wait_for_phase("Stable", seconds=60)
    assert status["stable"]["images"] == ["shop/checkout:v3"]
    assert not shop.held()


@STORIES
def test_a_namespace_restored_without_the_list_refuses_the_version_that_was_held_by_gits_notes(shops: Shops) -> None:
    shop = rejected_before(shops, "restored-without")
    saved = shop.deployment()
    assert saved["spec"]["paused"], "it was backed up while it was held"
    flux(shop, suspended=True)
    lose(shop)
    shop.lab.kubectl("create", "namespace", shop.namespace)
    for path in ("app/service.yaml", "app/route.yaml"):
        shop.lab.apply(shop.app.files()[path])
    kept = {key: saved["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
    restored = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": kept, "spec": saved["spec"]}
    shop.lab.kubectl("create", "-f", "-", input=json.dumps(restored))
    shop.lab.apply(shop.app.files()["app/rollout.yaml"])
    refused_with_nothing_running(shop)
    told = (shop.get("v1", "configmaps", LIST) or {}).get("data") or {}
    assert told["hold_checkout"] == "checkout\nshop/checkout:v2", "what Git knew is on the namespace's list now"


@STORIES
def test_a_cluster_rebuilt_from_git_learns_of_the_rejected_version_from_gits_notes(shops: Shops) -> None:
    shop = rejected_before(shops, "rebuilt")
    assert json.loads(shop.note())["event"] == "rejected"
    flux(shop, suspended=True)
    gone = "kustomizations.kustomize.toolkit.fluxcd.io", shop.namespace, "-n", "flux-system"
    lose(shop)
    shop.lab.kubectl("patch", *gone, "--type=merge", "-p", '{"spec":{"prune":false,"suspend":false}}')
    shop.lab.kubectl("delete", *gone)
    shop.lab.apply(flux_objects(shop.namespace, shop.lab.git_url(shop.namespace)))
    # The first of its pods may be there before anybody could ask Git: it is not adopted, and it is said.
    status = shop.wait_for_reason("RejectedServes", seconds=120)
    assert status["phase"] == "Held"
    assert not status.get("stable")
    assert shop.condition("Stalled")["status"] == "True"
    shop.wait("the alert", lambda: "RejectedServes" in shop.events())
    told = (shop.get("v1", "configmaps", LIST) or {}).get("data") or {}
    assert told["hold_checkout"] == "checkout\nshop/checkout:v2", "what Git knew is on the namespace's list now"
    assert json.loads(shop.note())["version"] in told["checkout"]
    shop.wait("it to serve", lambda: len(shop.endpoints()) == 2, seconds=90)

    # The next version is judged against the one that serves, and promoted.
    with shop.load(60) as clients:
        shop.push("v3", version="v3", error_ratio=0.0, steps=((50, "3s", "8s"),))
        status = shop.settle("shop/checkout:v3", seconds=240)
        clients.stop()
    assert status["history"][0]["outcome"] == "Promoted"
    assert status["stable"]["images"] == ["shop/checkout:v3"]


def lose(shop: QuickShop) -> None:
    """Delete the namespace with everything in it, and wait until it is gone."""
    shop.lab.kubectl("delete", "rollouts.canary.delivery", "--all", "-n", shop.namespace, "--timeout=60s")
    shop.lab.kubectl("delete", "namespace", shop.namespace, "--wait=false")
    named = "get", "namespace", shop.namespace, "--ignore-not-found", "-o", "name"
    shop.wait("its end", lambda: not shop.lab.kubectl(*named), seconds=240)


def list_of(shop: QuickShop, data: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": LIST, "namespace": shop.namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
