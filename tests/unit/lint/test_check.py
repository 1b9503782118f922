"""What is found in Rollouts and templates, each by its rule and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from canary.lint.check import check
from canary.lint.documents import read
from canary.lint.finding import Finding, Level, Rule
from canary.lint.traffic import Traffic

ANALYSIS = Path(__file__).parents[3] / "analysis"
ROLLOUT: dict[str, Any] = {
    "apiVersion": "canary.delivery/v1alpha1",
    "kind": "Rollout",
    "metadata": {"name": "checkout", "namespace": "shop"},
    "spec": {
        "workload": {"name": "checkout"},
        "service": {"name": "checkout", "port": 80},
        "traffic": {"gatewayAPI": {"route": {"name": "checkout"}}},
        "analysis": {"templates": [{"name": "own"}]},
    },
}
IDENTITY = {
    "labels": [
        {"name": "namespace", "value": "${namespace}"},
        {"name": "pod_template_hash", "stable": "${stableHash}", "canary": "${canaryHash}"},
    ]
}
ERRORS: dict[str, Any] = {"name": "errors", "counter": {"bad": 'x{code=~"5.."}', "total": "x"}, "compare": {}}


def template(*metrics: object, **spec: object) -> dict[str, object]:
    return {
        "apiVersion": "canary.delivery/v1alpha1",
        "kind": "ClusterAnalysisTemplate",
        "metadata": {"name": "own"},
        "spec": {"identity": IDENTITY, "metrics": list(metrics)} | spec,
    }


def counter(bad: str, total: str = "x") -> dict[str, object]:
    return ERRORS | {"counter": {"bad": bad, "total": total}}


def value(query: str) -> dict[str, object]:
    return {"name": "value", "value": {"query": query}, "threshold": {"max": "1"}}


def found(*objects: object, traffic: Traffic | None = None) -> list[Finding]:
    documents, wrong = read("x.yaml", yaml.safe_dump_all(objects, sort_keys=False))
    assert not wrong
    return check(documents, traffic)


def said(*objects: object) -> set[tuple[Level, Rule]]:
    return {(finding.level, finding.rule) for finding in found(*objects)}


def test_nothing_is_wrong_in_the_library_of_templates():
    """Which warnings its templates may have is told in tests/repo/test_templates.py."""
    for file in ANALYSIS.glob("*.yaml"):
        documents, wrong = read(str(file), file.read_text())
        assert documents
        assert [each for each in (*wrong, *check(documents)) if each.level is Level.ERROR] == []


def test_nothing_is_found_in_a_rollout_with_its_template():
    assert not found(ROLLOUT, template(ERRORS))


def test_every_problem_of_an_object_is_told_at_its_own_line():
    broken = ROLLOUT | {"spec": ROLLOUT["spec"] | {"windows": [], "servce": 1, "service": {"name": "x"}}}
    messages = [(finding.line, finding.message) for finding in found(broken)]
    assert [line for line, _ in messages] == sorted(line for line, _ in messages)
    assert any("spec.windows is not served" in text for _, text in messages)
    assert any("spec.servce is not a field; did you mean service?" in text for _, text in messages)
    assert any("spec.service.port is missing" in text for _, text in messages)


@pytest.mark.parametrize(
    ("metric", "word"),
    [
        (counter('x{code=~"5.("}'), "regex"),
        (counter('x{code="5"'), "does not fit"),
        (counter("x{code=5}"), "cannot read the matchers"),
        (counter("x"), "every event is a bad one"),
        (value("sum(rate(x[5m])"), "unclosed"),
        (value("rate(x)"), "expected type"),
        (value("x{a=${namespace}}"), "only between quotes"),
    ],
)
def test_what_prometheus_would_refuse_is_an_error(metric, word):
    findings = [finding for finding in found(template(metric)) if finding.level is Level.ERROR]
    assert findings
    assert any(word in finding.message for finding in findings), findings


def test_a_variable_in_a_counters_selector_costs_a_query_for_each_rollout():
    assert said(template(counter('x{code="5",namespace="${namespace}"}'))) == {(Level.WARNING, Rule.GROUPING)}


def test_an_argument_may_be_the_same_for_all_and_is_no_reason_to_warn():
    arguments = [{"name": "handler", "default": "/"}]
    assert not found(template(counter('x{code="5",h="${args.handler}"}', 'x{h="${args.handler}"}'), args=arguments))


@pytest.mark.parametrize(
    "query",
    [
        "max by (namespace, pod_template_hash) (x{a='b'})",
        "(max by (namespace, pod_template_hash) (x{a='b'})) * 100",
        "histogram_quantile(0.9, sum by (le, namespace, pod_template_hash) (rate(x_bucket{a='b'}[5m])))",
        "sum without (pod) (x{a='b'})",
        "scalar(sum(x{a='b'}))",
    ],
)
def test_a_query_that_gives_one_sample_for_each_rollout_is_fine(query):
    assert not found(template(value(query)))


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("rate(x{a='b'}[5m])", "more than one sample"),
        ("sum(x{a='b'})", "the labels namespace, pod_template_hash are lost"),
        ("max by (namespace, pod_template_hash, pod) (x{a='b'})", "a sample for each pod"),
        ("topk(1, x{a='b'})", "several samples"),
        ("histogram_quantile(0.9, rate(x_bucket{a='b'}[5m]))", "by (namespace, pod_template_hash, le)"),
        ("sum(x{a='b'}) / sum by (namespace, pod_template_hash) (y{a='b'})", "are lost"),
        ("max by (namespace, pod_template_hash) (x)", "every series of x is read"),
    ],
)
def test_a_query_whose_answer_a_rollout_cannot_find_its_sample_in_is_a_warning(query, word):
    (finding,) = found(template(value(query)))
    assert (finding.level, finding.rule) == (Level.WARNING, Rule.SERIES)
    assert word in finding.message


def test_a_query_for_each_rollout_may_give_one_sample_without_labels():
    assert said(template(value('sum(x{namespace="${namespace}"})'))) == {(Level.NOTE, Rule.GROUPING)}


def test_an_identity_without_the_namespace_is_a_warning():
    identity = {"labels": [{"name": "app", "stable": "${workload}", "canary": "${workload}-canary"}]}
    assert said(template(ERRORS, identity=identity)) == {(Level.WARNING, Rule.IDENTITY)}


def test_a_template_that_is_in_no_file_is_told():
    assert said(ROLLOUT) == {(Level.NOTE, Rule.TEMPLATE)}


def test_an_argument_that_is_missing_or_unknown_is_an_error_in_the_rollout():
    arguments = [{"name": "handler"}]
    own = template(counter('x{code="5",h="${args.handler}"}'), args=arguments)
    (finding,) = found(ROLLOUT, own)
    assert (finding.level, finding.rule) == (Level.ERROR, Rule.TEMPLATE)
    assert "argument 'handler' has no default" in finding.message
    assert finding.message.startswith("Rollout shop/checkout")


def test_the_namespaces_own_template_is_found_before_the_clusters():
    own = template(value("rate(x)")) | {"kind": "AnalysisTemplate", "metadata": {"name": "own", "namespace": "shop"}}
    errors = [finding for finding in found(ROLLOUT, own, template(ERRORS)) if finding.rule is Rule.PROMQL]
    assert [finding.message.partition(":")[0] for finding in errors] == ["AnalysisTemplate shop/own"]


def test_a_step_that_can_never_gather_its_requests_is_told_with_the_time_that_it_needs():
    findings = found(ROLLOUT, template(ERRORS), traffic=Traffic(3, 0.01))
    (few,) = [f for f in findings if "cannot pass" in f.message]
    assert few.level is Level.WARNING
    assert "step 1 (1 % for at most 5 min) cannot pass at 3 requests/s" in few.message
    assert "which take 28 min" in few.message  # 50 / (3 * 0.01) s and 30 s
    (told,) = [f for f in findings if f.level is Level.NOTE]
    assert "a worse canary is found at 1 % after about" in told.message


def test_a_release_that_ends_before_a_much_worse_canary_is_found_is_told():
    unseen = [f for f in found(ROLLOUT, template(ERRORS), traffic=Traffic(0.3, 0.01)) if "unseen" in f.message]
    assert [f.level for f in unseen] == [Level.WARNING]
    assert not [f for f in found(ROLLOUT, template(ERRORS), traffic=Traffic(3, 0.01)) if "unseen" in f.message]


def test_steps_with_enough_traffic_are_told_only_how_soon_a_worse_canary_is_found():
    (finding,) = found(ROLLOUT, template(ERRORS), traffic=Traffic(2000, 0.01))
    assert finding.level is Level.NOTE


def test_without_a_traffic_nothing_is_said_of_steps():
    assert not [f for f in found(ROLLOUT, template(ERRORS)) if f.rule is Rule.TRAFFIC]


def test_stable_s_own_query_is_read_by_the_parser_too():
    both = {"query": 'max(x{h="${canaryHash}"})', "stableQuery": 'max(x{h="${stableHash}"'}
    made = template({"name": "x", "value": both, "compare": {}})
    assert any(each.level is Level.ERROR and each.rule is Rule.PROMQL for each in found(made))


def test_a_histogram_s_buckets_are_read_as_counters_are():
    made = template(
        {"name": "x", "histogram": {"buckets": 'x_bucket{ns="${namespace}"}', "bound": "0.5"}, "compare": {}}
    )
    assert (Level.WARNING, Rule.GROUPING) in said(made)
