"""From a template, its arguments and a release's names to the metrics that a session judges.

The names of both tracks come in as `Tracks`, so the return of the weight after a promotion is the same template with
other names: the Deployment's new pods as the candidate, the canary copy as stable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from canary.analysis import metric as judged
from canary.analysis.histograms import BUCKET
from canary.analysis.samples import Track, TrackLabel
from canary.api import judges
from canary.api import metric as declared
from canary.api.identity import Identity, Match
from canary.api.template import Template
from canary.api.variables import Variable
from canary.errors import SpecInvalid
from canary.metrics.language import LABELLED, fill_in
from canary.metrics.promql import Selector, fill, fill_label

WEEK_SECONDS = 7 * 24 * 3600.0
"""How much earlier `against: history` looks at stable: the same hour of the same weekday."""
POD_LABEL = "pod"
"""What stable is split by to measure its dispersion, and a warming pod recognised by."""


@dataclass(frozen=True, slots=True)
class Tracks:
    """The names by which a release's two tracks are found."""

    namespace: str
    rollout: str
    workload: str
    stable_service: str
    candidate_service: str
    service_port: int
    stable_hash: str
    """pod-template-hash of the pods that are the reference."""
    candidate_hash: str
    """pod-template-hash of the pods that are judged."""

    def values(self) -> dict[str, str]:
        """The templates' variables."""
        return {
            Variable.NAMESPACE: self.namespace,
            Variable.ROLLOUT: self.rollout,
            Variable.WORKLOAD: self.workload,
            Variable.STABLE_SERVICE: self.stable_service,
            Variable.CANARY_SERVICE: self.candidate_service,
            Variable.SERVICE_PORT: str(self.service_port),
            Variable.STABLE_HASH: self.stable_hash,
            Variable.CANARY_HASH: self.candidate_hash,
        }


def metrics_of(template: Template, arguments: Mapping[str, str], tracks: Tracks) -> tuple[judged.Metric, ...]:
    """Fill a template in.

    Raises
    ------
    SpecInvalid
        Names the template, the metric and what is wrong: an argument, a selector, a field that is not served yet.
    """
    name = template.metadata.name
    try:
        values = {**tracks.values(), **template.spec.arguments(dict(arguments))}
    except ValueError as error:
        raise SpecInvalid(f"template {name}: {error}") from error
    return tuple(_metric(template, each, values) for each in template.spec.metrics)


def _metric(template: Template, metric: declared.Metric, values: Mapping[str, str]) -> judged.Metric:
    name = f"{template.metadata.name}/{metric.name}"
    try:
        if metric.counter is not None:
            return _counter(name, metric, metric.counter, template.spec.identity_of(metric), values)
        if metric.value is not None:
            return _value(name, metric, metric.value, template.spec.identity_of(metric), values)
        return _histogram(name, metric, template.spec.identity_of(metric), values)
    except SpecInvalid as error:
        raise SpecInvalid(f"template {template.metadata.name}, metric {metric.name}: {error}") from error


def _counter(
    name: str,
    metric: declared.Metric,
    counter: declared.Counter,
    identity: Identity | None,
    values: Mapping[str, str],
) -> judged.CounterMetric:
    if identity is None:
        raise SpecInvalid("a counter needs identity")
    bad, total = fill(counter.bad, values), fill(counter.total, values)
    for selector in (bad, total):
        Selector.parse(selector)
    return judged.CounterMetric(
        name,
        metric.source,
        bad,
        total,
        candidate=_track(identity, values, candidate=True),
        stable=_track(identity, values, candidate=False),
        judge=_judge(metric),
        critical=metric.critical,
        interval_seconds=float(metric.interval.seconds),
        split=POD_LABEL,
    )


def _histogram(
    name: str, metric: declared.Metric, identity: Identity | None, values: Mapping[str, str]
) -> judged.HistogramMetric:
    histogram = metric.histogram
    if histogram is None or identity is None:
        raise SpecInvalid("a histogram needs identity")
    buckets = fill(histogram.buckets, values)
    if Selector.parse(buckets).names(BUCKET):
        raise SpecInvalid(f"histogram.buckets selects by {BUCKET}; leave that out: every bucket is needed")
    return judged.HistogramMetric(
        name,
        metric.source,
        buckets,
        histogram.bound.value,
        candidate=_track(identity, values, candidate=True),
        stable=_track(identity, values, candidate=False),
        judge=_judge(metric),
        critical=metric.critical,
        interval_seconds=float(metric.interval.seconds),
        split=POD_LABEL,
    )


