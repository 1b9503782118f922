"""YAML with the lines of its fields."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from canary.lint.documents import read
from canary.lint.finding import Level, Rule

TEXT = """\
kind: ConfigMap
apiVersion: v1
---
apiVersion: canary.delivery/v1alpha1
kind: Rollout
metadata: {name: checkout, namespace: shop}
spec:
  strategy:
    canary:
      steps:
      - weight: 1
      - weight: 10
        atMost: 5m
"""


def test_only_canarys_own_objects_are_read():
    documents, findings = read("x.yaml", TEXT)
    assert [(each.kind, each.name) for each in documents] == [("Rollout", "shop/checkout")]
    assert not findings


def test_each_field_has_its_line_and_one_that_is_missing_that_of_what_is_around_it():
    (document,), _ = read("x.yaml", TEXT)
    lines = {
        "spec.strategy.canary.steps[1].atMost": 13,
        "spec.strategy.canary.steps[1]": 12,
        "spec.strategy.canary.steps[1].weight.of.nothing": 12,
        "spec.strategy.canary.steps[7]": 10,
        "spec.analysis.templates[0]": 7,
        "nowhere": 4,
    }
    assert {path: document.line(path) for path in lines} == lines


@given(st.text(alphabet="ab.[]0-\n"))
def test_any_path_has_a_line(path):
    (document,), _ = read("t.yaml", "apiVersion: canary.delivery/v1alpha1\nkind: Rollout\nspec:\n  a:\n  - {b: a}\n")
    assert document.line("spec.a[].b.a") == document.lines["spec.a"], "`[]` stands for every item"
    assert document.line(path) == 1


def test_objects_in_a_list_are_read():
    text = "kind: List\napiVersion: v1\nitems:\n- {kind: Rollout, apiVersion: canary.delivery/v1alpha1}\n"
    (document,), _ = read("x.yaml", text)
    assert document.name == "(no name)"
    assert document.line("spec.workload") == 1


def test_a_file_that_is_no_yaml_is_found_with_its_line_and_what_stands_before_is_kept():
    documents, (finding,) = read("x.yaml", TEXT + "---\na: b\n c: [\n")
    assert len(documents) == 1
    assert (finding.level, finding.rule, finding.line) == (Level.ERROR, Rule.YAML, 16)


def test_a_key_that_stands_twice_is_found_because_yaml_keeps_only_the_last():
    _, (finding,) = read("x.yaml", "a: {b: 1}\nc:\n- d: 1\n  d: 2\n")
    assert "the key d stands twice" in finding.message
    assert finding.line == 4
