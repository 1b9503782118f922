"""Each rule of the observer is shown what it must see, and what it must let be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.invariants import (
    SETTLE_SECONDS,
    Answers,
    Sample,
    Trial,
    inside_meets_no_canary,
    never_in_the_deployment_undecided,
    no_raise_when_condemned,
    root_has_endpoints,
    root_has_no_canary,
    stable_is_whole,
)

STEP = Sample(
    100.0,
    Trial("v1", "v2", good=True, replicas=2),
    phase="Step",
    attempts=1,
    weight=5,
    replica_sets={"v1": 2, "v2": 0},
    pods={"v1": 2},
    endpoints=2,
)
BAD = replace(STEP, trial=replace(STEP.trial, good=False))
PROMOTING = replace(STEP, phase="Promoting", stage="Replace", weight=100, replica_sets={"v1": 1, "v2": 1})


def test_a_bad_version_in_the_deployment_is_seen_in_any_phase() -> None:
    shipped = replace(BAD, phase="Promoting", stage="Replace", replica_sets={"v1": 1, "v2": 1})
    assert "bad version v2" in never_in_the_deployment_undecided(BAD, shipped)
    assert not never_in_the_deployment_undecided(BAD, BAD)


@pytest.mark.parametrize("phase", ["Held", "Starting", "Step", "RollingBack", "Reverting", "AwaitingGit"])
def test_a_version_that_is_let_go_before_its_promotion_is_seen(phase: str) -> None:
    before = replace(STEP, phase=phase)
    assert never_in_the_deployment_undecided(before, replace(before, replica_sets={"v1": 1, "v2": 1}))
    assert not never_in_the_deployment_undecided(before, PROMOTING)


def test_a_pod_of_stable_that_is_gone_is_seen_until_the_candidate_is_let_go() -> None:
    less = replace(STEP, pods={"v1": 1})
    assert "1 pods of v1 instead of 2" in stable_is_whole(less, less)
    assert not stable_is_whole(STEP, less), "the next sample says whether it is being replaced"
    assert not stable_is_whole(PROMOTING, replace(PROMOTING, pods={"v1": 0, "v2": 2}))


def test_a_canary_among_the_endpoints_of_the_root_service_is_seen_until_the_promotion_is_decided() -> None:
    mixed = replace(STEP, canary_endpoints=1)
    assert "1 pods of the canary" in root_has_no_canary(mixed, mixed)
    assert not root_has_no_canary(mixed, replace(PROMOTING, canary_endpoints=2))


def test_an_answer_of_the_canary_to_a_client_of_the_root_service_is_seen_until_the_promotion_is_decided() -> None:
    more = replace(STEP, inside={"v1": 9, "v2": 1})
    assert "1 answers of v2" in inside_meets_no_canary(STEP, more)
    assert not inside_meets_no_canary(more, more)
    assert not inside_meets_no_canary(STEP, replace(PROMOTING, inside={"v2": 5}))


def test_a_root_service_without_endpoints_is_seen() -> None:
    empty = replace(STEP, endpoints=0)
    assert root_has_endpoints(empty, empty)
    assert not root_has_endpoints(STEP, empty)


@pytest.mark.parametrize("phase", ["RollingBack", "Reverting", "AwaitingGit"])
def test_a_weight_that_rises_after_the_verdict_is_seen_until_a_new_release_begins(phase: str) -> None:
    condemned = replace(STEP, phase=phase, weight=0)
    raised = replace(condemned, weight=1)
    assert "weight 0 became 1" in no_raise_when_condemned(condemned, raised)
    assert not no_raise_when_condemned(condemned, replace(raised, attempts=2))
    assert not no_raise_when_condemned(STEP, replace(STEP, phase=phase, weight=50)), "raised before it was judged"


def test_an_answer_of_the_canary_at_weight_0_is_seen_when_the_gateway_has_had_time() -> None:
    answers = Answers(STEP.at, 7)
    zero = replace(STEP, weight=0, answers={"v2": 9})
    assert not answers.look(replace(zero, at=STEP.at + SETTLE_SECONDS), late=False)
    assert not answers.look(replace(zero, at=STEP.at + 9), late=False), "no answer more"
    assert "1 answers of v2" in answers.look(replace(zero, at=STEP.at + 9, answers={"v2": 10}), late=False)


def test_answers_are_no_violation_with_a_weight_after_promotion_or_while_the_gateway_hears_nothing() -> None:
    for sample, late in ((STEP, False), (PROMOTING, False), (replace(STEP, weight=None), True)):
        answers = Answers(0.0, 0)
        assert not answers.look(replace(sample, answers={"v2": 5}), late=late)
