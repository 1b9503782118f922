"""What judges, kubelets, gateways and Git say is told in sentences, however they end their words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from typing_extensions import override

from canary.core import effects as fx
from canary.core.observed import Commands, Observed
from canary.core.phases import Phase, Stage
from canary.core.sentences import sentences
from tests.property.world import World

RUN_ON = re.compile(r"[^.!?…] (?=(?:The|It|Not|Another|A newer) )")
"""A sentence of ours that begins where none has ended."""


@dataclass
class Mumbling(World):
    """A world in which nobody says a full stop; what the Rollout and its Events tell is kept."""

    told: list[str] = field(default_factory=list)

    @override
    def observed(self) -> Observed:
        seen = super().observed()
        if seen.revert is not None:
            message = "Reverted 7db18dcfca by f3304dbccf on main" if seen.revert.final else "no answer within 300 s"
            seen = replace(seen, revert=replace(seen.revert, message=message))
        return seen

    @override
    def apply(self, effect: fx.Effect) -> None:
        match effect:
            case fx.WriteStatus(state):
                self.told += [state.message, *(past.message for past in state.history)]
            case fx.Emit():
                self.told.append(effect.message)
            case _:
                pass
        super().apply(effect)


def step(world: World) -> None:
    world.kubelet()
    world.controller()
    world.kubelet()
    world.gateway()
    world.git()
    world.operate()
    world.pass_time(1)


def good(world: World) -> None:
    world.push("good1")


def bad(world: World) -> None:
    world.push("bad1")


def bad_and_git_is_down_for_a_while(world: World) -> None:
    world.git_up = False
    world.push("bad1")
    for _ in range(100):
        step(world)
    world.git_up = True


def bad_and_nothing_is_reverted(world: World) -> None:
    world.plan = replace(world.plan, revert=False)
    world.push("bad1")


def bad_while_the_deployment_rolls(world: World) -> None:
    world.push("good1")
    while world.state.release is None or world.state.release.stage is not Stage.REPLACE:
        step(world)
    world.crashing.add("good1")


def bad_again(world: World) -> None:
    world.push("bad1")
    world.settle()
    world.push("bad1")


def crashing(world: World) -> None:
    world.crashing.add("good1")
    world.push("good1")


def the_metrics_are_gone(world: World) -> None:
    world.metrics_up = False
    world.push("good1")


def the_gateway_refuses(world: World) -> None:
    world.push("good1")
    while world.state.phase is not Phase.STEP:
        step(world)
    world.gateway_refuses = True


def superseded(world: World) -> None:
    world.push("good1")
    for _ in range(10):
        step(world)
    world.push("good2")


def aborted(world: World) -> None:
    world.push("good1")
    while world.state.phase is not Phase.STEP:
        step(world)
    assert world.state.release is not None
    world.commands = Commands(abort=world.state.release.id)


def the_new_pods_look_worse(world: World) -> None:
    world.cold_until = world.now + 10_000
    world.push("good1")


@pytest.mark.parametrize(
    "story",
    [
        good, bad, bad_and_git_is_down_for_a_while, bad_and_nothing_is_reverted, bad_while_the_deployment_rolls, bad_again,
        crashing, the_metrics_are_gone, the_gateway_refuses, superseded, aborted, the_new_pods_look_worse,
    ],
    ids=lambda story: story.__name__,
)  # fmt: skip
def test_everything_that_is_told_is_in_sentences_that_end(story: Callable[[World], None]):
    world = Mumbling()
    world.settle()
    story(world)
    for _ in range(150):
        step(world)
    told = {message for message in world.told if message}
    assert len(told) >= 3
    for message in told:
        assert message.endswith((".", "…")), message
        assert not message.endswith(".."), message
        assert not RUN_ON.search(message), message


def test_a_part_that_ends_by_itself_gets_no_second_full_stop():
    assert sentences("Done.", "", " and more … ", "Really?", "yes") == "Done. and more … Really? yes."


def test_text_that_was_put_together_stays_as_it_is():
    once = sentences("m", "The canary has no traffic")
    assert sentences(once) == once
