from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from canary.analysis.metric import BurnRate, BurnWindow, Compare, CounterMetric, Custom, Threshold, ValueMetric
from canary.analysis.samples import TrackLabel
from canary.api.template import ClusterAnalysisTemplate
from canary.errors import SpecInvalid
from canary.metrics.session import AnalysisSession
from canary.metrics.templates import Tracks, metrics_of

LIBRARY = sorted((Path(__file__).parents[3] / "analysis").glob("*.yaml"))
TRACKS = Tracks(
    namespace="shop",
    rollout="checkout",
    workload="checkout",
    stable_service="checkout",
    candidate_service="checkout-canary",
    service_port=80,
    stable_hash="old",
    candidate_hash="new",
)


def template(metric: dict[str, Any], **spec: Any) -> ClusterAnalysisTemplate:
    labels = [{"name": "pod_template_hash", "stable": "${stableHash}", "canary": "${canaryHash}"}]
    return ClusterAnalysisTemplate.model_validate(
        {
            "apiVersion": "canary.delivery/v1alpha1",
            "kind": "ClusterAnalysisTemplate",
            "metadata": {"name": "http"},
            "spec": {"identity": {"labels": labels}, "metrics": [{"name": "errors", **metric}], **spec},
        }
    )


COUNTER = {
    "bad": 'http_requests_total{job="${args.job}",code=~"5.."}',
    "total": 'http_requests_total{job="${args.job}"}',
}


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.name)
def test_every_template_of_the_library_can_be_judged(path: Path):
    for document in yaml.safe_load_all(path.read_text()):
        made = ClusterAnalysisTemplate.model_validate(document)
        needed = {argument.name: argument.name for argument in made.spec.args if argument.default is None}
        metrics = metrics_of(made, needed, TRACKS)
        assert AnalysisSession.start(metrics, started_at=0.0).needs(60.0)


def test_envoy_s_clusters_are_told_by_contour_s_names():
    (path,) = (path for path in LIBRARY if path.name == "contour-envoy-errors.yaml")
    (metric,) = metrics_of(ClusterAnalysisTemplate.model_validate(yaml.safe_load(path.read_text())), {}, TRACKS)
    assert isinstance(metric, CounterMetric)
    assert metric.candidate == (TrackLabel("envoy_cluster_name", "shop_checkout-canary_80"),)
    assert metric.stable == (TrackLabel("envoy_cluster_name", "shop_checkout_80"),)


def test_an_argument_with_quotes_and_braces_stays_inside_its_string():
    made = template({"counter": COUNTER, "compare": {}}, args=[{"name": "job"}])
    (metric,) = metrics_of(made, {"job": '"} or up{x="'}, TRACKS)
    assert isinstance(metric, CounterMetric)
    assert metric.total == r'http_requests_total{job="\"} or up{x=\""}'


def test_a_missing_argument_is_named_with_its_template():
    made = template({"counter": COUNTER, "compare": {}}, args=[{"name": "job"}])
    with pytest.raises(SpecInvalid, match="template http: argument 'job' has no default"):
        metrics_of(made, {}, TRACKS)


@pytest.mark.parametrize(
    ("metric", "says"),
    [
        ({"counter": {"bad": "a", "total": "b"}, "compare": {"against": "baseline"}}, "against baseline is not served"),
        ({"value": {"query": 'max(x{h="${canaryHash}"})'}, "compare": {}}, "give value.stableQuery"),
        (
            {"histogram": {"buckets": 'a_bucket{le="1"}', "bound": "0.5"}, "compare": {}},
            "selects by le; leave that out",
        ),
    ],
)
def test_what_cannot_be_judged_is_refused_by_name(metric: dict[str, Any], says: str):
    with pytest.raises(SpecInvalid, match=f"template http, metric errors: .*{says}"):
        metrics_of(template(metric), {}, TRACKS)


def test_a_value_s_query_without_variables_is_shared_and_sorted_by_identity():
    bound = {"max": "10", "total": 5, "passAfter": 2}
    shared, own = (
        metrics_of(template({"value": {"query": query}, "threshold": bound, "severity": "advisory"}), {}, TRACKS)[0]
        for query in ("max by (pod_template_hash) (queue)", 'max(queue{pod_template_hash="${canaryHash}"})')
    )
    assert isinstance(shared, ValueMetric)
    assert shared.track == (TrackLabel("pod_template_hash", "new"),)
    assert isinstance(own, ValueMetric)
    assert (own.track, own.expression) == ((), 'max(queue{pod_template_hash="new"})')
    assert own.judge == Threshold(maximum=10.0, total=5, fewest=2)
    assert not own.critical


@pytest.mark.parametrize("direction", ["increase", "decrease", "either"])
def test_a_direction_reaches_the_judge(direction: str):
    (metric,) = metrics_of(
        template({"counter": {"bad": "a", "total": "b"}, "compare": {"direction": direction}}), {}, TRACKS
    )
    assert isinstance(metric.judge, Compare)
    assert metric.judge.direction == direction


def test_a_burn_rate_has_the_usual_windows_unless_it_says_others():
    usual, own = (
        metrics_of(template({"counter": {"bad": "a", "total": "b"}, "burnRate": judge}), {}, TRACKS)[0].judge
        for judge in (
            {"objective": "99.9"},
            {"objective": "99", "windows": [{"long": "10m", "short": "1m", "factor": "10"}]},
        )
    )
    assert usual == BurnRate(0.999, (BurnWindow(3600, 300, 14.4), BurnWindow(21600, 1800, 6)))
    assert own == BurnRate(0.99, (BurnWindow(600, 60, 10),))


def test_a_value_that_is_compared_has_stable_s_by_identity_or_by_a_query_of_its_own():
    own = {"query": 'max(x{h="${canaryHash}"})', "stableQuery": 'max(x{h="${stableHash}"})'}
    shared, apart = (
        metrics_of(template({"value": value, "compare": {}}), {}, TRACKS)[0]
        for value in ({"query": "max by (pod_template_hash) (x)"}, own)
    )
    assert isinstance(shared, ValueMetric)
    assert isinstance(apart, ValueMetric)
    assert (shared.expression, shared.track[0].value) == ("max by (pod_template_hash) (x)", "new")
    assert (shared.stable_expression, shared.stable[0].value) == ("max by (pod_template_hash) (x)", "old")
    assert (apart.expression, apart.track, apart.stable_expression, apart.stable) == (
        'max(x{h="new"})',
        (),
        'max(x{h="old"})',
        (),
    )


def test_a_judge_of_a_team_has_its_name_and_parameters():
    own = {"name": "mostly-bad", "params": {"limit": "0.02"}}
    (metric,) = metrics_of(template({"counter": {"bad": "a", "total": "b"}, "custom": own}), {}, TRACKS)
    assert metric.judge == Custom("mostly-bad", (("limit", "0.02"),))
