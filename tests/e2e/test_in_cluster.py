"""Clients inside the cluster, which ask the root Service by its cluster address: the gateway's weights are not theirs.

Half of them keep their connection, half connect for each request. kube-proxy, the real one, chooses the pod.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.load import Counts, Load
from tests.e2e.shops import QuickShop, Shops
from tests.e2e.stories import Stories
from tests.e2e.test_release import BAD, Seen, watched

pytestmark = pytest.mark.lab
STORIES = Stories()

RATE = 40
HALF = ((50, "60s", "90s"),)
"""One step, long enough for something to come between."""


@contextmanager
def clients_of(shop: QuickShop) -> Iterator[tuple[Load, Load, Seen]]:
    """Clients at the gateway and at the Service, and what was seen meanwhile; no request of either may fail."""
    with shop.load(RATE) as gateway, shop.service_load(RATE) as service, watched(shop) as seen:
        shop.answers("v1", gateway)
        shop.answers("v1", service)
        yield gateway, service, seen
        for counts in (gateway.stop(), service.stop()):
            assert counts.failed == 0, counts.failures
    assert seen.without_endpoints == 0


def met_no_canary_before_promotion(counts: Counts, seen: Seen) -> None:
    assert seen.decided
    first = float(counts.versions["v2"]["first"])
    assert first > seen.undecided_at, f"v2 answered {seen.undecided_at - first:.1f} s before its promotion was decided"


@STORIES
def test_clients_in_the_cluster_meet_a_good_version_when_it_is_promoted_and_no_request_fails(shops: Shops) -> None:
    shop = shops.open("in-good", replicas=3, steps=((20, "3s", "6s"), (50, "3s", "6s")))
    with clients_of(shop) as (gateway, service, seen):
        shop.push("v2", version="v2")
        shop.answers("v2", gateway)
        shop.settle("shop/checkout:v2", seconds=300)
        shop.answers("v2", service)
    met_no_canary_before_promotion(service.counts(), seen)
    assert gateway.counts().of("v2") > 0
    assert not shop.pinned()


@STORIES
def test_clients_in_the_cluster_never_meet_a_bad_version(shops: Shops) -> None:
    shop = shops.open("in-bad", steps=((50, "3s", "8s"),))
    with clients_of(shop) as (gateway, service, seen):
        shop.push("v2", **BAD)
        shop.answers("v2", gateway)
        status = shop.settle("shop/checkout:v1", seconds=150)
        shop.answers("v1", service)
    assert status["history"][0]["outcome"] == "RolledBack"
    assert service.counts().of("v2") == 0
    assert not seen.met | seen.met_later


@STORIES
def test_clients_in_the_cluster_never_meet_a_version_that_is_aborted_while_it_has_all_of_the_gateways(
    shops: Shops,
) -> None:
    shop = shops.open("in-aborted", steps=HALF, bake="60s")
    with clients_of(shop) as (gateway, service, _):
        shop.push("v2", version="v2")
        shop.answers("v2", gateway)
        shop.canary("promote", "checkout")
        shop.wait("the bake", lambda: shop.status().get("promotion") == "Bake", seconds=90)
        shop.canary("abort", "checkout")
        shop.settle("shop/checkout:v1", seconds=120)
        shop.answers("v1", service)
    assert service.counts().of("v2") == 0


@STORIES
def test_clients_in_the_cluster_meet_neither_version_when_one_supersedes_the_other(shops: Shops) -> None:
    shop = shops.open("in-newer", steps=HALF)
    with clients_of(shop) as (gateway, service, _):
        shop.push("v2", version="v2")
        shop.answers("v2", gateway)
        shop.push("v3", version="v3")
        shop.answers("v3", gateway, seconds=90)
        shop.push("Back to v1", version="v1")
        shop.settle("shop/checkout:v1", releases=2, seconds=120)
        shop.answers("v1", service)
    assert set(service.counts().versions) == {"v1"}


@STORIES
def test_clients_in_the_cluster_notice_nothing_when_the_rollout_is_deleted_in_mid_release(shops: Shops) -> None:
    shop = shops.open("in-deleted", steps=HALF)
    with clients_of(shop) as (gateway, service, _):
        shop.push("v2", version="v2")
        shop.answers("v2", gateway)
        shop.repository.commit("No more Rollout", {"app/rollout.yaml": None})
        shop.wait("the Rollout to go", lambda: not shop.rollout(), seconds=90)
        shop.wait("the canary to go", lambda: shop.copy() is None and not shop.pods(canary=True))
        shop.answers("v1", service)
    assert service.counts().of("v2") == 0
    assert shop.held()
    assert not shop.pinned()


@STORIES
def test_clients_in_the_cluster_lose_no_request_when_the_rollout_is_deleted_while_the_deployment_rolls(
    shops: Shops,
) -> None:
    shop = shops.open("in-rolling", replicas=3, steps=HALF)
    with clients_of(shop) as (gateway, service, seen):
        shop.push("v2", version="v2")
        shop.answers("v2", gateway)
        shop.canary("promote", "checkout")
        shop.wait("the roll", lambda: shop.status().get("promotion") == "Replace", seconds=90)
        shop.lab.kubectl("delete", "rollouts.canary.delivery", "checkout", "-n", shop.namespace, "--wait=false")
        shop.wait("the canary to go", lambda: shop.copy() is None and not shop.pods(canary=True), seconds=120)
        shop.answers("v2", service)
    met_no_canary_before_promotion(service.counts(), seen)
    assert not shop.pinned()


@STORIES.long
def test_new_pods_that_are_cold_lose_their_traffic_until_they_are_warm_and_nothing_is_reverted(shops: Shops) -> None:
    """The canary's pods are warm; those that the roll brings fail two requests of three in their first minute."""
    cold = (("COLD_S", "60"), ("COLD_ERROR_RATIO", "0.7"), ("COLD_EXCEPT", "-canary-"))
    shop = shops.open("in-cold", steps=HALF)
    with clients_of(shop) as (gateway, service, seen):
        commit = shop.push("v2", version="v2", env=cold)
        shop.answers("v2", gateway)
        shop.canary("promote", "checkout")
        shop.wait("the return", lambda: shop.status().get("promotion") == "Return", seconds=120)
        found = shop.wait_for_reason("ReturnWorse", seconds=60)
        assert found["promotion"] == "Repin"
        assert shop.condition("Stalled")["status"] == "True"
        shop.wait("all of the traffic on the canary", lambda: shop.weight() == 100)
        assert "tried again in" in " ".join(shop.canary("status", "checkout").split())
        assert "canary copy" in " ".join(shop.canary("why", "checkout").split())
        copies = {
            pod["status"]["podIP"] for pod in shop.items("api/v1 pods?labelSelector=canary.delivery/track=canary")
        }
        shop.wait("the Service with the canary", lambda: shop.endpoints() and shop.endpoints() <= copies)
        status = shop.settle("shop/checkout:v2", seconds=200)
        shop.answers("v2", service)
    met_no_canary_before_promotion(service.counts(), seen)
    assert status["history"][0]["outcome"] == "Promoted"
    assert seen.weights == [0, 50, 100, 90, 100, 90, 50, 0]
    assert shop.repository.head() == commit, "nothing was reverted"
    shop.wait("the Event", lambda: "ReturnWorse" in shop.events())
    assert not {"RolledBack", "AnalysisFailed"} & set(shop.events())
