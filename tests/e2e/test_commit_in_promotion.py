"""A commit, or a bad verdict, that comes while a version is being promoted, at each stage of it."""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest

from tests.e2e.shops import QuickShop, Shops
from tests.e2e.sides import sides
from tests.e2e.stories import Stories

pytestmark = pytest.mark.lab
STORIES = Stories()

SHORT: dict[str, Any] = {"steps": ((50, "2s", "4s"),), "bake": "3s", "replicas": 2}
SLOW_START = (("START_DELAY_S", "3"),)
"""So that a roll lasts long enough to be met in its middle."""
BAD, GOOD = 0.7, 0.01
LONG = 240
"""Seconds that a wait may take on a busy machine."""
BEFORE = ("Shift", "Bake", "Pin")
"""Stages before the Deployment is let go."""
THRESHOLD = """\
apiVersion: canary.delivery/v1alpha1
kind: AnalysisTemplate
metadata: {{name: bound, namespace: {namespace}}}
spec:
  identity:
    labels:
    - name: envoy_cluster_name
      stable: "${{namespace}}_${{stableService}}_${{servicePort}}"
      canary: "${{namespace}}_${{canaryService}}_${{servicePort}}"
  metrics:
  - name: errors
    interval: 2s
    counter:
      bad: envoy_cluster_upstream_rq_xx{{envoy_response_code_class="5"}}
      total: envoy_cluster_upstream_rq_xx
    threshold: {{max: "0.3", window: 2s, consecutive: 1, passAfter: 1}}
"""


def image(number: int) -> str:
    return f"shop/checkout:v{number}"


def comes_to(shop: QuickShop, stage: str) -> None:
    """Wait until the promotion is in a stage; in the middle of the roll, if it is that."""
    shop.wait(f"stage {stage}", lambda: shop.status().get("promotion") == stage, seconds=LONG)
    if stage == "Replace":
        shop.wait("two ReplicaSets", lambda: sum(pods > 0 for pods in shop.replica_sets().values()) == 2)


def rolls(shop: QuickShop) -> None:
    """Wait until the first version has a pod less: to undo the roll takes as long as a pod takes to start."""
    comes_to(shop, "Replace")
    shop.wait("a pod less", lambda: shop.replica_sets()[image(1)] < shop.app.replicas)


def past(shop: QuickShop) -> tuple[str, str]:
    """How the newest release ended, and its image."""
    newest = (shop.status().get("history") or [{}])[0]
    return str(newest.get("outcome")), str((newest.get("images") or [""])[0])


def ended(shop: QuickShop, outcome: str, number: int) -> None:
    """Wait until a version's release has ended so; from then on it has all pods of the Deployment, or none."""
    shop.wait(f"v{number} {outcome}", lambda: past(shop) == (outcome, image(number)), seconds=LONG)
    running = {name for name, pods in shop.replica_sets().items() if pods}
    assert len(running) == 1, f"two active ReplicaSets are left: {running}"
    assert (running == {image(number)}) == (outcome == "Promoted")


def released(shop: QuickShop, number: int) -> None:
    """Wait until a version is a release of its own, with traffic and without a pod of the Deployment."""

    def look() -> bool:
        candidate = (shop.status().get("candidate") or {}).get("images")
        return candidate == [image(number)] and shop.phase() == "Step" and bool(shop.weight())

    shop.wait(f"v{number} on its first step", look, seconds=LONG)
    assert shop.held()
    assert image(number) not in shop.replica_sets()


def good_ones(shops: Shops, *stages: str) -> None:
    """Version after version, each of which meets the one before in another stage of its promotion."""
    shop = shops.by_hand(f"good-in-{stages[0]}".lower(), env=SLOW_START, **SHORT)
    with shop.load(40) as clients, sides(shop) as seen:
        shop.answers("v1", clients)
        shop.write(version="v2")
        for number, stage in enumerate(stages, start=2):
            comes_to(shop, stage)
            shop.write(version=f"v{number + 1}")
            ended(shop, "Superseded" if stage in BEFORE else "Promoted", number)
            released(shop, number + 1)
        counts = clients.stop()
    assert counts.failed == 0, counts.failures
    superseded = {image(number) for number, stage in enumerate(stages, start=2) if stage in BEFORE}
    assert not superseded & seen.ran


