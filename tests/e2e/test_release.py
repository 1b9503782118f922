"""Releases from the push to the end, on real parts and under load."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from lab.trials import PodKill, failed
from tests.e2e.looking import looking
from tests.e2e.shops import QuickShop, Shops
from tests.e2e.stories import Stories

pytestmark = pytest.mark.lab
STORIES = Stories()

BAD = {"version": "v2", "error_ratio": 0.7}
"""Bad enough to be caught in the first seconds, in which only ten times the errors count."""
DECIDED = {"Pin", "Replace", "Repin", "Return", "Cleanup"}
"""Stages in which promotion is decided, so that clients of the Service may meet the canary."""
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: prices, namespace: {}}}\ndata: {{currency: {}}}\n"


@dataclass(slots=True)
class Seen:
    """What a thread saw in a release, a few times a second."""

    weights: list[int] = field(default_factory=list)
    met: set[str] = field(default_factory=set)
    """Canary pods among the endpoints of the root Service while promotion was not decided."""
    met_later: set[str] = field(default_factory=set)
    without_endpoints: int = 0
    looks: int = 0
    decided: bool = False
    undecided_at: float = 0.0
    """When promotion was last seen not to be decided yet, seconds since the epoch."""


@contextmanager
def watched(shop: QuickShop) -> Iterator[Seen]:
    """Look at the shop's traffic in a thread of its own while the block runs."""
    seen = Seen()
    with looking(lambda: look(shop, seen), every_seconds=0.15):
        yield seen
    assert seen.looks > 10


def look(shop: QuickShop, seen: Seen) -> None:
    endpoints, now = shop.endpoints(), time.time()
    # Read after the endpoints: if promotion is not decided now, it was not when they were read.
    decided = shop.status().get("promotion") in DECIDED
    seen.decided = seen.decided or decided
    seen.undecided_at = seen.undecided_at if seen.decided else now
    selector = "labelSelector=canary.delivery/track=canary"
    canaries = {pod["status"].get("podIP"): pod["metadata"]["name"] for pod in shop.items(f"api/v1 pods?{selector}")}
    met = {name for address, name in canaries.items() if address in endpoints}
    (seen.met_later if decided else seen.met).update(met)
    seen.without_endpoints += not endpoints
    weight = shop.weight() or 0
    if not seen.weights or seen.weights[-1] != weight:
        seen.weights.append(weight)
    seen.looks += 1


def log_of(shop: QuickShop, *arguments: str) -> list[str]:
    return shop.repository.log(*arguments).splitlines()


@STORIES
def test_a_good_commit_is_promoted_step_by_step_and_no_request_fails(shops: Shops) -> None:
    shop = shops.open("good", replicas=3, steps=((5, "3s", "6s"), (20, "3s", "6s"), (50, "3s", "6s")))
    with shop.load(100) as clients, watched(shop) as seen:
        shop.answers("v1", clients)
        shop.push("v2", version="v2")
        status = shop.settle("shop/checkout:v2", seconds=300)
        shop.wait("v2 alone to answer", lambda: clients.counts().of("v2") > 500)
        counts = clients.stop()
    assert status["history"][0]["outcome"] == "Promoted"
    assert counts.failed == 0, counts.failures
    assert counts.dropped == 0
    assert seen.weights == [0, 5, 20, 50, 100, 90, 50, 0]
    assert not seen.met, "clients of the Service met a canary before promotion was decided"
    assert seen.met_later, "the Service was never pinned to the canary, so the Deployment rolled under its clients"
    assert seen.without_endpoints == 0
    assert not shop.pinned()
    assert shop.replica_sets()["shop/checkout:v2"] == 3


@STORIES
def test_a_bad_commit_loses_its_traffic_and_only_it_is_reverted_in_git(shops: Shops) -> None:
    shop = shops.open("bad", replicas=3)
    healthy = shop.push("A fourth pod", replicas=4)
    shop.wait("the fourth pod", lambda: shop.deployment()["status"].get("readyReplicas") == 4)
    pods = shop.pods()
    with shop.load(100) as clients, watched(shop) as seen:
        shop.answers("v1", clients)
        bad = shop.push("v2: a new engine", **BAD)
        shop.answers("v2", clients)
        later = shop.repository.commit("Prices", {"app/prices.yaml": CONFIG.format(shop.namespace, "EUR")})
        status = shop.settle("shop/checkout:v1", seconds=120)
        counts = clients.stop()
    assert counts.failed == 0, counts.failures
    assert seen.weights == [0, 5, 0]
    assert not seen.met | seen.met_later
    assert shop.pods() == pods, "stable's pods are those of before, and none was restarted"
    assert shop.replica_sets() == {"shop/checkout:v1": 4}, "the Deployment itself never ran the bad template"
    assert status["history"][0]["outcome"] == "RolledBack"
    assert status["history"][0]["commit"] == bad
    head = shop.repository.head()
    assert log_of(shop, "--format=%H")[1:4] == [later, bad, healthy]
    trailers = shop.trailers(head)
    assert trailers["Rollout"] == f"{shop.namespace}/checkout"
    assert trailers["Rollout-Reverts"] == bad
    assert "errors" in trailers["Rollout-Report"]
    assert log_of(shop, "-1", "--name-only", "--format=") == ["app/deployment.yaml"]
    assert "shop/checkout:v1" in shop.repository.show("app/deployment.yaml")
    assert "replicas: 4" in shop.repository.show("app/deployment.yaml")
    assert "EUR" in shop.repository.show("app/prices.yaml")
    assert shop.deployment()["spec"]["replicas"] == 4
    shop.wait("the Events", lambda: {"AnalysisFailed", "RolledBack"} <= set(shop.events()))


