"""SARIF 2.1.0: what its specification asks of a log, a run and a result."""

from __future__ import annotations

from typing import Any

from canary.lint.finding import Finding, Level, Rule
from canary.lint.sarif import sarif

FINDINGS = [
    Finding("deploy/a.yaml", 3, Level.ERROR, Rule.FIELD, "Rollout shop/checkout: spec.x is not a field"),
    Finding("b.yaml", 1, Level.NOTE, Rule.TEMPLATE, "the template is in none of the files"),
]


def test_each_finding_names_its_rule_level_file_and_line():
    log: Any = sarif(FINDINGS)
    (run,) = log["runs"]
    first = run["results"][0]
    assert log["version"] == "2.1.0"
    assert first["ruleId"] == "field"
    assert first["level"] == "error"
    place = first["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "deploy/a.yaml"}, "region": {"startLine": 3}}


def test_every_result_refers_to_the_rule_that_it_names():
    log: Any = sarif(FINDINGS)
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert {rule["id"] for rule in rules} == {rule.value for rule in Rule}
    for result in log["runs"][0]["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]


def test_nothing_found_is_an_empty_list_of_results_and_no_missing_one():
    log: Any = sarif([])
    assert log["runs"][0]["results"] == []
