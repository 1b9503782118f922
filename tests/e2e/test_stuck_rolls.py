"""Pods that find no room: a quota that is full, a node that takes none. What serves goes on serving, and it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from typing_extensions import override

from lab.load import Load
from tests.e2e.shops import QuickApp, QuickShop, Shops
from tests.e2e.stories import Stories

pytestmark = pytest.mark.lab
STORIES = Stories()


@dataclass(frozen=True, slots=True)
class PooledApp(QuickApp):
    """An app whose pods want a node of a pool."""

    pool: str = ""

    @override
    def deployment(self) -> str:
        document = yaml.safe_load(QuickApp.deployment(self))
        if self.pool:
            document["spec"]["template"]["spec"]["nodeSelector"] = {f"test.lab/{self.pool}": "yes"}
        return yaml.safe_dump(document, sort_keys=False)


def quota(shop: QuickShop, pods: int) -> None:
    """So many pods may be in the namespace."""
    shop.lab.apply(
        f"{{apiVersion: v1, kind: ResourceQuota, metadata: {{name: pods, namespace: {shop.namespace}}}, "
        f'spec: {{hard: {{pods: "{pods}"}}}}}}'
    )

    def counted() -> bool:
        found = shop.get("v1", "resourcequotas", "pods")
        return bool(found and found.get("status", {}).get("hard", {}).get("pods") == str(pods))

    shop.wait(f"a quota of {pods} pods", counted)


def room(shop: QuickShop, pool: str, *, there: bool) -> None:
    """Label the node as one of the pool, or take the label off."""
    shop.lab.kubectl("label", "node", "n1", f"test.lab/{pool}=yes" if there else f"test.lab/{pool}-", "--overwrite")


@STORIES
def test_a_canary_for_which_a_quota_has_no_room_gets_no_traffic_and_goes_after_its_deadline(shops: Shops) -> None:
    shop = shops.open("quota-start", progress_deadline="45s")
    quota(shop, 2)
    with shop.load(40) as clients:
        shop.answers("v1", clients)
        shop.push("v2", version="v2")
        status = shop.wait_for_reason("CapacityMissing", seconds=90)
        assert "exceeded quota" in status["message"]
        assert shop.condition("Stalled")["status"] == "True"
        shop.settle("shop/checkout:v1", seconds=120)
        counts = clients.stop()
    assert counts.of("v2") == 0
    assert counts.failed == 0, counts.failures
    assert "exceeded quota" in shop.events()["CanaryNotReady"]
    assert "CapacityMissing" in shop.events()


@STORIES
def test_a_canary_that_no_node_takes_is_released_when_one_does(shops: Shops) -> None:
    shop = shops.open("nodes-start", kind=PooledApp, progress_deadline="180s")
    with shop.load(40) as clients:
        shop.answers("v1", clients)
        shop.push("v2", version="v2", pool=shop.namespace)
        status = shop.wait_for_reason("CapacityMissing", seconds=90)
        assert "has no node" in status["message"]
        assert clients.counts().of("v2") == 0
        room(shop, shop.namespace, there=True)
        shop.settle("shop/checkout:v2", seconds=180)
        counts = clients.stop()
    room(shop, shop.namespace, there=False)
    assert counts.failed == 0, counts.failures


@STORIES
def test_a_canary_that_cannot_grow_keeps_its_share_until_there_is_room(shops: Shops) -> None:
    shop = shops.open("quota-grow", steps=((50, "3s", "8s"),))
    quota(shop, 3)
    with shop.load(40) as clients:
        shop.answers("v1", clients)
        shop.push("v2", version="v2")
        shop.answers("v2", clients)
        status = shop.wait_for_reason("CapacityMissing", seconds=120)
        assert status["phase"] == "Promoting"
        assert "exceeded quota" in status["message"]
        assert shop.weight() == 50, "half of it is what one of two pods may get"
        quota(shop, 6)
        shop.settle("shop/checkout:v2", seconds=240)
        counts = clients.stop()
    assert counts.failed == 0, counts.failures


@STORIES
def test_a_roll_for_which_a_quota_has_no_room_leaves_all_traffic_on_the_canary_until_there_is(shops: Shops) -> None:
    """Of two pods none may be unavailable, by Kubernetes' own defaults: a surge of one does not fit."""
    shop = shops.open("quota-roll", steps=((50, "3s", "8s"),), progress_deadline="15s")
    quota(shop, 4)
    with shop.load(40) as clients:
        shop.answers("v1", clients)
        shop.push("v2", version="v2")
        stuck(shop, clients)
        quota(shop, 6)
        shop.settle("shop/checkout:v2", seconds=240)
        counts = clients.stop()
    assert counts.failed == 0, counts.failures


@STORIES
def test_a_roll_that_no_node_takes_leaves_all_traffic_on_the_canary_until_one_does(shops: Shops) -> None:
    shop = shops.open("nodes-roll", kind=PooledApp, steps=((50, "3s", "8s"),), bake="10s", progress_deadline="15s")
    room(shop, shop.namespace, there=True)
    with shop.load(40) as clients:
        shop.answers("v1", clients)
        shop.push("v2", version="v2", pool=shop.namespace)
        shop.wait("the bake", lambda: shop.status().get("promotion") == "Bake", seconds=120)
        room(shop, shop.namespace, there=False)
        stuck(shop, clients)
        room(shop, shop.namespace, there=True)
        shop.settle("shop/checkout:v2", seconds=180)
        counts = clients.stop()
    room(shop, shop.namespace, there=False)
    assert counts.failed == 0, counts.failures


def stuck(shop: QuickShop, clients: Load) -> None:
    """Wait until the roll is called stuck; then all clients are the canary's."""
    status = shop.wait_for_reason("RollStuck", seconds=180)
    assert status["promotion"] == "Replace"
    assert status["weight"] == 100
    assert shop.condition("Stalled")["status"] == "True"
    shop.wait("the Event", lambda: "RollStuck" in shop.events())
    assert shop.endpoints() <= {pod["status"]["podIP"] for pod in canary_pods(shop)}, "clients of the Service, too"
    before = clients.counts()
    shop.wait("some more answers", lambda: clients.counts().requests >= before.requests + 100)
    assert clients.counts().of("v1") == before.of("v1")


def canary_pods(shop: QuickShop) -> list[dict[str, Any]]:
    return shop.items("api/v1 pods?labelSelector=canary.delivery/track=canary")
