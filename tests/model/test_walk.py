"""The promises of docs/guarantees.md hold in every state of the bounded worlds; `python -m tests.model --deep` walks larger ones."""

from __future__ import annotations

import pytest

from canary.core.phases import Phase, Stage
from tests.model.scenarios import DEEP, SCENARIOS
from tests.model.walk import Scenario, walk
from tests.property.promises import PROMISES

MEETS: dict[str, set[str]] = {
    "versions": {*Stage} - {Stage.UNDO} | {Phase.ROLLING_BACK, Phase.REVERTING},
    "slow parts": {Phase.AWAITING_GIT},
    "people twice": {Phase.PAUSED},
    "two replicas": {Stage.UNDO},
    "first sight": {Phase.PENDING},
}
"""What a walk has to come by, else it proves nothing."""


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_no_promise_breaks_in_any_state(scenario: Scenario, capsys: pytest.CaptureFixture[str]):
    counts = walk(scenario)
    with capsys.disabled():
        print(f"\n{scenario.name}: {counts.states:,} states, {counts.transitions:,} transitions", end=" ")
    assert counts.whole
    assert counts.seen >= MEETS.get(scenario.name, {Phase.STABLE, Phase.STARTING, Phase.STEP})


def test_each_world_has_a_larger_one():
    assert [s.name for s in DEEP] == [s.name for s in SCENARIOS]


@pytest.mark.parametrize("promise", PROMISES.values(), ids=lambda p: p.__name__)
def test_each_promise_is_said_in_one_sentence(promise: object):
    said = promise.__doc__ or ""
    assert said.endswith(".")
    assert "\n" not in said
