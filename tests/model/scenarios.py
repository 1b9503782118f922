"""The bounded worlds; together they let everybody act whom docs/guarantees.md names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from canary.core.plan import ApprovalStep, Plan, WeightStep
from tests.model.walk import Scenario, Turn
from tests.property.hands import HANDS, Hand
from tests.property.parts import PLAN, Pods
from tests.property.world import World

SMALL: Final = replace(PLAN, steps=(WeightStep(50, 10, 60),))


def start(plan: Plan = SMALL, replicas: int = 2, **fields: object) -> World:
    """A Rollout that has just adopted what serves."""
    world = World(plan=plan, replicas=replicas, sets={"good0": Pods(replicas, replicas)}, logs=False, **fields)  # type: ignore[arg-type]  # names are the dataclass's
    world.settle(rounds=140)
    return world


def push(*versions: str) -> tuple[Turn, ...]:
    """Each is pushed once, at any time and in any order; the engine applies it when it likes."""
    return tuple(Turn(1, {f"push {version}": _pushed(version)}) for version in versions)


def pushes(*versions: str) -> Turn:
    """Each is pushed once, at any time, in this order; the engine applies it at once."""
    return Turn(len(versions), {f"push {version}": _applied(version) for version in versions}, in_order=True)


def _pushed(version: str) -> Hand:
    def act(world: World) -> None:
        world.git_version = version

    return act


def _applied(version: str) -> Hand:
    return lambda world: world.push(version)


def hands(times: int, *names: str) -> Turn:
    """Any of these acts, so often in all; a name may end in a star."""
    chosen: Mapping[str, Hand] = {
        name: hand
        for name, hand in HANDS.items()
        if any(name == wanted or (wanted.endswith("*") and name.startswith(wanted[:-1])) for wanted in names)
    }
    return Turn(times, chosen)


TWO_STEPS: Final = replace(PLAN, steps=(WeightStep(5, 10, 60), WeightStep(50, 10, 60)))
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
BROKEN: Final = (
    "all_of_the_canary_pods_die",
    "pods_of_the_deployment_die",
    "the_deployment_is_scaled_to_4",
    "the_deployment_is_scaled_to_0",
    "somebody_asks_to_abort",
    "somebody_sets_the_weight_to_30",
)


def scenarios(*, deep: bool) -> tuple[Scenario, ...]:
    """Return the worlds; deep ones let more hands act, more often, and take minutes instead of seconds each."""
    more = 1 if deep else 0
    return (
        Scenario(
            "versions",
            "Two good and two bad versions come at any time.",
            push("good1", "bad1", "good2", "bad2") if deep else (pushes("good1", "bad1", "bad2", "good2"),),
            start,
        ),
        Scenario(
            "a person against us",
            "A person reverts our revert, brings the version back in other clothes, or takes it out before we do.",
            (pushes("bad1", "good1"), hands(1 + more, "a_rejected_version*", "stable_is_pushed_again")),
            start,
        ),
        Scenario(
            "crashes",
            "The operator ends between any two effects, twice; each effect is done a second time.",
            push("good1", "bad1"),
            lambda: start(TWO_STEPS, does_all_twice=True),
            crashes=2 + more,
        ),
        Scenario(
            "two replicas",
            "The old leader's request lands at any time, decided on an old look; others write between any two effects.",
            (pushes("good1", "bad1") if deep else pushes("good1"), hands(1, "somebody_asks_to_abort")),
            start,
            depositions=1 + more,
            apart=True,
        ),
        Scenario(
            "two replicas and a bad version",
            "The same with a version that is judged bad, and a person who takes it out first.",
            (pushes("bad1"), hands(1, "somebody_asks_to_abort", "stable_is_pushed_again")),
            start,
            depositions=1,
            crashes=more,
            apart=True,
        ),
        Scenario(
            "commits between look and effect",
            "A commit lands, pods die or somebody aborts between the look and any of its effects.",
            (pushes("good1", "bad1"), hands(1 + more, "all_of_the_canary_pods_die", "somebody_asks_to_abort")),
            start,
            apart=True,
        ),
        Scenario(
            "old looks",
            "Between look and effect pods die, people scale and write; and the operator crashes.",
            (pushes("good1"), hands(1 + more, *BROKEN)),
            start,
            crashes=1,
            apart=True,
        ),
        Scenario(
            "slow parts",
            "Kubelet, controller, gateway, Git and the engine each take their time.",
            (*push("good1"), *(push("bad1") if deep else ()), hands(1, "the_gateway_refuses_or_accepts")),
            start,
            lag=True,
        ),
        Scenario(
            "gateway",
            "The gateway stops, refuses and comes back.",
            (pushes("good1", "bad1"), hands(2 + more, "the_gateway*")),
            start,
            crashes=more,
        ),
        Scenario(
            "room",
            "Quota and nodes fill and empty; nodes drain; the size changes.",
            (
                pushes("good1", "good2") if deep else pushes("good1"),
                hands(2, "the_room_changes"),
                hands(1, "all_of*", "pods_of*", "the_deployment_is_scaled*"),
            ),
            start,
        ),
        Scenario(
            "people",
            "People write fields that are the operator's.",
            (pushes("good1", "good2"), hands(1 + more, *PEOPLE)),
            start,
        ),
        Scenario(
            "people twice",
            "People write fields that are the operator's, at two moments of one release; or its owner pauses it.",
            (pushes("good1"), hands(2, *(PEOPLE if deep else PEOPLE[:1] + PEOPLE[3:5]), "the_owner*")),
            start,
            crashes=more,
        ),
        Scenario(
            "people and a bad version",
            "People write fields that are the operator's while a bad version comes; the operator crashes.",
            (pushes("bad1"), hands(1 + more, *PEOPLE, "the_deployment_goes*", "the_deployment_is*", "the_canary*")),
            start,
            crashes=1,
        ),
        Scenario(
            "Git",
            "Git refuses, loses the answer and is back; a person reverts our revert; the engine is slow.",
            (
                *push("bad1"),
                hands(2 + more, "git_changes", "git_will_lose_an_answer"),
                hands(1, "a_rejected_version_is_pushed", "stable_is_pushed_again", "somebody_asks_to_retry"),
            ),
            start,
            crashes=more,
            lag=deep,
        ),
        Scenario(
            "commands",
            "Pause, resume, abort, approve, promote and retry at any time.",
            (pushes("good1"), hands(2 + more, "pause_or_resume", "somebody_asks_to*")),
            lambda: start(replace(PLAN, steps=(WeightStep(50, 10, 60), ApprovalStep()))),
        ),
        Scenario(
            "plans",
            "The Rollout's strategy changes in mid-release.",
            (pushes("good1", "bad1"), hands(1 + more, "the_plan*")),
            start,
        ),
        Scenario(
            "metrics",
            "Metrics fall silent and come back; new pods are cold; the load grows; a version is dubious.",
            (
                pushes("dubious1", "good1"),
                hands(2, "metrics_change"),
                hands(1 + more, "pods_turn_cold", "the_load_changes"),
            ),
            start,
        ),
        Scenario(
            "the end",
            "The Rollout is deleted at any time; its Service, route and Deployment may go before.",
            (
                pushes("good1", "bad1") if deep else pushes("good1"),
                hands(1, "the_rollout_is_deleted"),
                hands(1, "the_service_goes*", "the_route_goes*", "the_deployment_goes*", "all_of*"),
            ),
            start,
            crashes=1,
        ),
        Scenario(
            "no policies",
            "Without admission policies the operator holds the Deployment itself; anybody may take the hold off.",
            (pushes("good1", "bad1"), hands(1, "the_glass_is_broken", "the_deployment_is_scaled_to_4")),
            lambda: start(policies=False),
            crashes=more,
        ),
        Scenario(
            "first sight",
            "The Deployment goes and comes back, the status and the list are lost, with a rejected version in Git.",
            (
                pushes("bad1", "good1") if deep else pushes("bad1"),
                hands(2, "the_deployment_goes*", "the_status_is_lost", "somebody_empties_the_list", "somebody_lists*"),
            ),
            start,
        ),
        Scenario(
            "edited status",
            "Somebody writes another phase into the status: whatever it says, the Rollout comes to rest.",
            (pushes("good1", "bad1") if deep else pushes("good1"), hands(1, "somebody_writes_phase*")),
            start,
        ),
    )


SCENARIOS: Final = scenarios(deep=False)
DEEP: Final = scenarios(deep=True)
