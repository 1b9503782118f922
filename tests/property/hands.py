"""Everybody besides the operator who may write, and everything that may break: one deterministic function each, in a table.

A hand that breaks what the operator keeps (a pin, a weight, a Service) excuses it until it has looked again; what it does
about it is not excused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, TypeAlias

from canary.core.phases import Phase
from canary.core.plan import Plan
from canary.core.state import State
from tests.property.parts import APPROVAL_PLAN, HALF_AT_ONCE, PLAN, UNJUDGED
from tests.property.world import World

Hand: TypeAlias = Callable[[World], None]

HANDS: Final[dict[str, Hand]] = {}
"""By name."""


def _hand(hand: Hand) -> Hand:
    HANDS[hand.__name__] = hand
    return hand


def _family(name: str, *values: object) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register one hand for each value, named with it."""

    def register(act: Callable[..., None]) -> Callable[..., None]:
        for value in values:
            HANDS[name.format(value)] = _bound(act, value)
        return act

    return register


def _bound(act: Callable[..., None], value: object) -> Hand:
    return lambda world: act(world, value)


# --- time, pods, the gateway, metrics --------------------------------------------------------------------------------


@_family("{}_seconds_pass", 1, 3, 6, 15, 40, 700)
def time_passes(world: World, seconds: float) -> None:
    world.pass_time(seconds)


@_family("the_cluster_works_{}_rounds", 1, 4)
def the_cluster_works(world: World, rounds: int) -> None:
    for _ in range(rounds):
        world.kubelet()
        world.controller()
    world.gateway()


@_hand
def the_room_changes(world: World) -> None:
    """Quota is full, or nodes are; and are not."""
    world.room = not world.room


@_hand
def metrics_change(world: World) -> None:
    world.metrics_up = not world.metrics_up


@_hand
def the_gateway_stops_or_starts(world: World) -> None:
    world.gateway_up = not world.gateway_up


@_hand
def the_gateway_refuses_or_accepts(world: World) -> None:
    world.gateway_refuses = not world.gateway_refuses


@_hand
def the_load_changes(world: World) -> None:
    world.doubled = not world.doubled


@_hand
def the_autoscaler_stops_or_starts_telling(world: World) -> None:
    world.carries = not world.carries


@_hand
def pods_turn_cold(world: World) -> None:
    world.cold_until = world.now + 30


@_hand
def the_canary_crashes(world: World) -> None:
    if world.copy is not None and not world.state.past_the_point_of_no_return:
        world.copy.pods.ready = 0
        world.crashing.add(world.copy.version)
        world.disturb()


@_family("{}_of_the_canary_pods_die", "all", "half")
def canary_pods_die(world: World, share: str) -> None:
    """And come back when the kubelet runs, as those of a node that is drained."""
    if world.copy is not None:
        world.copy.pods.ready = 0 if share == "all" else world.copy.pods.ready // 2
        world.disturb()


@_hand
def pods_of_the_deployment_die(world: World) -> None:
    for pods in world.sets.values():
        pods.ready = 0
    world.disturb()


# --- Git -------------------------------------------------------------------------------------------------------------


@_hand
def git_works(world: World) -> None:
    world.git()


@_hand
def git_changes(world: World) -> None:
    world.git_up = not world.git_up


@_hand
def git_will_lose_an_answer(world: World) -> None:
    world.git_loses_the_answer = True


@_hand
def the_engine_syncs(world: World) -> None:
    world.sync()


@_family("a_{}_version_is_pushed", "good", "bad", "dubious")
def a_version_is_pushed(world: World, kind: str) -> None:
    if world.labelled and world.policies:
        world.push(f"{kind}{world.writes}")


@_hand
def stable_is_pushed_again(world: World) -> None:
    if world.labelled and world.state.stable is not None:
        world.push(world.state.stable.template_hash.removeprefix("t-"))


@_family("a_rejected_version{}_is_pushed", "", "+")
def a_rejected_version_is_pushed(world: World, mark: str) -> None:
    """As by a person who reverts our revert; or the same with another annotation."""
    if world.labelled and world.state.rejected:
        world.push(world.state.rejected[0].template_hash.removeprefix("t-") + mark)


# --- people who write where they should not --------------------------------------------------------------------------


@_hand
def somebody_deletes_the_copy(world: World) -> None:
    if world.copy is not None:
        world.copy.deleting, world.copy.pods.ready = True, 0
        world.disturb()


@_family("somebody_scales_the_copy_to_{}", 0, 1, 9)
def somebody_scales_the_copy(world: World, replicas: int) -> None:
    if world.copy is not None:
        world.copy.pods.replicas = replicas
        world.copy.pods.ready = min(world.copy.pods.ready, replicas)
        world.disturb()