@STORIES
def test_a_rejected_version_is_refused_when_it_comes_again_and_tried_again_when_asked(shops: Shops) -> None:
    shop = shops.open("again")
    with shop.load(100) as clients:
        shop.answers("v1", clients)
        shop.push("v2", **BAD)
        shop.settle("shop/checkout:v1", seconds=120)
        served = clients.counts().of("v2")
        again = shop.repository.commit("v2, once more", {"app/deployment.yaml": shop.app.deployment()})
        shop.wait("the refusal", lambda: shop.status().get("reason") == "Rejected")
        assert shop.phase() == "Held"
        assert shop.condition("Stalled")["reason"] == "Rejected"
        assert shop.copy() is None
        assert clients.counts().of("v2") == served
        assert shop.repository.head() == again, "a person brought it back: that is not reverted by itself"
        shop.canary("retry", "checkout")
        shop.answers("v2", clients)
        shop.wait_for_phase("RollingBack", "Reverting", "AwaitingGit", "Stable", seconds=120)
        assert clients.stop().failed == 0
    assert shop.replica_sets() == {"shop/checkout:v1": 2}


@STORIES
def test_a_newer_commit_supersedes_the_release_that_is_under_way(shops: Shops) -> None:
    shop = shops.open("newer", steps=((50, "60s", "90s"),))
    with shop.load(60) as clients, watched(shop) as seen:
        shop.answers("v1", clients)
        shop.push("v2", version="v2")
        shop.answers("v2", clients)
        shop.push("v3", version="v3")
        shop.answers("v3", clients, seconds=90)
        status = shop.status()
        at_third = clients.counts().of("v2")
        assert status["history"][0]["outcome"] == "Superseded"
        assert status["phase"] == "Step"
        assert shop.image() == "shop/checkout:v3"
        shop.canary("promote", "checkout")
        shop.settle("shop/checkout:v3", releases=2, seconds=180)
        counts = clients.stop()
    assert counts.of("v2") == at_third, "the superseded version got no more requests"
    assert counts.failed == 0, counts.failures
    assert seen.weights[:5] == [0, 50, 0, 50, 100]
    assert set(shop.replica_sets()) == {"shop/checkout:v1", "shop/checkout:v3"}, "the Deployment never ran v2"


@STORIES
def test_a_persons_revert_cancels_the_release_and_canary_reverts_nothing(shops: Shops) -> None:
    shop = shops.open("cancelled", steps=((50, "60s", "90s"),))
    with shop.load(60) as clients:
        shop.answers("v1", clients)
        shop.push("v2", version="v2")
        shop.answers("v2", clients)
        own = shop.push("Revert v2", version="v1")
        status = shop.settle("shop/checkout:v1", seconds=90)
        assert clients.stop().failed == 0
    assert status["history"][0]["outcome"] == "Cancelled"
    assert shop.repository.head() == own
    assert not status.get("rejected"), "nobody judged it, so it may come again"


@STORIES
def test_an_approval_is_waited_for_and_an_abort_after_it_rolls_back_and_reverts(shops: Shops) -> None:
    shop = shops.open("approval", approval=True, steps=((5, "2s", "4s"), (50, "60s", "90s")))
    with shop.load(60) as clients:
        shop.answers("v1", clients)
        commit = shop.push("v2", version="v2")
        shop.wait_for_reason("AwaitingApproval")
        assert shop.weight() == 5
        shop.canary("approve", "checkout")
        shop.wait("half of the traffic", lambda: shop.weight() == 50)
        shop.canary("abort", "checkout")
        status = shop.settle("shop/checkout:v1", seconds=90)
        assert clients.stop().failed == 0
    assert status["history"][0]["outcome"] == "RolledBack"
    assert shop.trailers(shop.repository.head())["Rollout-Reverts"] == commit


@STORIES
def test_a_paused_release_keeps_its_weight_until_it_is_resumed(shops: Shops) -> None:
    # Long enough for the command to come in the first step on a busy machine.
    shop = shops.open("paused", steps=((10, "12s", "15s"), (50, "60s", "90s")))
    with shop.load(60) as clients:
        shop.answers("v1", clients)
        shop.push("v2", version="v2")
        shop.wait("a tenth of the traffic", lambda: shop.weight() == 10)
        shop.canary("pause", "checkout")
        shop.wait_for_reason("Paused")
        until = time.monotonic() + 16  # longer than the step may last
        while time.monotonic() < until:
            assert shop.weight() == 10
            time.sleep(0.5)
        shop.canary("resume", "checkout")
        shop.wait("half of the traffic", lambda: shop.weight() == 50)
        assert clients.stop().failed == 0


