"""A cluster without the admission policies: the operator keeps Deployments paused while they are stable.

What holds there, and what does not. The policies are taken out for these tests, so they have a lab's operator of their
own; they are told at the same time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest
import yaml

from lab.cluster import Lab
from lab.parts.operator import TICKS, Operator
from tests.e2e.policies_in_force import wait_for_policies
from tests.e2e.shops import QuickShop, Shops
from tests.e2e.sides import sides
from tests.e2e.test_variants import ManagedApp, opened
from tests.e2e.writers import client_side_apply, put, server_side_apply

pytestmark = pytest.mark.lab
AWAY_SECONDS = 4.0
"""How long nothing may happen after the last write arrived; the controllers need a fraction of a second to start a pod,
as the writes show that are not held."""
SYNC_EVERY_SECONDS = 3.0
POLICIES = "mutatingadmissionpolicies,mutatingadmissionpolicybindings,validatingadmissionpolicies,validatingadmissionpolicybindings"
BAD = {"version": "v2", "error_ratio": 0.7}


def _manifest(shop: QuickShop, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(replace(shop.app, version="v2", **changes).deployment())
    return found


def _put_what_is_there(shop: QuickShop) -> None:
    """As `kubectl get -o yaml`, an edit and `kubectl replace`: what the API server has, with another image."""
    live = shop.deployment()
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "shop/checkout:v2"
    del live["metadata"]["resourceVersion"]
    put(shop.lab, live)


HELD: dict[str, Callable[[QuickShop], object]] = {
    "good": lambda shop: shop.push("v2", version="v2"),
    "bad": lambda shop: shop.push("v2", **BAD),
    "managed": lambda shop: shop.push("v2", version="v2"),
    "client-side": lambda shop: client_side_apply(shop.lab, _manifest(shop)),
    "server-side": lambda shop: server_side_apply(shop.lab, _manifest(shop)),
    "put-live": _put_what_is_there,
    # Flux takes `paused: false` out of what it applies: it is the default.
    "flux-unpaused": lambda shop: shop.push("v2", version="v2", paused="false"),
}
"""Writes that do not start a pod while the operator is away, by the shop's name."""
NOT_HELD: dict[str, Callable[[QuickShop], object]] = {
    "unpaused": lambda shop: server_side_apply(shop.lab, _manifest(shop, paused="false")),
    "put-file": lambda shop: put(shop.lab, _manifest(shop)),
}
"""Writes that say that the Deployment is not paused; in a PUT that does not name it, that is said too."""
BY_FLUX = frozenset({"good", "bad", "managed", "flux-unpaused"})


@dataclass(slots=True)
class Away:
    """One shop, before and after a write that came while the operator was away."""

    shop: QuickShop
    before: list[Any]
    after: list[Any]
    replica_sets: dict[str, int]
    held: bool


@pytest.fixture(scope="module")
def operator(running_lab: Lab) -> Iterator[Operator]:
    """The operator in a cluster that has no policies: nobody told it so."""
    running_lab.faults.mend()
    wait_for_policies(running_lab, routes=True)
    names = running_lab.kubectl("get", POLICIES, "-o", "name").split()
    running_lab.kubectl("delete", "--wait=true", *(name for name in names if "/canary-" in name))
    part = Operator(running_lab, {**TICKS, "policies": "auto"})
    running_lab.add(part)
    yield part
    part.process.stop()
    del running_lab.parts[part.name]
    running_lab.install_project()
    wait_for_policies(running_lab, routes=True)


def _open(shops: Shops, name: str) -> QuickShop:
    quick: dict[str, Any] = {"steps": ((50, "6s", "9s"),), "bake": "2s"}
    if name == "managed":
        return opened(shops, ManagedApp, name, **quick)
    return shops.open(name, **quick) if name in BY_FLUX else shops.by_hand(name, **quick)


@pytest.fixture(scope="module")
def written(operator: Operator, shops: Shops) -> dict[str, Away]:
    """Each way to write, done while the operator is stopped; it comes back after that was looked at."""
    writes = {**HELD, **NOT_HELD}
    with ThreadPoolExecutor(len(writes)) as pool:
        shop_of = dict(zip(writes, pool.map(lambda name: _open(shops, name), writes), strict=True))
    for shop in shop_of.values():
        shop.wait("the hold", lambda shop=shop: shop.held())
    before = {name: shop.pods() for name, shop in shop_of.items()}
    operator.process.stop()
    for name, write in writes.items():
        write(shop_of[name])
    for name, shop in shop_of.items():
        shop.wait("the new template", lambda shop=shop: shop.image() == "shop/checkout:v2", seconds=90)
        if name in NOT_HELD:
            shop.wait("it to roll", lambda shop=shop: shop.replica_sets().get("shop/checkout:v2"))
    time.sleep(AWAY_SECONDS)  # not for luck: what is claimed is that nothing happens meanwhile
    found = {
        name: Away(shop, before[name], shop.pods(), shop.replica_sets(), shop.held()) for name, shop in shop_of.items()
    }
    operator.start()
    return found


