"""What a Rollout means where it says nothing."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from canary.api.parse import parse_rollout
from canary.api.rollout import GitMode, OnInconclusive, TemplateKind
from canary.api.strategy import ApprovalStep, Step, WeightStep
from tests.unit.api.documents import FULL, SMALLEST, changed


def test_the_smallest_rollout_has_the_steps_that_an_sre_would_choose():
    spec = parse_rollout(SMALLEST).spec
    assert spec.effective_steps() == (WeightStep(1, 30, 300), WeightStep(10, 60, 600), WeightStep(50, 60, 600))
    assert spec.bake_seconds() == 600


def test_the_smallest_rollout_is_judged_by_the_platforms_template_and_reverted():
    spec = parse_rollout(SMALLEST).spec
    assert [(t.name, t.kind) for t in spec.effective_templates()] == [
        ("default", TemplateKind.CLUSTER_ANALYSIS_TEMPLATE)
    ]
    assert spec.analysis.on_inconclusive is OnInconclusive.HOLD
    assert spec.analysis.no_data_after.seconds == 120
    assert spec.analysis.alpha.value == 0.01
    assert spec.rollback.git.mode is GitMode.PUSH
    assert spec.progress_deadline.seconds == 600


def test_given_steps_replace_the_default_ones():
    assert parse_rollout(FULL).spec.effective_steps() == (
        WeightStep(1, 30, 300),
        WeightStep(10, 60, 5400),
        ApprovalStep(),
        WeightStep(50, 60, 600),
    )


@pytest.mark.parametrize(
    ("said", "effective"),
    [
        ({"weight": 5}, WeightStep(5, 60, 600)),
        ({"weight": 5, "atLeast": "2m"}, WeightStep(5, 120, 1200)),
        ({"weight": 5, "atMost": "20s"}, WeightStep(5, 20, 20)),
        ({"weight": 5, "atMost": "1h"}, WeightStep(5, 60, 3600)),
    ],
    ids=str,
)
def test_a_steps_missing_time_follows_from_the_other(said, effective):
    assert Step.model_validate(said).effective() == effective


def test_strategy_without_steps_keeps_its_own_bake():
    spec = parse_rollout(changed(SMALLEST, {"spec.strategy": {"canary": {"bake": "1m"}}})).spec
    assert (len(spec.effective_steps()), spec.bake_seconds()) == (3, 60)


def test_the_provider_is_named_as_in_yaml():
    assert parse_rollout(SMALLEST).spec.traffic.provider == "gatewayAPI"


def test_a_rollout_cannot_be_changed():
    rollout = parse_rollout(SMALLEST)
    with pytest.raises(ValidationError, match="frozen"):
        rollout.spec = rollout.spec  # type: ignore[misc]  # that is the claim
