"""The invariants of docs/guarantees.md, over random histories of everybody who may act."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from typing_extensions import override

from tests.property.depth import deep
from tests.property.hands import ALL
from tests.property.search import ends_well, search, work
from tests.property.world import World


class Histories(RuleBasedStateMachine):
    """Everybody acts in any order; the operator crashes between any two effects, and decides on old looks."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(policies=st.booleans(), passes=st.integers(0, 3))
    def begin(self, policies: bool, passes: int) -> None:
        self.world = World(policies=policies)
        work(self.world, passes)

    @rule()
    def operate(self) -> None:
        self.world.operate()

    @rule(after=st.integers(0, 4))
    def operate_and_crash(self, after: int) -> None:
        self.world.operate(crash_after=after)

    @rule(name=st.sampled_from(sorted(ALL)))
    def decide_on_an_old_look(self, name: str) -> None:
        self.world.operate(meanwhile=lambda: ALL[name](self.world))

    @rule(passes=st.integers(1, 30))
    def everything_works(self, passes: int) -> None:
        work(self.world, passes)

    @rule(name=st.sampled_from(sorted(ALL)))
    def somebody_acts(self, name: str) -> None:
        ALL[name](self.world)

    @override
    def teardown(self) -> None:
        if not self.world.gone:
            ends_well(self.world)


Histories.TestCase.settings = settings(max_examples=deep(100), stateful_step_count=30, deadline=None)
TestHistories = Histories.TestCase


@pytest.mark.parametrize("policies", [True, False])
def test_no_promise_breaks_in_any_history_drawn_from_a_seed(policies):
    search(deep(150), make=lambda: World(policies=policies))
