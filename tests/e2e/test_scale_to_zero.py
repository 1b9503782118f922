"""Scaled to zero and back while a version is held: stable's version comes back, whoever scales."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from lab.cluster import CommandFailed
from tests.e2e.shops import QuickShop, Shops
from tests.e2e.stories import Stories

pytestmark = pytest.mark.lab
STORIES = Stories()
HPA = "--as=system:serviceaccount:kube-system:horizontal-pod-autoscaler"
SIZE = 3


def by_hand(shop: QuickShop, replicas: int) -> None:
    shop.lab.kubectl("scale", "deployment/checkout", "-n", shop.namespace, f"--replicas={replicas}")


def as_an_autoscaler(shop: QuickShop, replicas: int) -> None:
    """A PUT of the scale subresource, with the rights that Kubernetes' own autoscaler has; like it, again if it loses."""
    path = f"/apis/apps/v1/namespaces/{shop.namespace}/deployments/checkout/scale"

    def put() -> bool:
        scale = json.loads(shop.lab.kubectl("get", "--raw", path, HPA))
        scale["spec"]["replicas"] = replicas
        try:
            shop.lab.kubectl("replace", "--raw", path, "-f", "-", HPA, input=json.dumps(scale))
        except CommandFailed as error:
            if "Conflict" not in str(error):
                raise
            return False
        return True

    shop.wait("the autoscaler's write", put)


def as_keda(shop: QuickShop, replicas: int) -> None:
    """KEDA wakes a workload with one pod by a patch of the scale subresource; the rest is the autoscaler's."""
    first = json.dumps({"spec": {"replicas": min(replicas, 1)}})
    what = "deployment", "checkout", "-n", shop.namespace
    shop.lab.kubectl("patch", *what, "--subresource=scale", "--type=merge", "-p", first)
    if replicas > 1:
        as_an_autoscaler(shop, replicas)


def held(shops: Shops, name: str) -> QuickShop:
    """A shop at v1 with v3 held; v2, which ran before v1 came back, has the newest ReplicaSet by creation."""
    shop = shops.bare(name)
    for version in ("v1", "v2", "v1"):
        shop.lab.apply(replace(shop.app, version=version).deployment())
        wanted = f"shop/checkout:{version}"

        def runs(wanted: str = wanted) -> bool:
            sizes = shop.replica_sets()
            return sizes.pop(wanted, 0) == shop.app.replicas and not any(sizes.values())

        shop.wait(f"{version} alone to run", runs, seconds=120)
    for path in ("app/service.yaml", "app/route.yaml", "app/rollout.yaml"):
        shop.lab.apply(shop.app.files()[path])
    shop.wait_for_phase("Stable", seconds=90)
    shop.wait("the label", lambda: "canary.delivery/rollout" in shop.deployment()["metadata"].get("labels", {}))
    shop.canary("pause", "checkout")
    shop.lab.apply(replace(shop.app, version="v3").deployment())
    shop.wait_for_reason("Paused")
    assert shop.held()
    return shop


def goes_and_comes_back(shop: QuickShop, scale: Callable[[QuickShop, int], None]) -> None:
    """Scale to zero and back: only stable's pods come, in full number, and the version is held all the while."""
    scale(shop, 0)
    shop.wait("no pods", lambda: not any(shop.replica_sets().values()) and not shop.pods(), seconds=90)
    assert shop.held()
    scale(shop, SIZE)

    def only_stable() -> bool:
        sizes = shop.replica_sets()
        return sizes.pop("shop/checkout:v1", 0) == SIZE and not any(sizes.values())

    shop.wait("stable's ReplicaSet alone at full size", only_stable, seconds=90)
    shop.wait("its pods behind the Service", lambda: len(shop.endpoints()) == SIZE and len(shop.pods()) == SIZE)
    assert only_stable()
    assert shop.held()
    assert "shop/checkout:v3" not in shop.replica_sets()
    assert shop.status()["stable"]["images"] == ["shop/checkout:v1"]


@STORIES
def test_by_hand_while_held(shops: Shops) -> None:
    shop = held(shops, "by-hand")
    goes_and_comes_back(shop, by_hand)
    goes_and_comes_back(shop, by_hand)
    shop.canary("resume", "checkout")
    shop.wait_for_phase("Step", seconds=120)
    assert shop.replica_sets()["shop/checkout:v1"] == SIZE


@STORIES
def test_by_an_autoscaler_while_held(shops: Shops) -> None:
    goes_and_comes_back(held(shops, "autoscaler"), as_an_autoscaler)


@STORIES
def test_by_keda_while_held(shops: Shops) -> None:
    goes_and_comes_back(held(shops, "keda"), as_keda)


@STORIES
def test_while_a_canary_has_traffic(shops: Shops) -> None:
    shop = held(shops, "mid-release")
    shop.lab.apply(replace(shop.app, steps=((5, "120s", "240s"),)).rollout())
    shop.canary("resume", "checkout")
    shop.wait_for_phase("Step", seconds=120)
    shop.wait("its share of traffic", lambda: shop.weight() == 5)
    goes_and_comes_back(shop, by_hand)
    assert shop.status()["phase"] == "Step", "the release goes on"
    assert shop.weight() == 5


@STORIES
def test_a_history_limit_of_zero_in_git_is_refused_with_the_reason_and_changes_nothing(shops: Shops) -> None:
    shop = shops.open("limit-in-git")
    text = shop.app.deployment()
    shop.repository.commit("no history", {"app/deployment.yaml": text.replace("spec:\n", LIMIT_ZERO, 1)})

    def said() -> str:
        owner = shop.lab.get("kustomize.toolkit.fluxcd.io/v1", "kustomizations", shop.namespace, "flux-system")
        return next((c["message"] for c in owner["status"]["conditions"] if c["type"] == "Ready"), "")

    shop.wait("Flux to say why", lambda: "revisionHistoryLimit of 1 or more" in said(), seconds=60)
    assert shop.deployment()["spec"]["revisionHistoryLimit"] == 10
    assert shop.status()["phase"] == "Stable"


LIMIT_ZERO = "spec:\n  revisionHistoryLimit: 0\n"


@STORIES
def test_a_deployment_that_has_a_history_limit_of_zero_says_so_before_a_version_comes_and_heals(shops: Shops) -> None:
    shop = shops.bare("limit-before")
    files = shop.app.files()
    shop.lab.apply(files["app/deployment.yaml"].replace("spec:\n", LIMIT_ZERO, 1))
    for path in ("app/service.yaml", "app/route.yaml", "app/rollout.yaml"):
        shop.lab.apply(files[path])
    status = shop.wait_for_reason("HistoryLimitZero", seconds=90)
    assert "Set it to 1 or more" in status["message"]
    assert shop.condition("Stalled")["status"] == "True"
    shop.wait("the alert", lambda: "HistoryLimitZero" in shop.events())
    shop.lab.apply(files["app/deployment.yaml"].replace("spec:\n", "spec:\n  revisionHistoryLimit: 2\n", 1))
    shop.wait_for_reason("Stable")