@pytest.fixture(scope="module")
def releases(written: dict[str, Away]) -> Iterator[dict[str, Future[None]]]:
    """What was held is released when the operator is back: told at the same time."""
    stories = {
        "good": _promoted_attached,
        "managed": _promoted,
        "bad": _caught,
        "put-file": _adopted,
        "unpaused": _adopted,
    }
    with ThreadPoolExecutor(len(stories)) as pool:
        yield {name: pool.submit(story, written[name].shop) for name, story in stories.items()}


@pytest.mark.parametrize("writer", HELD)
def test_without_the_policies_no_pod_of_a_new_template_starts_while_the_operator_is_away(
    written: dict[str, Away], writer: str
) -> None:
    seen = written[writer]
    assert seen.held
    assert seen.replica_sets == {"shop/checkout:v1": 2}
    assert seen.after == seen.before


@pytest.mark.parametrize("writer", NOT_HELD)
def test_without_the_policies_a_write_that_says_not_paused_is_not_held(written: dict[str, Away], writer: str) -> None:
    # Not promised, and told in docs/concepts.md; also the control of the test above.
    assert written[writer].replica_sets.get("shop/checkout:v2")


def _sync(shop: QuickShop) -> None:
    """Have Flux apply Git's version now."""
    patch = json.dumps({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": str(time.time_ns())}}})
    path = f"/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/{shop.namespace}"
    shop.lab.api("PATCH", path, json.loads(patch), content_type="application/merge-patch+json")


def _promoted_attached(shop: QuickShop) -> None:
    """The same with a route in Git.

    A sync takes the canary's backend away while it has traffic, which costs a request here and there: not promised, and
    why docs/concepts.md advises a route that Canary makes.
    """
    _promoted(shop, every_answer=False)


def _promoted(shop: QuickShop, *, every_answer: bool = True) -> None:
    """A whole good release, with a sync of Git's version every few seconds."""
    with shop.load(60) as clients, sides(shop):
        until = time.monotonic() + 240
        while (shop.status().get("history") or [{}])[0].get("outcome") != "Promoted":
            assert time.monotonic() < until, shop.story()
            _sync(shop)
            time.sleep(SYNC_EVERY_SECONDS)
        shop.wait("no canary", lambda: shop.weight() is None and shop.copy() is None)
        counts = clients.stop()
    assert not (every_answer and counts.failed), counts.failures
    assert counts.of("v2") > 0
    assert {name: pods for name, pods in shop.replica_sets().items() if pods} == {"shop/checkout:v2": 2}
    shop.wait("the hold of what is stable", shop.held)
    assert not shop.pinned()


def _caught(shop: QuickShop) -> None:
    """A whole bad release: no traffic, reverted in Git, and held again."""
    with shop.load(60) as clients, sides(shop):
        shop.answers("v2", clients, seconds=90)
        shop.wait(
            "the roll-back",
            lambda: (shop.status().get("history") or [{}])[0].get("outcome") == "RolledBack",
            seconds=120,
        )
        shop.wait("no canary", lambda: shop.weight() is None and shop.copy() is None)
        counts = clients.stop()
    assert counts.failed == 0, counts.failures
    assert shop.image() == "shop/checkout:v1"
    assert shop.replica_sets() == {"shop/checkout:v1": 2}, "the Deployment never ran the bad template"
    assert shop.trailers(shop.repository.head())["Rollout"] == f"{shop.namespace}/checkout"
    assert shop.held()


def _adopted(shop: QuickShop) -> None:
    """What rolled while nobody was there to hold it is called stable, and told so."""
    shop.wait("v2 alone", lambda: {n for n, pods in shop.replica_sets().items() if pods} == {"shop/checkout:v2"})
    shop.wait("the hold", shop.held)
    assert shop.status()["reason"] in ("Adopted", "LetGoByHand", "Stable")


@pytest.mark.parametrize("route", ["good", "managed"])
def test_without_the_policies_a_good_version_is_promoted_although_git_is_synced_all_the_time(
    releases: dict[str, Future[None]], route: str
) -> None:
    releases[route].result(300)


def test_without_the_policies_a_bad_version_loses_its_traffic_and_is_reverted(
    releases: dict[str, Future[None]],
) -> None:
    releases["bad"].result(300)


@pytest.mark.parametrize("writer", NOT_HELD)
def test_without_the_policies_what_rolled_by_itself_is_adopted_and_the_next_version_held(
    releases: dict[str, Future[None]], writer: str
) -> None:
    releases[writer].result(300)
