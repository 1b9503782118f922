"""The hold, by pods: whoever writes a new template while the operator is away, no pod of it starts until it is back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest
import yaml

from lab import gitops, waiting
from lab.cluster import Lab
from lab.parts.operator import Operator
from tests.e2e.shops import QuickShop, Shops
from tests.e2e.writers import client_side_apply, put, server_side_apply

pytestmark = pytest.mark.lab
AWAY_SECONDS = 5.0
"""How long nothing may happen after the last write arrived; the controllers need a fraction of a second to start a pod,
as the control Deployment shows."""
LABEL = "canary.delivery/rollout"


def _manifest(shop: QuickShop, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(replace(shop.app, version="v2", **changes).deployment())
    return found


def _patch_label_away(shop: QuickShop) -> None:
    container = {"name": "checkout", "image": "shop/checkout:v2"}
    spec = {"template": {"spec": {"containers": [container]}}}
    patch = json.dumps({"metadata": {"labels": {LABEL: None}}, "spec": spec})
    shop.lab.kubectl("patch", "deployment", "checkout", "-n", shop.namespace, "--type=strategic", "-p", patch)


WRITES: dict[str, Callable[[QuickShop], object]] = {
    "Flux": lambda shop: shop.push("v2", version="v2"),
    "Flux with paused false": lambda shop: shop.push("v2", version="v2", paused="false"),
    "Flux dropping the label": lambda shop: shop.push("v2", version="v2", labels=()),
    "Flux with a label of its own": lambda shop: shop.push("v2", version="v2", labels=((LABEL, "another"),)),
    "client-side apply": lambda shop: client_side_apply(shop.lab, _manifest(shop)),
    "server-side apply": lambda shop: server_side_apply(shop.lab, _manifest(shop, paused="false")),
    "PUT": lambda shop: put(shop.lab, _manifest(shop)),
    "PUT with paused false": lambda shop: put(shop.lab, _manifest(shop, paused="false")),
    "patch that drops the label": _patch_label_away,
}


@dataclass(slots=True)
class Held:
    """One shop, before and after a write that came while the operator was away."""

    shop: QuickShop
    before: list[Any]
    after: list[Any]
    replica_sets: dict[str, int]
    held: bool
    labelled: bool


def _slug(name: str) -> str:
    return name.lower().replace(" ", "-")


def _open(shops: Shops, name: str) -> QuickShop:
    labels = ((LABEL, "checkout"),) if name == "Flux dropping the label" else ()
    return shops.open(_slug(name), labels=labels, steps=((5, "60s", "120s"),))


@pytest.fixture(scope="module")
def written(running_lab: Lab, operator: Operator, shops: Shops) -> dict[str, Held]:
    """Each way to write, done while the operator is stopped; it comes back after that was looked at."""
    with ThreadPoolExecutor(6) as pool:
        opened = dict(zip(WRITES, pool.map(lambda name: _open(shops, name), WRITES), strict=True))
    before = {name: shop.pods() for name, shop in opened.items()}
    control = opened["PUT"].namespace
    running_lab.apply(gitops.dump(gitops.deployment("control", "v1", replicas=1), namespace=control))
    running_lab.kubectl("rollout", "status", "-n", control, "deployment/control", "--timeout=60s")
    operator.process.stop()
    for name, write in WRITES.items():
        write(opened[name])
    running_lab.apply(gitops.dump(gitops.deployment("control", "v2", replicas=1), namespace=control))
    for shop in opened.values():
        shop.wait("the new template", lambda shop=shop: shop.image() == "shop/checkout:v2", seconds=90)
    running_lab.kubectl("rollout", "status", "-n", control, "deployment/control", "--timeout=60s")
    time.sleep(AWAY_SECONDS)  # not for luck: what is claimed is that nothing happens meanwhile
    found = {
        name: Held(
            shop,
            before[name],
            shop.pods(),
            shop.replica_sets(),
            shop.held(),
            shop.deployment()["metadata"]["labels"].get(LABEL) == "checkout",
        )
        for name, shop in opened.items()
    }
    operator.start()
    return found


@pytest.mark.parametrize("writer", WRITES)
def test_no_pod_of_a_new_template_starts_while_the_operator_is_away(written: dict[str, Held], writer: str) -> None:
    seen = written[writer]
    assert seen.held
    assert seen.labelled
    assert seen.replica_sets == {"shop/checkout:v1": 2}
    assert seen.after == seen.before


@pytest.mark.parametrize("writer", WRITES)
def test_what_was_held_is_released_as_a_canary_when_the_operator_is_back(written: dict[str, Held], writer: str) -> None:
    shop = written[writer].shop
    shop.wait("a ready canary", lambda: ((shop.copy() or {}).get("status") or {}).get("readyReplicas"), seconds=120)
    shop.wait("its share of traffic", lambda: shop.weight() == 5)
    assert shop.replica_sets() == {"shop/checkout:v1": 2}
    assert shop.held()


def test_a_deployment_without_a_rollout_rolls_at_once(written: dict[str, Held]) -> None:
    # The control: that nothing started above is the hold's doing, not a sleeping controller's.
    shop = written["PUT"].shop
    images = {
        rs["spec"]["template"]["spec"]["containers"][0]["image"]
        for rs in shop.items("apis/apps/v1 replicasets")
        if rs["metadata"]["labels"]["app"] == "control"
    }
    assert images == {"shop/control:v1", "shop/control:v2"}


def test_a_person_of_the_break_glass_group_lets_go_and_the_version_is_adopted(written: dict[str, Held]) -> None:
    shop = written["client-side apply"].shop
    patch = json.dumps({"metadata": {"annotations": {"canary.delivery/held": None}}, "spec": {"paused": False}})
    who = "--as=sre", "--as-group=canary:break-glass", "--as-group=system:masters"
    shop.lab.kubectl("patch", "deployment", "checkout", "-n", shop.namespace, "--type=merge", "-p", patch, *who)
    waiting.until("v2 to run", lambda: shop.replica_sets().get("shop/checkout:v2") == 2, seconds=60)