def bad_ones(shops: Shops, *stages: str) -> None:
    """The same with newcomers that are caught: what was being promoted when they came is not lost."""
    shop = shops.by_hand(f"bad-in-{stages[0]}".lower(), env=SLOW_START, **SHORT)
    number = stable = 1
    bad: set[str] = set()
    with shop.load(40) as clients, sides(shop) as seen:
        shop.answers("v1", clients)
        for stage in stages:
            number += 2
            shop.write(version=f"v{number - 1}", error_ratio=GOOD)
            comes_to(shop, stage)
            shop.write(version=f"v{number}", error_ratio=BAD)
            bad.add(image(number))
            if stage in BEFORE:
                ended(shop, "Superseded", number - 1)
            else:
                ended(shop, "Promoted", number - 1)
                stable = number - 1
            shop.wait(f"v{number} to be caught", lambda: shop.phase() == "AwaitingGit", seconds=LONG)
            shop.write(version=f"v{stable}", error_ratio=GOOD)
            shop.settle(image(stable), seconds=LONG)
            assert past(shop) == ("RolledBack", image(number))
        counts = clients.stop()
    assert counts.failed == 0, counts.failures
    assert not bad & seen.ran, "a version that was caught had pods of the Deployment"


@STORIES.long
def test_good_commits_before_the_deployment_is_let_go_supersede_what_was_being_promoted(shops: Shops) -> None:
    good_ones(shops, "Shift", "Bake", "Pin")


@STORIES.long
def test_a_good_commit_in_mid_roll_and_one_while_traffic_returns_wait_for_their_turn(shops: Shops) -> None:
    good_ones(shops, "Replace", "Return")


@STORIES.long
def test_a_bad_commit_in_mid_roll_and_one_while_traffic_returns_are_caught_after_the_promotion(shops: Shops) -> None:
    bad_ones(shops, "Replace", "Return")


@STORIES.long
def test_a_verdict_that_fails_in_mid_roll_undoes_it_and_a_commit_that_comes_then_is_released_after_it(
    shops: Shops,
) -> None:
    shop = shops.bare("late-verdict", git_mode="off", template="bound", env=SLOW_START, **{**SHORT, "replicas": 3})
    shop.lab.apply(THRESHOLD.format(namespace=shop.namespace))
    shop.lab.apply("---\n".join(shop.app.files().values()))
    shop.wait_until_adopted()
    with shop.load(60) as clients, sides(shop):
        shop.answers("v1", clients)
        shop.write(version="v2")
        rolls(shop)
        for address in shop.endpoints("checkout-canary"):  # the version turns bad when it is nearly through
            urllib.request.urlopen(
                urllib.request.Request(f"http://{address}:8080/-/knobs?error_ratio={BAD}", method="POST"), timeout=5
            ).close()
        shop.wait("the undo", lambda: shop.status().get("promotion") == "Undo", seconds=LONG)
        assert shop.phase() == "RollingBack"
        assert shop.status()["reason"] == "AnalysisFailed"
        shop.write(version="v3")
        ended(shop, "RolledBack", 2)
        released(shop, 3)
        counts = clients.stop()
    assert counts.failed == 0, counts.failures
    assert {name for name, pods in shop.replica_sets().items() if pods} == {image(1)}


@STORIES.long
def test_an_abort_in_mid_roll_puts_stable_back_to_full_size_and_reverts_the_commit(shops: Shops) -> None:
    shop = shops.open("abort-in-roll", env=SLOW_START, **{**SHORT, "replicas": 3})
    with shop.load(60) as clients, sides(shop):
        shop.answers("v1", clients)
        commit = shop.push("v2", version="v2")
        rolls(shop)
        shop.canary("abort", "checkout")
        shop.wait("the undo", lambda: shop.status().get("promotion") == "Undo", seconds=LONG)
        shop.settle(image(1), seconds=LONG)
        counts = clients.stop()
    assert counts.failed == 0, counts.failures
    assert past(shop) == ("RolledBack", image(2))
    assert shop.trailers(shop.repository.head())["Rollout-Reverts"] == commit
    assert {name for name, pods in shop.replica_sets().items() if pods} == {image(1)}
