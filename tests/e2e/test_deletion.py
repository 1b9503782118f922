"""A Rollout is deleted, as an uninstall does it, in each phase: Services have endpoints, and nothing unjudged starts.

Phases that are too short to be met by looking are in test_exact_moments.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.shops import QuickShop, Shops
from tests.e2e.sides import sides
from tests.e2e.stories import Stories
from tests.e2e.test_commit_in_promotion import SLOW_START, rolls

pytestmark = pytest.mark.lab
STORIES = Stories()

PATH = "/apis/canary.delivery/v1alpha1/namespaces/{}/rollouts/checkout"
LONG = "60s", "90s"


@dataclass(frozen=True, slots=True)
class Moment:
    """When the Rollout is deleted, and what its Deployment runs in the end."""

    reached: Callable[[dict[str, Any]], bool]
    """Of the status."""
    changes: dict[str, Any]
    """Of the app, to stay in that phase long enough."""
    runs: str = "v1"
    held: bool = True
    command: str = ""
    """Given as soon as the canary has traffic, or the roll has begun."""
    commanded_at: str = "Step"


def phase(*phases: str) -> Callable[[dict[str, Any]], bool]:
    return lambda status: status.get("phase") in phases


def _step(number: int) -> Callable[[dict[str, Any]], bool]:
    return lambda status: status.get("phase") == "Step" and status.get("step") == number


def stage(stage: str) -> Callable[[dict[str, Any]], bool]:
    return lambda status: status.get("promotion") == stage


STEPS = (10, "2s", "4s"), (50, "2s", "4s")
QUICK: dict[str, Any] = {"steps": STEPS[1:], "env": SLOW_START}
MOMENTS = {
    "the_canary_starts": Moment(phase("Starting"), {"env": (("START_DELAY_S", "8"),)}),
    "the_first_step_is_watched": Moment(_step(0), {"steps": ((10, *LONG), STEPS[1])}),
    "the_second_step_is_watched": Moment(_step(1), {"steps": (STEPS[0], (50, *LONG))}),
    "it_bakes": Moment(stage("Bake"), {**QUICK, "bake": "60s"}),
    "the_service_is_pinned_to_the_canary": Moment(stage("Pin"), QUICK),
    "the_deployment_rolls": Moment(stage("Replace"), QUICK, runs="v2", held=False),
    "the_service_is_pinned_to_the_new_pods": Moment(stage("Repin"), QUICK, runs="v2", held=False),
    "traffic_returns": Moment(stage("Return"), QUICK, runs="v2", held=False),
    "it_waits_for_git": Moment(phase("AwaitingGit"), {"steps": ((50, *LONG),)}, command="abort"),
    "a_roll_is_undone": Moment(stage("Undo"), QUICK, command="abort", commanded_at="Replace"),
}


def deleted_when(shops: Shops, name: str, moment: Moment) -> None:
    """Delete the Rollout at that moment of a release, and look at what is left."""
    shop = shops.by_hand(f"del-{name}".replace("_", "-"), **{"bake": "2s", **moment.changes})
    with shop.load(20) as clients, sides(shop) as seen:
        shop.answers("v1", clients)
        shop.write(version="v2")
        if moment.command:
            at = moment.commanded_at
            shop.wait(at, lambda: at in (shop.phase(), shop.status().get("promotion")), seconds=240)
            shop.wait("its traffic", shop.weight)
            if at == "Replace":
                rolls(shop)
            shop.canary(moment.command, "checkout")
        shop.wait("the moment", lambda: moment.reached(shop.status()), seconds=240)
        answer = shop.lab.api("DELETE", PATH.format(shop.namespace))
        assert moment.reached(answer["status"]), f"too late: {answer['status']['phase']}"
        shop.wait("the Rollout to go", lambda: not shop.rollout(), seconds=240)
        shop.wait("the canary's pods to go", lambda: not shop.pods(canary=True))
        left(shop, moment)
        counts = clients.stop()
    assert counts.failed == 0, counts.failures
    if moment.runs == "v1" and name != "a_roll_is_undone":
        assert seen.ran == {"shop/checkout:v1"}


def left(shop: QuickShop, moment: Moment) -> None:
    assert shop.weight() is None
    assert not shop.pinned()
    assert shop.copy() is None
    assert shop.get("v1", "services", "checkout-canary") is None
    shop.wait(
        f"{moment.runs} alone",
        lambda: {i for i, n in shop.replica_sets().items() if n} == {f"shop/checkout:{moment.runs}"},
    )
    shop.wait("its endpoints", lambda: len(shop.endpoints()) == shop.app.replicas)
    assert shop.held() is moment.held
    assert bool(shop.deployment()["spec"].get("paused")) is moment.held, "an unjudged version is never let go"
    labels = shop.deployment()["metadata"].get("labels") or {}
    assert ("canary.delivery/rollout" in labels) is moment.held, "what is held stays so"


def _story(name: str, moment: Moment) -> Callable[[Any], None]:
    def story(shops: Shops) -> None:
        deleted_when(shops, name, moment)

    story.__name__ = f"test_a_rollout_deleted_while_{name}_leaves_its_service_served"
    return STORIES(story)


for _name, _moment in MOMENTS.items():
    _test = _story(_name, _moment)
    globals()[_test.__name__] = _test