@STORIES
def test_a_canary_that_crashes_again_and_again_is_rolled_back_without_metrics(shops: Shops) -> None:
    shop = shops.open("crashing")
    with shop.load(60) as clients:
        shop.answers("v1", clients)
        commit = shop.push("v2", version="v2", env=(("CRASH_AFTER_S", "0.3"), ("READY", "false")))
        status = shop.settle("shop/checkout:v1", seconds=150)
        counts = clients.stop()
    assert counts.failed == 0, counts.failures
    assert status["history"][0]["outcome"] == "RolledBack"
    shop.wait("the Event", lambda: "CanaryFailed" in shop.events())
    assert shop.trailers(shop.repository.head())["Rollout-Reverts"] == commit


@STORIES
def test_a_canary_whose_only_pod_dies_has_no_traffic_until_the_pod_is_back(shops: Shops) -> None:
    shop = shops.open("pod-dies", template="app-requests", steps=((50, "60s", "90s"),))
    with shop.load(60) as clients, watched(shop) as seen:
        shop.answers("v1", clients)
        shop.push("v2", version="v2", env=(("START_DELAY_S", "8"),))
        shop.answers("v2", clients)
        pod, kill = shop.pods(canary=True)[0], PodKill(shop.namespace, time.time())
        shop.lab.faults.kill9_pod(pod.uid)
        shop.wait("weight 0", lambda: not shop.weight())
        kill.made_up_at = time.time()
        assert not shop.pods(canary=True)[0].ready, "its weight went before it came back"
        shop.wait("its weight again", lambda: shop.weight() == 50)
        assert shop.pods(canary=True)[0].restarts == pod.restarts + 1
        shop.answers("v2", clients)
        assert failed(shop.namespace, clients.stop(), [kill])[0] == []
    assert seen.weights == [0, 50, 0, 50]


@STORIES
def test_a_canary_that_never_gets_ready_is_rolled_back_without_a_request(shops: Shops) -> None:
    shop = shops.open("never-ready", progress_deadline="10s")
    with shop.load(60) as clients:
        shop.answers("v1", clients)
        commit = shop.push("v2", version="v2", env=(("READY", "false"),))
        status = shop.settle("shop/checkout:v1", seconds=120)
        counts = clients.stop()
    assert counts.of("v2") == 0
    assert counts.failed == 0, counts.failures
    assert status["history"][0]["outcome"] == "RolledBack"
    shop.wait("the Event", lambda: "CanaryNotReady" in shop.events())
    assert shop.trailers(shop.repository.head())["Rollout-Reverts"] == commit


@STORIES
def test_a_rollout_that_is_deleted_in_mid_release_leaves_stable_serving_and_the_new_version_held(shops: Shops) -> None:
    shop = shops.open("deleted", steps=((50, "60s", "90s"),))
    with shop.load(60) as clients, watched(shop) as seen:
        shop.answers("v1", clients)
        shop.push("v2", version="v2")
        shop.answers("v2", clients)
        shop.repository.commit("No more Rollout", {"app/rollout.yaml": None})
        shop.wait("the Rollout to go", lambda: not shop.rollout(), seconds=90)
        shop.wait("the canary to go", lambda: shop.copy() is None and not shop.pods(canary=True))
        served = clients.counts().of("v2")
        shop.wait("more answers of v1", lambda: clients.counts().requests > 0 and clients.counts().of("v1") > 0)
        counts = clients.stop()
    assert counts.failed == 0, counts.failures
    assert counts.of("v2") == served
    assert seen.weights == [0, 50, 0]
    assert not seen.met | seen.met_later
    assert seen.without_endpoints == 0
    assert shop.held(), "an unjudged version is never promoted by accident"
    assert shop.image() == "shop/checkout:v2"
    assert shop.replica_sets() == {"shop/checkout:v1": 2}
    assert not shop.pinned()
    assert shop.get("v1", "services", "checkout-canary") is None


@STORIES
def test_a_namespace_in_which_a_version_was_rejected_can_be_deleted(shops: Shops) -> None:
    shop = shops.open("namespace")
    with shop.load(100) as clients:
        shop.answers("v1", clients)
        shop.push("v2", **BAD)
        shop.settle("shop/checkout:v1", seconds=120)
    flux = "kustomizations.kustomize.toolkit.fluxcd.io", shop.namespace, "-n", "flux-system"
    shop.lab.kubectl("patch", *flux, "--type=merge", "-p", '{"spec":{"prune":false}}')
    shop.lab.kubectl("delete", *flux)
    shop.lab.kubectl("delete", "namespace", shop.namespace, "--wait=false")
    shop.wait("the Rollout to go", lambda: not shop.rollout(), seconds=60)
