"""The invariants of docs/guarantees.md, over random histories of everybody who may act."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from typing_extensions import override

from canary.core.observed import Commands
from canary.core.phases import Phase
from tests.property.world import World

RESTING = {Phase.STABLE, Phase.HELD, Phase.PAUSED, Phase.AWAITING_GIT}


class Histories(RuleBasedStateMachine):
    """Everybody acts in any order; the operator crashes between any two effects."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.pushed = 0

    @rule()
    def operate(self) -> None:
        self.world.operate()

    @rule(after=st.integers(0, 4))
    def operate_and_crash(self, after: int) -> None:
        self.world.operate(crash_after=after)

    @rule(n=st.integers(1, 6))
    def operate_for_a_while(self, n: int) -> None:
        for _ in range(n):
            self.world.kubelet()
            self.world.controller()
            self.world.gateway()
            self.world.operate()
            self.world.pass_time(3)

    @rule()
    def controller(self) -> None:
        self.world.controller()

    @rule()
    def kubelet(self) -> None:
        self.world.kubelet()

    @rule()
    def gateway(self) -> None:
        self.world.gateway()

    @rule()
    def git(self) -> None:
        self.world.git()

    @rule(seconds=st.sampled_from([1, 3, 6, 15, 70]))
    def time_passes(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @precondition(lambda self: self.world.labelled and self.world.policies)
    @rule(kind=st.sampled_from(["good", "bad"]))
    def push_a_new_version(self, kind: str) -> None:
        self.pushed += 1
        self.world.push(f"{kind}{self.pushed}")

    @precondition(lambda self: self.world.labelled and self.world.state.stable is not None)
    @rule()
    def push_stable_again(self) -> None:
        assert self.world.state.stable is not None
        self.world.push(self.world.state.stable.template_hash.removeprefix("t-"))

    @precondition(lambda self: self.world.labelled and self.world.state.rejected)
    @rule()
    def push_a_rejected_version_again(self) -> None:
        self.world.push(self.world.state.rejected[0].template_hash.removeprefix("t-"))

    @rule()
    def metrics_fail(self) -> None:
        self.world.metrics_up = not self.world.metrics_up

    @rule()
    def git_fails(self) -> None:
        self.world.git_up = not self.world.git_up

    @rule()
    def gateway_fails(self) -> None:
        self.world.gateway_up = not self.world.gateway_up

    @precondition(lambda self: self.world.copy is not None)
    @rule()
    def canary_crashes(self) -> None:
        assert self.world.copy is not None
        if not self.world.state.past_the_point_of_no_return:
            self.world.copy.pods.ready = 0
            self.world.crashing.add(self.world.copy.version)

    @precondition(lambda self: self.world.weight is not None)
    @rule(weight=st.sampled_from([0, 1, 30]))
    def somebody_lowers_the_weight(self, weight: int) -> None:
        if not self.world.state.past_the_point_of_no_return:
            self.world.weight = min(weight, self.world.weight or 0)

    @rule()
    def pause_or_resume(self) -> None:
        self.world.commands = replace(self.world.commands, paused=not self.world.commands.paused)

    @precondition(lambda self: self.world.state.release is not None)
    @rule(what=st.sampled_from(["abort", "promote", "retry"]))
    def somebody_commands(self, what: str) -> None:
        assert self.world.state.release is not None
        self.world.commands = replace(self.world.commands, **{what: self.world.state.release.id})  # type: ignore[arg-type]  # never "paused"

    @precondition(lambda self: self.world.finalizer)
    @rule()
    def delete_the_rollout(self) -> None:
        self.world.deleting = True

    @invariant()
    def promises_hold(self) -> None:
        self.world.check()

    @override
    def teardown(self) -> None:
        world = self.world
        world.metrics_up = world.git_up = world.gateway_up = True
        world.commands = Commands()
        world.settle()
        assert world.state.phase in RESTING, (world.state, world.log[-20:])
        writes = world.writes
        world.operate()
        world.operate()
        assert world.writes == writes, world.log[-5:]
        if world.state.phase is Phase.STABLE:
            assert (world.copy, world.weight, world.pin, world.canary_service) == (None, None, None, False)
        if world.deleting:
            assert not world.finalizer


Histories.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestHistories = Histories.TestCase
