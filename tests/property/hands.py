"""Everybody besides the operator who may write, and everything that may break: one function each, in a table.

A hand that breaks what the operator keeps (a pin, a weight, a Service) excuses it until it has looked again; what it does
about it is not excused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from types import MappingProxyType
from typing import Final, TypeAlias

from canary.core.state import State
from tests.property.parts import APPROVAL_PLAN, HALF_AT_ONCE, PLAN, UNJUDGED
from tests.property.world import World

Hand: TypeAlias = Callable[[World, Random], None]


def time_passes(world: World, random: Random) -> None:
    world.pass_time(random.choice((1, 3, 6, 15, 40, 700)))


def the_cluster_works(world: World, random: Random) -> None:
    for _ in range(random.randint(1, 4)):
        world.kubelet()
        world.controller()
    world.gateway()


def git_works(world: World, _: Random) -> None:
    world.git()


def a_version_is_pushed(world: World, random: Random) -> None:
    if world.labelled and world.policies:
        world.push(f"{random.choice(('good', 'bad'))}{len(world.log)}")


def stable_is_pushed_again(world: World, _: Random) -> None:
    if world.labelled and world.state.stable is not None:
        world.push(world.state.stable.template_hash.removeprefix("t-"))


def a_rejected_version_is_pushed(world: World, random: Random) -> None:
    if world.labelled and world.state.rejected:
        version = world.state.rejected[0].template_hash.removeprefix("t-")
        world.push(version + random.choice(("", "+")))


def metrics_change(world: World, _: Random) -> None:
    world.metrics_up = not world.metrics_up


def git_changes(world: World, _: Random) -> None:
    world.git_up = not world.git_up


def the_gateway_changes(world: World, random: Random) -> None:
    if random.random() < 0.5:
        world.gateway_up = not world.gateway_up
    else:
        world.gateway_refuses = not world.gateway_refuses


def the_load_changes(world: World, random: Random) -> None:
    if random.random() < 0.5:
        world.carries = not world.carries
    else:
        world.doubled = not world.doubled


def pods_turn_cold(world: World, _: Random) -> None:
    world.cold_until = world.now + 30


def the_canary_crashes(world: World, _: Random) -> None:
    if world.copy is not None and not world.state.past_the_point_of_no_return:
        world.copy.pods.ready = 0
        world.crashing.add(world.copy.version)
        world.excused = True


def canary_pods_die(world: World, random: Random) -> None:
    """And come back when the kubelet runs."""
    if world.copy is not None:
        world.copy.pods.ready = random.choice((0, world.copy.pods.ready // 2))
        world.excused = True


def pods_of_the_deployment_die(world: World, _: Random) -> None:
    for pods in world.sets.values():
        pods.ready = 0
    world.excused = True


def somebody_deletes_the_copy(world: World, _: Random) -> None:
    if world.copy is not None:
        world.copy.deleting, world.copy.pods.ready = True, 0
        world.excused = True


def somebody_edits_the_copy(world: World, random: Random) -> None:
    if world.copy is not None:
        world.copy.pods.replicas = random.choice((0, 1, 9))
        world.copy.pods.ready = min(world.copy.pods.ready, world.copy.pods.replicas)
        world.excused = True


def somebody_deletes_the_canary_service(world: World, _: Random) -> None:
    world.canary_service, world.excused = False, True


def somebody_sets_the_weight(world: World, random: Random) -> None:
    if world.route:
        world.weight = random.choice((None, 0, 1, 30, 100))
        world.route_rv += 1
        world.excused = True


def somebody_takes_the_pin(world: World, _: Random) -> None:
    world.pin, world.excused = None, True


def somebody_takes_the_labels(world: World, _: Random) -> None:
    world.service_labelled = world.route_labelled = False


def the_route_goes_or_comes(world: World, _: Random) -> None:
    world.route, world.route_labelled, world.weight = not world.route, False, None
    world.route_rv += 1
    world.excused = True


def the_service_goes_or_comes(world: World, _: Random) -> None:
    world.service, world.service_labelled, world.pin = not world.service, False, None
    world.excused = True


def the_deployment_is_scaled(world: World, random: Random) -> None:
    world.replicas = random.choice((0, 1, 2, 4, 8))
    world.excused = True


def the_deployment_goes_or_comes(world: World, _: Random) -> None:
    """What comes is what Git says; a first creation is held only when its version is on the list."""
    if world.exists:
        world.exists, world.labelled, world.held, world.sets = False, False, False, {}
        world.rv += 1
    else:
        world.made(world.git_version)
    world.excused = True


def the_glass_is_broken(world: World, _: Random) -> None:
    """Somebody with the right to do so takes the hold off."""
    if world.held:
        world.held, world.rv = False, world.rv + 1
        world.allowed.add(world.version)
        world.excused = True


def pause_or_resume(world: World, _: Random) -> None:
    world.commands = replace(world.commands, paused=not world.commands.paused)


def somebody_commands(world: World, random: Random) -> None:
    if world.state.release is not None:
        what = random.choice(("abort", "promote", "retry", "approved"))
        value = world.state.release.id + (f"/{world.state.release.step}" if what == "approved" else "")
        world.commands = replace(world.commands, **{what: value})  # type: ignore[arg-type]  # never "paused"


def somebody_edits_the_list(world: World, random: Random) -> None:
    if random.random() < 0.5 or world.state.stable is None:
        world.listed = {}
    else:
        world.listed[f"t-{world.git_version}"] = f"v-{world.git_version}"


def the_plan_changes(world: World, random: Random) -> None:
    world.plan = random.choice((PLAN, APPROVAL_PLAN, HALF_AT_ONCE, replace(PLAN, steps=()), UNJUDGED))


def the_status_is_lost(world: World, _: Random) -> None:
    world.state, world.excused = State(), True


def the_rollout_is_deleted(world: World, random: Random) -> None:
    world.deleting = world.deleting or (world.finalizer and random.random() < 0.3)


HANDS: Final[Mapping[str, Hand]] = MappingProxyType(
    {
        hand.__name__: hand
        for hand in (
            time_passes,
            the_cluster_works,
            git_works,
            a_version_is_pushed,
            stable_is_pushed_again,
            a_rejected_version_is_pushed,
            metrics_change,
            git_changes,
            the_gateway_changes,
            the_load_changes,
            pods_turn_cold,
            the_canary_crashes,
            canary_pods_die,
            pods_of_the_deployment_die,
            somebody_deletes_the_copy,
            somebody_edits_the_copy,
            somebody_deletes_the_canary_service,
            somebody_sets_the_weight,
            somebody_takes_the_pin,
            somebody_takes_the_labels,
            the_route_goes_or_comes,
            the_service_goes_or_comes,
            the_deployment_is_scaled,
            the_deployment_goes_or_comes,
            the_glass_is_broken,
            pause_or_resume,
            somebody_commands,
            somebody_edits_the_list,
            the_plan_changes,
            the_status_is_lost,
            the_rollout_is_deleted,
        )
    }
)
