"""The invariants of docs/guarantees.md over the real renderers: every decision is rendered to a real patch, applied to
Kubernetes objects as JSON, and read back by the real observation (rendered.py says how)."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from typing_extensions import override

from canary.core.phases import Phase, Stage
from tests.property.depth import deep
from tests.property.hands import ALL
from tests.property.rendered import RenderedWorld
from tests.property.search import ends_well, search, work

HANDS = {
    name: hand for name, hand in ALL.items() if name not in {"the_plan_becomes_nothing", "the_plan_becomes_unjudged"}
}
"""The API server refuses a Rollout without a weight, and one without a template."""
NAMES = st.sampled_from(sorted(HANDS))


class Rendered(RuleBasedStateMachine):
    """Everybody acts in any order; the operator crashes between any two effects, decides on old looks, and its watches lag."""

    def __init__(self) -> None:
        super().__init__()
        self.world = RenderedWorld()

    @initialize(policies=st.booleans(), managed=st.booleans(), version=st.sampled_from(["good1", "bad1", "dubious1"]))
    def begin(self, policies: bool, managed: bool, version: str) -> None:
        self.world = RenderedWorld(policies=policies, managed=managed)
        work(self.world, 4)
        if policies:
            self.world.push(version)

    @rule()
    def operate(self) -> None:
        self.world.operate()

    @rule(after=st.integers(0, 4))
    def operate_and_crash(self, after: int) -> None:
        self.world.operate(crash_after=after)

    @rule(name=NAMES)
    def decide_on_an_old_look(self, name: str) -> None:
        self.world.operate(meanwhile=lambda: HANDS[name](self.world))

    @rule(name=NAMES)
    def decide_while_the_watches_lag(self, name: str) -> None:
        if self.world.gone:
            return
        self.world.lag()
        HANDS[name](self.world)
        self.world.operate(meanwhile=lambda: None)
        self.world.catch_up()

    @rule()
    def another_operator_takes_over_in_mid_pass(self) -> None:
        if not self.world.gone:
            self.world.look()
            self.world.depose()

    @rule()
    def the_old_operators_request_lands(self) -> None:
        self.world.land_late()

    @rule(passes=st.integers(1, 30))
    def everything_works(self, passes: int) -> None:
        work(self.world, passes)

    @rule(name=NAMES)
    def somebody_acts(self, name: str) -> None:
        HANDS[name](self.world)

    @override
    def teardown(self) -> None:
        self.world.land_late()
        if not self.world.gone:
            ends_well(self.world)


Rendered.TestCase.settings = settings(max_examples=deep(20), stateful_step_count=20, deadline=None)
TestRendered = Rendered.TestCase


def test_no_promise_breaks_in_any_history_drawn_from_a_seed():
    search(deep(10), seed=1, make=RenderedWorld, hands=HANDS)
    search(deep(5), seed=2, make=lambda: RenderedWorld(policies=False), hands=HANDS)
    search(deep(5), seed=3, make=lambda: RenderedWorld(managed=True), hands=HANDS)


def test_releases_go_their_way_through_every_stage():
    """Else the histories above would prove little."""
    world, seen = RenderedWorld(), set[str]()
    work(world, 4)
    for version in ("good1", "bad1"):
        world.push(version)
        for _ in range(80):
            release = world.state.release
            seen.add(world.state.phase if release is None or release.stage is None else release.stage)
            work(world, 1)
    assert [past.outcome for past in world.state.history] == ["RolledBack", "Promoted"]
    assert seen >= {*Stage} - {Stage.UNDO} | {Phase.STABLE, Phase.STEP, Phase.AWAITING_GIT}


def test_a_canary_is_seen_as_it_is_although_its_deployment_is_gone():
    world = RenderedWorld()
    work(world, 4)
    world.push("good1")
    while world.weight != 50:
        work(world, 1)
    HANDS["the_deployment_goes_or_comes"](world)
    world.look()  # it compares what it sees
    assert world.copy is not None
    assert world.copy.pods.ready