@_hand
def somebody_edits_the_copy(world: World) -> None:
    """It rolls to another template."""
    if world.copy is not None:
        world.copy.version = "good-edited"
        world.disturb()


@_hand
def somebody_deletes_the_canary_service(world: World) -> None:
    world.canary_service = False
    world.disturb()


@_family("somebody_sets_the_weight_to_{}", None, 0, 1, 30, 100)
def somebody_sets_the_weight(world: World, weight: int | None) -> None:
    if world.route:
        world.weight = weight
        world.route_rv += 1
        world.disturb()


@_hand
def somebody_takes_the_pin(world: World) -> None:
    world.pin = None
    world.disturb()


@_hand
def somebody_takes_the_labels(world: World) -> None:
    world.service_labelled = world.route_labelled = False


@_hand
def the_route_goes_or_comes(world: World) -> None:
    world.route, world.route_labelled, world.weight = not world.route, False, None
    world.route_rv += 1
    world.disturb()


@_hand
def the_service_goes_or_comes(world: World) -> None:
    world.service, world.service_labelled, world.pin = not world.service, False, None
    world.disturb()


@_family("the_deployment_is_scaled_to_{}", 0, 1, 2, 4, 8)
def the_deployment_is_scaled(world: World, replicas: int) -> None:
    world.replicas = replicas
    world.rv += 1
    world.disturb()


@_hand
def the_deployment_goes_or_comes(world: World) -> None:
    """What comes is what Git says; a first creation is held only when its version is on the list."""
    if world.exists:
        world.exists, world.labelled, world.held, world.sets = False, False, False, {}
        world.rv += 1
    else:
        world.made(world.git_version)
    world.disturb()


@_hand
def the_glass_is_broken(world: World) -> None:
    """Somebody with the right to do so takes the hold off."""
    if world.held:
        world.held, world.rv = False, world.rv + 1
        world.allowed.add(world.version)
        world.disturb()


@_hand
def the_owner_pauses_or_resumes(world: World) -> None:
    """While the Deployment is held, the policies leave that to the operator."""
    if world.exists and not world.held:
        world.paused, world.rv = not world.paused, world.rv + 1
        if not world.paused:
            world.allowed.add(world.version)  # what came without a hold rolls by the owner's will
        world.disturb()


# --- people who ask, and the Rollout itself --------------------------------------------------------------------------


@_hand
def pause_or_resume(world: World) -> None:
    world.commands = replace(world.commands, paused=not world.commands.paused)
    world.rollout_rv += 1


@_family("somebody_asks_to_{}", "abort", "promote", "retry", "approved")
def somebody_commands(world: World, what: str) -> None:
    if world.state.release is not None:
        value = world.state.release.id + (f"/{world.state.release.step}" if what == "approved" else "")
        world.commands = replace(world.commands, **{what: value})  # type: ignore[arg-type]  # never "paused"
        world.rollout_rv += 1


@_hand
def somebody_empties_the_list(world: World) -> None:
    world.listed = {}


@_hand
def somebody_lists_what_git_says(world: World) -> None:
    world.listed[f"t-{world.git_version}"] = f"v-{world.git_version}"


@_family("the_plan_becomes_{}", "usual", "approval", "half", "nothing", "unjudged")
def the_plan_changes(world: World, plan: str) -> None:
    plans: Mapping[str, Plan] = {
        "usual": PLAN,
        "approval": APPROVAL_PLAN,
        "half": HALF_AT_ONCE,
        "nothing": replace(PLAN, steps=()),
        "unjudged": UNJUDGED,
    }
    world.plan = plans[plan]
    world.rollout_rv += 1


@_hand
def the_status_is_lost(world: World) -> None:
    world.state, world.failed, world.asked, world.reverted = State(), set(), (), []
    world.rollout_rv += 1
    world.disturb()


@_family("somebody_writes_phase_{}", *Phase)
def somebody_edits_the_status(world: World, phase: Phase) -> None:
    world.state = replace(world.state, phase=phase)
    world.rollout_rv += 1
    world.disturb()


@_hand
def the_rollout_is_deleted(world: World) -> None:
    world.deleting = world.deleting or world.finalizer
    world.rollout_rv += 1


EDITS: Final = tuple(name for name in HANDS if name.startswith("somebody_writes_phase_"))
"""A status that says what never was cannot promise what follows; only that it comes to rest."""
ALL: Final[Mapping[str, Hand]] = MappingProxyType({name: hand for name, hand in HANDS.items() if name not in EDITS})
