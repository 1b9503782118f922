"""The library of analysis templates: each is valid, tried in every scenario, and told in its README."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import yaml

from canary.analysis.metric import ValueMetric
from canary.api.parse import parse_template
from canary.lint.check import check
from canary.lint.documents import read
from canary.lint.finding import Level, Rule
from canary.metrics.templates import metrics_of
from tests.contract.templates.exposition import arguments, tracks
from tests.contract.templates.files import LIBRARY, TEMPLATES, scenarios_of
from tests.contract.templates.worlds import SCENARIOS

NAMED_BY_HAND = {"nginx-errors", "nginx-latency", "skipper-errors", "skipper-latency"}
"""Series whose labels no variable gives: their templates say so, and are not for the return of the weight."""
README = (LIBRARY / "README.md").read_text(encoding="utf-8")


def text_of(template: str) -> str:
    return TEMPLATES[template].read_text(encoding="utf-8")


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_has_nothing_that_lint_warns_of(template):
    documents, findings = read(f"{template}.yaml", text_of(template))
    assert [each.kind for each in documents] == ["ClusterAnalysisTemplate"]
    found = [each for each in (*findings, *check(documents)) if each.level is not Level.NOTE]
    if template in NAMED_BY_HAND:
        found = [each for each in found if each.rule is not Rule.IDENTITY]
    assert found == []


@pytest.mark.parametrize("template", sorted(set(TEMPLATES) - NAMED_BY_HAND))
def test_the_tracks_of_a_template_change_places_while_traffic_returns(template):
    parsed = parse_template(yaml.safe_load(text_of(template)))
    args = arguments(template, "healthy")
    out = tracks(template, "healthy")
    back = replace(
        out,
        stable_service=out.candidate_service,
        candidate_service=out.stable_service,
        stable_hash=out.candidate_hash,
        candidate_hash=out.stable_hash,
    )
    for forth, returning in zip(metrics_of(parsed, args, out), metrics_of(parsed, args, back), strict=True):
        if isinstance(forth, ValueMetric) and isinstance(returning, ValueMetric):
            if forth.track:
                assert forth.track != returning.track
            elif "Hash}" in text_of(template):
                assert forth.expression != returning.expression
        elif not isinstance(forth, ValueMetric) and not isinstance(returning, ValueMetric):
            assert (forth.candidate, forth.stable) == (returning.stable, returning.candidate)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_says_what_it_is_for_and_what_each_metric_and_argument_means(template):
    spec = parse_template(yaml.safe_load(text_of(template))).spec
    assert spec.description
    assert [metric.name for metric in spec.metrics if not metric.description] == []
    assert [arg.name for arg in spec.args if not arg.description] == []


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_metric_of_a_template_has_an_expected_verdict_in_every_scenario(template):
    spec = parse_template(yaml.safe_load(text_of(template))).spec
    expected = scenarios_of(template).expect
    assert set(expected) == {metric.name for metric in spec.metrics}
    assert [metric for metric, by_scenario in expected.items() if list(by_scenario) != list(SCENARIOS)] == []


def test_every_file_of_scenarios_belongs_to_a_template():
    assert {path.stem for path in (LIBRARY / "scenarios").glob("*")} == set(TEMPLATES)


def test_every_file_of_recording_rules_belongs_to_a_template_that_names_it():
    needed = {(scenarios_of(template).rules, template) for template in TEMPLATES if scenarios_of(template).rules}
    assert {path.name for path in (LIBRARY / "rules").glob("*")} == {rules for rules, _ in needed}
    assert [template for rules, template in needed if f"rules/{rules}" not in text_of(template)] == []


def test_no_two_templates_have_one_name():
    names = [parse_template(yaml.safe_load(text_of(template))).metadata.name for template in TEMPLATES]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_readme_has_a_line_for_each_template_with_its_name_and_its_arguments(template):
    parsed = parse_template(yaml.safe_load(text_of(template)))
    rows = re.findall(rf"^\| `{template}\.yaml` \|.*$", README, flags=re.MULTILINE)
    assert len(rows) == 1
    assert f"| `{parsed.metadata.name}` |" in rows[0]
    assert [arg.name for arg in parsed.spec.args if f"`{arg.name}`" not in rows[0]] == []


def test_the_readme_names_every_scenario():
    assert [name for name in SCENARIOS if f"| `{name}` |" not in README] == []
