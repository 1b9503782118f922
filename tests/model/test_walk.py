"""The promises of docs/guarantees.md hold in every state of the bounded worlds; `python -m tests.model --deep` walks larger ones."""

from __future__ import annotations

import pytest

from canary.core.phases import Phase, Stage
from tests.model.scenarios import DEEP, SCENARIOS
from tests.model.walk import Scenario, walk
from tests.property.promises import PROMISES

@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_no_promise_breaks_in_any_state(scenario: Scenario, capsys: pytest.CaptureFixture[str]):
    counts = walk(scenario)
    with capsys.disabled():
        print(f"\n{scenario.name}: {counts.states:,} states, {counts.transitions:,} transitions", end=" ")
    assert counts.whole
    assert Phase.STABLE in counts.seen


def test_the_worlds_together_meet_every_phase_and_stage():
    small = ("crashes", "room", "people and a bad version", "people twice", "commands", "the end")
    seen = {place for s in SCENARIOS if s.name in small for place in walk(s, limit=60_000).seen}
    assert {*Phase} - {Phase.PROMOTING} | {*Stage} == seen


def test_each_world_has_a_larger_one():
    assert [s.name for s in DEEP] == [s.name for s in SCENARIOS]


@pytest.mark.parametrize("promise", PROMISES.values(), ids=lambda p: p.__name__)
def test_each_promise_is_said_in_one_sentence(promise: object):
    said = promise.__doc__ or ""
    assert said.endswith(".")
    assert "\n" not in said
