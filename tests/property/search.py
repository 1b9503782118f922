"""Histories of the small world, drawn from a seed: how a broken promise is looked for, by tests and against mutants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from canary.core.observed import Commands
from canary.core.phases import Phase
from canary.core.plan import WeightStep
from tests.property.hands import ALL, HANDS, Hand
from tests.property.parts import PLAN, Violated
from tests.property.world import World

RESTING = frozenset({Phase.STABLE, Phase.HELD, Phase.PAUSED, Phase.AWAITING_GIT, Phase.PENDING})


def history(world: World, random: Random, *, length: int = 12, hands: Mapping[str, Hand] = ALL) -> None:
    """Let everybody act in some order, the operator crash and rest its decisions on old looks; then end it well."""
    names = sorted(hands)
    work(world, random.randint(1, 8))
    for _ in range(length):
        name = random.choice(names)
        world.log.append(f"{world.now:.0f} -- {name}")
        chance = random.random()
        if chance < 0.1:
            world.operate(meanwhile=lambda: world.push(f"good{world.writes}") if world.labelled else None)
        elif chance < 0.25:
            hands[name](world)
            world.operate(crash_after=random.randint(0, 4))
        else:
            hands[name](world)
        work(world, random.choice((0, 1, 2, 5, 12, 30)))
        if world.gone:
            return
    ends_well(world)


def work(world: World, passes: int) -> None:
    """Everything works for a while."""
    for _ in range(passes):
        world.kubelet()
        world.controller()
        world.kubelet()
        world.gateway()
        world.git()
        world.operate()
        world.pass_time(2)


def ends_well(world: World) -> None:
    """Nothing changes any more: the Rollout rests or says what it waits for. Then all is mended: it rests, and is clean."""
    world.settle(rounds=150, seconds=10)
    rests_or_says_why_not(world)
    mend(world)
    world.settle()
    if world.gone:
        return
    writes = world.writes
    world.operate()
    world.operate()
    if world.writes != writes:
        raise Violated("at_rest_nothing_is_written", f"writes for ever: {world.log[-3:]}")
    is_clean(world)


def rests_or_says_why_not(world: World) -> None:
    """When observations stop changing, a Rollout rests, or says why it cannot go on."""
    waits = world.state.stalled or world.state.reason in {"Paused", "AwaitingApproval"}
    if not world.deleting and world.state.phase not in RESTING and not waits:
        raise Violated("everything_comes_to_rest", f"neither rests nor says why not: {world.state}")


def is_clean(world: World) -> None:
    """When all is mended a Rollout rests, and nothing of a canary is left."""
    if world.gone:
        return
    if world.state.phase not in RESTING:
        raise Violated("everything_comes_to_rest", f"does not come to rest: {world.state}")
    left = (world.copy, world.weight, world.pin, world.canary_service)
    if left != (None, None, None, False):
        raise Violated("at_rest_nothing_of_a_canary_is_left", f"{left} in {world.state.phase}")
    active = {f"t-{version}" for version, pods in world.sets.items() if pods.replicas}
    if world.replicas and world.state.stable is not None and active != {world.state.stable.template_hash}:
        raise Violated("at_rest_only_stable_runs", f"pods of {active}, stable {world.state.stable}")
    if world.deleting and world.finalizer:
        raise Violated("everything_comes_to_rest", "the Rollout cannot be deleted")
    refused = world.state.reason == "RejectedFirst"  # nothing has run since the Deployment was made anew
    if world.replicas and not world.endpoints() and not (refused and not world.sets):
        raise Violated("a_service_in_use_keeps_its_endpoints", "the root Service has no endpoints in the end")


def mend(world: World) -> None:
    """Take all faults and commands back."""
    world.metrics_up = world.git_up = world.gateway_up = world.carries = world.room = True
    world.gateway_refuses = world.doubts = world.paused = world.doubled = False
    world.commands = Commands()
    world.plan = world.plan if all(isinstance(s, WeightStep) for s in world.plan.steps) else PLAN
    for there, hand in (
        (world.service, "the_service_goes_or_comes"),
        (world.route, "the_route_goes_or_comes"),
        (world.exists, "the_deployment_goes_or_comes"),
    ):
        if not there:
            HANDS[hand](world)


def search(
    histories: int,
    *,
    seed: int = 0,
    make: Callable[[], World] = World,
    length: int = 12,
    hands: Mapping[str, Hand] = ALL,
) -> None:
    """Run so many histories.

    Raises
    ------
    Violated
        Some promise does not hold; the world's log is in the message's notes.
    """
    for n in range(histories):
        world = make()
        try:
            history(world, Random(f"{seed}/{n}"), length=length, hands=hands)
        except (Violated, ValueError, IndexError) as error:
            error.add_note(f"history {seed}/{n}:")
            error.add_note("\n".join(world.log))
            raise
