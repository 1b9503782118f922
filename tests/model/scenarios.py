"""The bounded worlds; together they let everybody act whom docs/guarantees.md names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from canary.core.plan import Plan, WeightStep
from tests.model.walk import Scenario, Turn
from tests.property.hands import HANDS, Hand
from tests.property.parts import PLAN, Pods
from tests.property.world import World

SMALL: Final = replace(PLAN, steps=(WeightStep(50, 10, 60),))


def start(plan: Plan = SMALL, replicas: int = 2, **fields: object) -> World:
    """A Rollout that has just adopted what serves."""
    world = World(plan=plan, replicas=replicas, sets={"good0": Pods(replicas, replicas)}, log=None, **fields)  # type: ignore[arg-type]  # names are the dataclass's
    world.settle(rounds=140)
    return world


def push(*versions: str) -> tuple[Turn, ...]:
    """Each is pushed once, at any time; the engine applies it when it likes."""

    def pushes(version: str) -> Hand:
        def act(world: World) -> None:
            world.git_version = version

        return act

    return tuple(Turn(1, {f"push {version}": pushes(version)}) for version in versions)


def hands(times: int, *names: str) -> Turn:
    """Any of these acts, so often in all; a name may end in a star."""
    chosen: Mapping[str, Hand] = {
        name: hand
        for name, hand in HANDS.items()
        if any(name == wanted or (wanted.endswith("*") and name.startswith(wanted[:-1])) for wanted in names)
    }
    return Turn(times, chosen)


PEOPLE: Final = (
    "somebody_deletes*",
    "somebody_scales*",
    "somebody_edits_the_copy",
    "somebody_sets*",
    "somebody_takes*",
    "the_route*",
    "the_service*",
    "the_glass_is_broken",
)
TWO_STEPS: Final = replace(PLAN, steps=(WeightStep(5, 10, 60), WeightStep(50, 10, 60)))
SCENARIOS: Final = (
    Scenario(
        "versions",
        "Two good and two bad versions are pushed at any time and in any order; a person reverts our revert.",
        (*push("good1", "good2", "bad1", "bad2"), hands(1, "a_rejected_version*")),
        start,
    ),
    Scenario(
        "crashes",
        "The operator ends between any two effects, twice.",
        push("good1", "bad1"),
        lambda: start(TWO_STEPS),
        crashes=2,
    ),
    Scenario(
        "replicas",
        "Two replicas: the old leader's request lands at any time, decided on an old look; others write between effects.",
        (*push("good1", "bad1"), hands(1, "somebody_asks_to_abort", "stable_is_pushed_again")),
        start,
        depositions=1,
        apart=True,
    ),
    Scenario(
        "old looks",
        "Between look and effect others act: pods die, Git pushes, people scale and abort; the operator crashes.",
        (
            *push("good1", "bad1"),
            hands(
                1,
                "all_of_the_canary_pods_die",
                "pods_of_the_deployment_die",
                "the_deployment_is_scaled_to_4",
                "the_deployment_is_scaled_to_0",
                "somebody_asks_to_abort",
                "somebody_sets_the_weight_to_30",
            ),
        ),
        start,
        crashes=1,
        apart=True,
    ),
    Scenario(
        "slow parts",
        "Kubelet, controller, gateway, Git and the engine each take their time.",
        (*push("good1"), hands(1, "the_gateway_refuses_or_accepts")),
        start,
        lag=True,
    ),
    Scenario(
        "gateway",
        "The gateway stops, refuses and comes back, while versions come and the operator crashes.",
        (*push("good1", "bad1"), hands(3, "the_gateway*")),
        start,
        crashes=1,
    ),
    Scenario(
        "room",
        "Quota and nodes fill and empty, nodes drain, the size changes.",
        (
            *push("good1", "good2"),
            hands(2, "the_room_changes"),
            hands(1, "*_die", "all_of*", "half_of*", "pods_of*", "the_deployment_is_scaled*", "the_load_changes"),
        ),
        start,
    ),
    Scenario(
        "people",
        "People write fields that are the operator's, twice, while a version comes.",
        (*push("good1"), hands(2, *PEOPLE)),
        start,
    ),
    Scenario(
        "people and a bad version",
        "People write fields that are the operator's while a bad version comes; the operator crashes.",
        (*push("bad1"), hands(1, *PEOPLE, "the_deployment*", "the_canary*")),
        start,
        crashes=1,
    ),
    Scenario(
        "Git",
        "Git refuses, loses the answer and is back; a person reverts our revert; the engine is slow.",
        (
            *push("bad1", "good1"),
            hands(2, "git_changes", "git_will_lose_an_answer"),
            hands(1, "a_rejected_version*", "stable_is_pushed_again", "somebody_asks_to_retry"),
        ),
        start,
        crashes=1,
    ),
    Scenario(
        "commands",
        "Pause, resume, abort, approve, promote and retry at any time; the plan changes.",
        (*push("good1", "bad1"), hands(2, "pause_or_resume", "somebody_asks_to*"), hands(1, "the_plan*")),
        start,
    ),
    Scenario(
        "metrics",
        "Metrics fall silent and come back; new pods are cold; a version is dubious.",
        (*push("good1", "dubious1"), hands(2, "metrics_change"), hands(1, "pods_turn_cold", "the_load_changes")),
        start,
    ),
    Scenario(
        "the end",
        "The Rollout is deleted at any time; its Service, route and Deployment may go before.",
        (
            *push("good1", "bad1"),
            hands(1, "the_rollout_is_deleted"),
            hands(1, "the_service_goes*", "the_route_goes*", "the_deployment_goes*", "all_of*"),
        ),
        start,
        crashes=1,
    ),
    Scenario(
        "no policies",
        "Without admission policies the operator holds the Deployment itself; anybody may take the hold off.",
        (*push("good1", "bad1"), hands(2, "the_glass_is_broken", "somebody_takes*", "the_deployment_is_scaled_to_4")),
        lambda: start(policies=False),
        crashes=1,
    ),
    Scenario(
        "first sight",
        "The Deployment goes and comes back, the status and the list are lost, with a rejected version in Git.",
        (
            *push("bad1", "good1"),
            hands(2, "the_deployment_goes*", "the_status_is_lost", "somebody_empties_the_list", "somebody_lists*"),
        ),
        start,
    ),
    Scenario(
        "edited status",
        "Somebody writes another phase into the status: whatever it says, the Rollout comes to rest.",
        (*push("good1"), hands(1, "somebody_writes_phase*")),
        start,
    ),
)
