"""The label `canary.delivery/rollout`: set and kept by the operator, whoever takes it off; and never without a Rollout."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import replace

import pytest

from canary.api.names import BREAK_GLASS_GROUP, LABEL_ROLLOUT
from lab.namespace import SYSTEM_ADDRESS
from lab.parts.operator import PORT
from tests.e2e.shops import QuickShop, Shops
from tests.e2e.stories import Stories

pytestmark = pytest.mark.lab
STORIES = Stories()
IN_GIT = ((LABEL_ROLLOUT, "checkout"),)
BREAK_GLASS = "--as=sre", f"--as-group={BREAK_GLASS_GROUP}", "--as-group=system:masters"
SLOW_STEP = ((5, "60s", "120s"),)


def label(shop: QuickShop) -> str | None:
    found: str | None = (shop.deployment()["metadata"].get("labels") or {}).get(LABEL_ROLLOUT)
    return found


def applied(shop: QuickShop, commit: str) -> None:
    """Wait until Flux has applied a commit."""

    def look() -> bool:
        owner = shop.lab.get(
            "kustomize.toolkit.fluxcd.io/v1", "kustomizations", shop.namespace, namespace="flux-system"
        )
        return str(owner["status"].get("lastAttemptedRevision", "")).endswith(commit)

    shop.wait(f"Flux to have tried {commit[:8]}", look, seconds=90)


def is_held_and_released(shop: QuickShop) -> None:
    """The version that came is held and released as a canary, while stable's pods go on."""
    shop.wait("the new version", lambda: shop.image() == "shop/checkout:v2", seconds=90)
    assert shop.held()
    assert label(shop) == "checkout"
    shop.wait_for_phase("Step", seconds=120)
    assert shop.replica_sets() == {"shop/checkout:v1": 2}


def alarm(shop: QuickShop) -> bool:
    """Whether the operator's metrics call the Deployment one without a Rollout."""
    with urllib.request.urlopen(f"http://{SYSTEM_ADDRESS}:{PORT}/metrics", timeout=5) as response:
        lines = response.read().decode().splitlines()
    wanted = f'canary_deployment_without_rollout{{deployment="checkout",namespace="{shop.namespace}"}} 1.0'
    return wanted in lines


@STORIES
def test_the_operator_sets_the_label_on_deployment_service_and_route_and_git_keeps_it(shops: Shops) -> None:
    shop = shops.open("set")
    objects = (("apps/v1", "deployments"), ("v1", "services"), ("gateway.networking.k8s.io/v1", "httproutes"))

    def labelled(kind: tuple[str, str]) -> bool:
        found = shop.get(*kind)
        return found is not None and (found["metadata"].get("labels") or {}).get(LABEL_ROLLOUT) == "checkout"

    for kind in objects:
        shop.wait(f"the label on {kind[1]}", lambda kind=kind: labelled(kind))
    applied(shop, shop.push("more", replicas=3))
    shop.wait("Git's change", lambda: shop.deployment()["spec"]["replicas"] == 3)
    assert all(labelled(kind) for kind in objects)


@STORIES
def test_git_takes_the_label_off_in_the_commit_that_brings_a_version(shops: Shops) -> None:
    shop = shops.open("same-commit", labels=IN_GIT, steps=SLOW_STEP)
    shop.push("v2 without the label", version="v2", labels=())
    is_held_and_released(shop)


@STORIES
def test_git_takes_the_label_off_in_a_commit_before_the_one_that_brings_a_version(shops: Shops) -> None:
    shop = shops.open("earlier-commit", labels=IN_GIT, steps=SLOW_STEP)
    applied(shop, shop.push("without the label", labels=()))
    assert label(shop) == "checkout"
    shop.push("v2", version="v2")
    is_held_and_released(shop)


@STORIES
def test_a_person_takes_the_label_off_before_a_version_comes(shops: Shops) -> None:
    shop = shops.open("person", steps=SLOW_STEP)
    for kind in ("deployment", "service", "httproute"):
        shop.lab.kubectl("label", kind, "checkout", "-n", shop.namespace, f"{LABEL_ROLLOUT}-")
        labels = json.loads(shop.lab.kubectl("get", kind, "checkout", "-n", shop.namespace, "-o", "json"))
        assert labels["metadata"]["labels"][LABEL_ROLLOUT] == "checkout", kind
    shop.push("v2", version="v2")
    is_held_and_released(shop)


@STORIES
def test_a_label_that_a_break_glass_member_takes_off_is_put_on_again(shops: Shops) -> None:
    shop = shops.open("break-glass", steps=SLOW_STEP)
    shop.lab.kubectl("label", "deployment", "checkout", "-n", shop.namespace, f"{LABEL_ROLLOUT}-", *BREAK_GLASS)
    shop.wait("the label", lambda: label(shop) == "checkout", seconds=30)
    shop.push("v2", version="v2")
    is_held_and_released(shop)


@STORIES
def test_another_rollouts_name_in_git_does_not_take_the_deployment_over(shops: Shops) -> None:
    shop = shops.open("another", steps=SLOW_STEP)
    shop.push("v2 for another", version="v2", labels=((LABEL_ROLLOUT, "another"),))
    is_held_and_released(shop)


@STORIES
def test_a_labelled_deployment_without_a_rollout_is_held_and_alerts_until_the_rollout_comes(shops: Shops) -> None:
    shop = shops.bare("orphan", labels=IN_GIT, steps=SLOW_STEP)
    files = shop.app.files()
    for path in ("app/deployment.yaml", "app/service.yaml", "app/route.yaml"):
        shop.lab.apply(files[path])
    shop.wait("ready pods", lambda: shop.deployment()["status"].get("readyReplicas") == 2, seconds=90)
    shop.lab.apply(replace(shop.app, version="v2").deployment())
    assert shop.held()
    shop.wait("the alarm", lambda: alarm(shop), seconds=60)

    def told() -> list[str]:
        found = shop.items("api/v1 events?fieldSelector=reason=LabelledWithoutRollout")
        return [e["message"] for e in found if e["involvedObject"]["kind"] == "Deployment" and e["type"] == "Warning"]

    shop.wait("the Event", told)
    assert "break-glass" in told()[0]
    shop.lab.apply(files["app/rollout.yaml"])
    shop.wait("the alarm's end", lambda: not alarm(shop), seconds=30)
    is_held_and_released(shop)


@STORIES
def test_a_rollout_that_was_torn_out_leaves_a_labelled_deployment_that_alerts_and_can_be_given_up(shops: Shops) -> None:
    shop = shops.bare("torn-out", labels=IN_GIT)
    shop.lab.apply(shop.app.files()["app/deployment.yaml"])
    shop.wait("the alarm", lambda: alarm(shop), seconds=60)
    shop.lab.kubectl("label", "deployment", "checkout", "-n", shop.namespace, f"{LABEL_ROLLOUT}-", *BREAK_GLASS)
    shop.wait("the alarm's end", lambda: not alarm(shop), seconds=30)
    shop.lab.apply(replace(shop.app, version="v2", labels=()).deployment())
    shop.wait("v2 to run", lambda: shop.replica_sets().get("shop/checkout:v2") == 2, seconds=90)
