"""Queries in other languages than PromQL are looked at for what can be told of them."""

from __future__ import annotations

import pytest

from canary.lint.check import check
from canary.lint.documents import read
from canary.lint.finding import Level, Rule


def found(language: str, query: str) -> list[tuple[Level, Rule, str]]:
    text = f"""
apiVersion: canary.delivery/v1alpha1
kind: ClusterAnalysisTemplate
metadata: {{name: t}}
spec:
  args: [{{name: app}}]
  metrics:
  - name: m
    source: other
    value: {{language: {language}, query: '{query}'}}
    threshold: {{max: "1"}}
"""
    documents, wrong = read("t.yaml", text)
    assert wrong == []
    return [(each.level, each.rule, each.message) for each in check(documents)]


def test_a_query_that_is_no_promql_is_not_read_as_promql():
    ((level, rule, said),) = found("datadog", "sum:errors{service:${args.app}}.as_count()")
    assert (level, rule) == (Level.NOTE, Rule.QUERY)
    assert "queries in datadog are not parsed here" in said


@pytest.mark.parametrize(
    ("language", "query", "says"),
    [
        ("datadog", "sum:${args.app}{*}", "may stand only inside of braces"),
        ("nrql", "SELECT count(*) FROM ${args.app}", "may stand only between quotes"),
        ("web", "/rate", "a path that begins with /"),
    ],
)
def test_a_variable_out_of_place_and_half_a_query_are_errors(language, query, says):
    ((level, rule, said),) = found(language, query)
    assert (level, rule) == (Level.ERROR, Rule.QUERY)
    assert says in said


def test_an_unknown_language_is_told_the_known_ones():
    level, _, said = next(each for each in found("sparql", "x") if "language" in each[2])
    assert level is Level.ERROR
    assert "spec.metrics[0].value.language: must be 'promql', 'datadog'" in said