def _value(
    name: str, metric: declared.Metric, value: declared.Value, identity: Identity | None, values: Mapping[str, str]
) -> judged.ValueMetric:
    expression = fill_in(value.language, value.query, values)
    # A query without variables answers for every release at once; this one's value is taken from it by identity.
    shared = identity if expression == value.query and value.language in LABELLED else None
    wanted = metric.compare is not None or value.stable_query is not None
    stable = _stable_of(value, values, shared) if wanted else ("", ())
    return judged.ValueMetric(
        name,
        metric.source,
        expression,
        _value_judge(metric),
        critical=metric.critical,
        interval_seconds=float(metric.interval.seconds),
        track=_track(shared, values, candidate=True) if shared is not None else (),
        language=value.language,
        stable_expression=stable[0],
        stable=stable[1],
    )


def _value_judge(metric: declared.Metric) -> judged.Threshold | judged.Compare | judged.Custom:
    found = _judge(metric)
    if isinstance(found, judged.BurnRate):
        raise SpecInvalid("burnRate needs a counter's or histogram's events")
    return found


def _stable_of(value: declared.Value, values: Mapping[str, str], shared: Identity | None) -> tuple[str, Track]:
    """Stable's expression, and the labels by which its value is taken from the answer."""
    if value.stable_query is not None:
        return fill_in(value.language, value.stable_query, values), ()
    if shared is None:
        raise SpecInvalid(
            "compare needs stable's value: give value.stableQuery, or a query without variables that keeps identity's "
            "labels"
        )
    return value.query, _track(shared, values, candidate=False)


def _track(identity: Identity, values: Mapping[str, str], *, candidate: bool) -> Track:
    labels = []
    for label in identity.labels:
        regex = label.match is Match.REGEX
        text = label.canary_text if candidate else label.stable_text
        labels.append(TrackLabel(label.name, fill_label(text, values, regex=regex), regex=regex))
    return tuple(labels)


def _judge(metric: declared.Metric) -> judged.EventJudge:
    if metric.compare is not None:
        return _compare(metric.compare)
    if metric.custom is not None:
        return judged.Custom(metric.custom.name, tuple(sorted(metric.custom.params.items())))
    return _threshold(metric) if metric.burn_rate is None else _burn_rate(metric.burn_rate)


def _burn_rate(rate: judges.BurnRate) -> judged.BurnRate:
    objective = round(rate.objective.value / 100, 9)
    if rate.windows is None:
        return judged.BurnRate(objective)
    windows = tuple(
        judged.BurnWindow(float(each.long.seconds), float(each.short.seconds), each.factor.value)
        for each in rate.windows
    )
    return judged.BurnRate(objective, windows)


def _compare(compare: judges.Compare) -> judged.Compare:
    if compare.against is judges.Against.BASELINE:
        raise SpecInvalid(f"compare.against {compare.against} is not served yet")
    return judged.Compare(
        tolerated_ratio=compare.tolerated_ratio.value,
        fewest_requests=float(compare.min_count),
        warm_up_seconds=float(compare.warm_up.seconds),
        alpha=None if compare.alpha is None else compare.alpha.value,
        direction=judged.Direction(compare.direction.value),
        ago_seconds=WEEK_SECONDS if compare.against is judges.Against.HISTORY else 0.0,
    )


def _threshold(metric: declared.Metric) -> judged.Threshold:
    threshold = metric.threshold
    if threshold is None:
        raise SpecInvalid("no judge is given")
    return judged.Threshold(
        minimum=None if threshold.min is None else threshold.min.value,
        maximum=None if threshold.max is None else threshold.max.value,
        window_seconds=float(threshold.window.seconds),
        consecutive=threshold.consecutive,
        total=threshold.total,
        fewest=threshold.pass_after,
    )
