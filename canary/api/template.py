"""Analysis templates: what is measured, how the tracks are told apart, and how it is judged.

An SRE writes a template once; every Rollout that names it shares its queries. That works because what differs from
Rollout to Rollout stands in `identity`, as label values, and not in the selectors: the planner asks one question with
all Rollouts' label values in it, and sorts the answer's series by these labels. Rollouts whose rendered selectors
differ (by `${args.x}`, say) get a query for each text.

A counter of an application that Prometheus scrapes pod by pod::

    spec:
      identity:
        labels:
        - {name: namespace, value: "${namespace}"}
        - {name: pod_template_hash, stable: "${stableHash}", canary: "${canaryHash}"}
      metrics:
      - name: errors
        counter:
          bad: http_requests_total{code=~"5.."}
          total: http_requests_total
        compare: {toleratedRatio: "1.5"}

Values of variables are escaped for the place where they stand (a PromQL string, or a regular expression in it); they
are never pasted. A variable therefore may stand only inside a label's value.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from canary.api.decimals import Alpha, Factor, Number, Percentage, ToleratedRatio
from canary.api.duration import Duration
from canary.api.metadata import ObjectMeta
from canary.api.model import SpecModel, exactly_one, given, rules
from canary.api.names import API_VERSION
from canary.api.text import Expression, Identifier, KeyedBy, Label, Line
from canary.api.variables import ARGUMENT_PREFIX, unknown_variable, variables_in

DEFAULT_SOURCE: Final = "default"
DEFAULT_INTERVAL: Final = Duration("10s")
DEFAULT_TOLERATED_RATIO: Final = ToleratedRatio("1.5")
DEFAULT_WINDOW: Final = Duration("1m")
DEFAULT_CONSECUTIVE: Final = 3
DEFAULT_PASS_AFTER: Final = 3
DEFAULT_MIN_COUNT: Final = 50
DEFAULT_WARM_UP: Final = Duration("30s")


class Match(StrEnum):
    """How a label is compared with its value."""

    EXACT = "exact"
    """Equal; variables are put in as they are."""
    REGEX = "regex"
    """RE2, anchored at both ends as in PromQL; variables are escaped in it."""


_VALUE_OR_TRACKS: Final = "give either value (the same on both tracks) or both stable and canary"


class IdentityLabel(SpecModel):
    """A label of the series, and its value on each track."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("has(self.value) != has(self.stable) && has(self.stable) == has(self.canary)", _VALUE_OR_TRACKS)
        )
    )

    name: Identifier
    """Name of the label, for example `namespace` or `envoy_cluster_name`."""
    value: Line | None = None
    """Value on both tracks, for example `${namespace}`. Either this, or `stable` and `canary`."""
    stable: Line | None = None
    """Value on stable's series, for example `${stableHash}`."""
    canary: Line | None = None
    """Value on the canary's series, for example `${canaryHash}`."""
    match: Match = Match.EXACT
    """exact or regex (RE2, anchored; variables are escaped). Absent: exact."""

    @model_validator(mode="after")
    def _value_or_tracks(self) -> Self:
        if given(self, "value", "stable", "canary") not in (["value"], ["stable", "canary"]):
            raise ValueError(_VALUE_OR_TRACKS)
        return self

    @property
    def splits_tracks(self) -> bool:
        """Whether the two tracks differ in this label."""
        return self.value is None

    @property
    def stable_text(self) -> str:
        """Value on stable's series, variables not filled in."""
        return self.value or self.stable or ""

    @property
    def canary_text(self) -> str:
        """Value on the canary's series, variables not filled in."""
        return self.value or self.canary or ""


_TRACKS_DIFFER: Final = "at least one identity label must differ between stable and canary, else both are one series"


class Identity(SpecModel):
    """The labels by which series belong to a Rollout and to a track."""

    model_config = ConfigDict(json_schema_extra=rules(("self.labels.exists(l, has(l.stable))", _TRACKS_DIFFER)))

    labels: Annotated[tuple[IdentityLabel, ...], Field(min_length=1, max_length=8), KeyedBy("name")]
    """Together they must name one workload on one track: include the namespace, where the series have it. The queries
    are grouped by these labels. Pods of one track are told apart by the label `pod`, where the series have it."""

    @model_validator(mode="after")
    def _tracks_differ(self) -> Self:
        if not any(label.splits_tracks for label in self.labels):
            raise ValueError(_TRACKS_DIFFER)
        return self


_SELECTOR_PATTERN: Final = r"^\s*([a-zA-Z_:][a-zA-Z0-9_:]*\s*(\{[\s\S]*\})?|\{[\s\S]+\})\s*$"
Selector = Annotated[str, Field(min_length=1, max_length=1024, pattern=_SELECTOR_PATTERN)]
"""A PromQL instant selector: a metric's name, matchers, or both; no function, range or offset."""


class Counter(SpecModel):
    """Events counted by Prometheus counters: how many went wrong, of how many."""

    bad: Selector
    """Instant selector of the counters of bad events, for example `http_requests_total{code=~"5.."}`; no function, no
    range. Identity's labels are added to it, so leave them out."""
    total: Selector
    """Instant selector of the counters of all events, the bad ones among them."""


class Histogram(SpecModel):
    """Durations or sizes in a Prometheus histogram. Not served yet."""

    buckets: Selector
    """Instant selector of the `_bucket` series."""
    bound: Number
    """The service level objective, in the histogram's unit (seconds, as a rule), in quotes: one of its buckets."""


class Value(SpecModel):
    """Any number that PromQL gives, for the canary."""

    query: Expression
    """PromQL for an instant vector or a scalar: the canary's value. With variables, which stand inside label values
    (`{pod_template_hash="${canaryHash}"}`), it is asked once for each Rollout and gives one sample. Without variables
    and with an identity it is asked once for all Rollouts, keeps identity's labels (`max by (namespace,
    pod_template_hash) (...)`), and the canary's sample is taken from the answer by them."""


class Direction(StrEnum):
    """Which difference is bad."""

    INCREASE = "increase"
    DECREASE = "decrease"
    """Not served yet."""
    EITHER = "either"
    """Not served yet."""


class Against(StrEnum):
    """What the canary is compared with."""

    STABLE = "stable"
    """The version that serves, at the same time."""
    BASELINE = "baseline"
    """New pods of the stable version, as many as the canary's. Not served yet."""
    HISTORY = "history"
    """The stable version earlier. Not served yet."""


class Compare(SpecModel):
    """Sequential test of the canary's rate against stable's; it may look at any time without more false alarms."""

    tolerated_ratio: ToleratedRatio = DEFAULT_TOLERATED_RATIO
    """The canary's rate of bad events may be this many times stable's, in quotes. Absent: "1.5", because pods of the
    same version differ by about that much."""
    direction: Direction = Direction.INCREASE
    """Which difference is bad. Absent: increase. decrease and either are not served yet."""
    against: Against = Against.STABLE
    """What the canary is compared with. Absent: stable. baseline and history are not served yet."""
    min_count: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] = DEFAULT_MIN_COUNT
    """With fewer events of the canary's warm pods the metric does not pass; it may fail at any count. Absent: 50."""
    warm_up: Duration = DEFAULT_WARM_UP
    """After a canary pod is ready, its events count only against a tenfold rate for so long: cold caches are no defect,
    a disaster is. A step does not end on events of this time alone. Absent: 30s."""
    alpha: Alpha | None = None
    """Bound on the chance of a false alarm of this metric in one release, in quotes. Absent: an even share of the
    Rollout's analysis.alpha."""


_SOME_BOUND: Final = "give min, max or both"
_MIN_MAX: Final = "min must not be above max"


class Threshold(SpecModel):
    """Fixed bounds for the canary: of a value, or of a counter's bad events per event over the window."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("has(self.min) || has(self.max)", _SOME_BOUND),
            ("!has(self.min) || !has(self.max) || double(self.min) <= double(self.max)", _MIN_MAX),
        )
    )

    min: Number | None = None
    """Lowest good value, in quotes. Absent: no lower bound."""
    max: Number | None = None
    """Highest good value, in quotes; of a counter, bad events per event: "0.05" is 5 %. Absent: no upper bound."""
    window: Duration = DEFAULT_WINDOW
    """A counter gives one measurement in each window: the bad events of all events in it. A value is measured at each
    interval; its query has ranges of its own and ignores this. Absent: 1m."""
    consecutive: Annotated[int, Field(ge=1, le=1000, strict=True)] = DEFAULT_CONSECUTIVE
    """Fail when this many measurements in a row are out of bounds. Absent: 3, so that one odd scrape is no verdict."""
    total: Annotated[int, Field(ge=1, le=10000, strict=True)] | None = None
    """Fail when this many measurements of a release are out of bounds, in a row or not. Absent: no such limit."""
    pass_after: Annotated[int, Field(ge=1, le=1000, strict=True)] = DEFAULT_PASS_AFTER
    """Pass when this many measurements in a row are within bounds. Absent: 3."""

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError(_SOME_BOUND)
        if self.min and self.max and self.min.value > self.max.value:
            raise ValueError(_MIN_MAX)
        return self


class BurnWindow(SpecModel):
    """A long and a short window that must both burn too fast."""

    long: Duration
    """The long window: enough evidence."""
    short: Duration
    """The short window: it still happens."""
    factor: Factor
    """How many times faster than the objective allows, in quotes."""


class BurnRate(SpecModel):
    """How fast the error budget of an objective is spent. Not served yet."""

    objective: Percentage
    """Share of good events that is promised, in percent, in quotes: "99.9"."""
    windows: Annotated[tuple[BurnWindow, ...], Field(min_length=1, max_length=4)] | None = None
    """Absent: 14.4 times over 1h and 5m, 6 times over 6h and 30m."""


class Custom(SpecModel):
    """A judge that the operator loads as a plug-in. Not served yet."""

    name: Label
    """The plug-in's name."""
    params: Annotated[dict[Identifier, Annotated[str, Field(max_length=256)]], Field(max_length=16)] = Field(
        default_factory=dict
    )
    """Its parameters, strings."""


class Severity(StrEnum):
    """What a failed metric does."""

    CRITICAL = "critical"
    """Rolls back."""
    ADVISORY = "advisory"
    """Is reported, and does nothing else."""


KINDS: Final = {"counter": "counter", "histogram": "histogram", "value": "value"}
JUDGES: Final = {"compare": "compare", "threshold": "threshold", "burn_rate": "burnRate", "custom": "custom"}
_ONE_KIND: Final = "give exactly one of counter, histogram and value"
_ONE_JUDGE: Final = "give exactly one judge: compare, threshold, burnRate or custom"
_VALUE_NEEDS_THRESHOLD: Final = "a value is judged by threshold; compare needs a counter's events"


class Metric(SpecModel):
    """One measure and its judge."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (exactly_one(*KINDS.values()), _ONE_KIND),
            (exactly_one(*JUDGES.values()), _ONE_JUDGE),
            ("!has(self.value) || !has(self.compare)", _VALUE_NEEDS_THRESHOLD),
        )
    )

    name: Label
    """Names the metric in reports; unique in the template."""
    description: Line | None = None
    """What it measures, in a sentence for reports. Absent: the name has to do."""
    source: Label = DEFAULT_SOURCE
    """Name of a metric source in the operator's configuration, never an address. Absent: `default`."""
    interval: Duration = DEFAULT_INTERVAL
    """How often it is looked at; not shorter than the source's scrape interval. Absent: 10s."""
    severity: Severity = Severity.CRITICAL
    """critical rolls back when it fails; advisory is only reported. Absent: critical."""
    identity: Identity | None = None
    """How this metric's series are told apart. Absent: the template's identity."""
    counter: Counter | None = None
    """Bad events of all events. Exactly one of counter, histogram, value."""
    histogram: Histogram | None = None
    """Durations or sizes. Not served yet."""
    value: Value | None = None
    """Any PromQL. Exactly one of counter, histogram, value."""
    compare: Compare | None = None
    """Judge: the canary against stable; needs a counter. Exactly one judge; all defaults are `compare: {}`."""
    threshold: Threshold | None = None
    """Judge: the canary against fixed bounds. Exactly one judge."""
    burn_rate: BurnRate | None = None
    """Judge: how fast an error budget is spent. Not served yet."""
    custom: Custom | None = None
    """Judge: a plug-in. Not served yet."""

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if len(given(self, *KINDS)) != 1:
            raise ValueError(_ONE_KIND)
        if len(given(self, *JUDGES)) != 1:
            raise ValueError(_ONE_JUDGE)
        if self.value is not None and self.compare is not None:
            raise ValueError(_VALUE_NEEDS_THRESHOLD)
        return self

    @property
    def critical(self) -> bool:
        """Whether a failure rolls back."""
        return self.severity is Severity.CRITICAL

    def texts(self) -> tuple[str, ...]:
        """Every PromQL text in which variables may stand, identity's left out."""
        parts = (self.counter and (self.counter.bad, self.counter.total), self.value and (self.value.query,))
        return tuple(text for part in parts if part for text in part)


class Argument(SpecModel):
    """An argument of a template, used as `${args.<name>}`."""

    name: Identifier
    """Name of the argument."""
    default: Annotated[str, Field(max_length=256)] | None = None
    """Value when a Rollout gives none. Absent: a Rollout must give it."""
    description: Line | None = None
    """What it is for, for those who write Rollouts."""


_NEEDS_IDENTITY: Final = "a counter or histogram needs identity, its own or the template's, to tell canary from stable"


class AnalysisTemplateSpec(SpecModel):
    """Metrics that are judged together."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "has(self.identity) || self.metrics.all(metric, has(metric.value) || has(metric.identity))",
                _NEEDS_IDENTITY,
            )
        )
    )

    description: Line | None = None
    """What the template is for."""
    args: Annotated[tuple[Argument, ...], Field(max_length=16), KeyedBy("name")] = ()
    """Arguments that Rollouts give. Absent: none."""
    identity: Identity | None = None
    """How series of all metrics are told apart, if a metric has none of its own. Absent: each counter has one."""
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1, max_length=16), KeyedBy("name")]
    """The metrics. One failed critical metric fails the release."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        declared = frozenset(argument.name for argument in self.args)
        for metric in self.metrics:
            if metric.value is None and self.identity_of(metric) is None:
                raise ValueError(f"metric {metric.name!r}: {_NEEDS_IDENTITY}")
            for text in (*metric.texts(), *_identity_texts(self.identity_of(metric))):
                for name in variables_in(text):
                    if wrong := unknown_variable(name, declared):
                        raise ValueError(f"metric {metric.name!r}: {wrong}")
        return self

    def identity_of(self, metric: Metric) -> Identity | None:
        """A metric's own identity, else the template's; a value may have None."""
        return metric.identity or self.identity

    def arguments(self, given_values: dict[str, str]) -> dict[str, str]:
        """Values of `${args.*}` by variable name (`args.x`), defaults filled in.

        Raises
        ------
        ValueError
            An argument is missing, or is not declared by this template.
        """
        declared = {argument.name: argument.default for argument in self.args}
        if stray := sorted(given_values.keys() - declared.keys()):
            raise ValueError(f"argument {stray[0]!r} is not one of the template's: {', '.join(declared) or 'none'}")
        values = {name: given_values.get(name, default) for name, default in declared.items()}
        if missing := [name for name, value in values.items() if value is None]:
            raise ValueError(f"argument {missing[0]!r} has no default: give it under args")
        return {f"{ARGUMENT_PREFIX}{name}": value for name, value in values.items() if value is not None}


def _identity_texts(identity: Identity | None) -> tuple[str, ...]:
    if identity is None:
        return ()
    return tuple(text for label in identity.labels for text in (label.stable_text, label.canary_text))


class AnalysisTemplate(SpecModel):
    """Metrics that Rollouts of the same namespace may name."""

    api_version: Literal["canary.delivery/v1alpha1"] = API_VERSION
    kind: Literal["AnalysisTemplate"] = "AnalysisTemplate"
    metadata: ObjectMeta
    spec: AnalysisTemplateSpec
    """Metrics that are judged together."""


class ClusterAnalysisTemplate(SpecModel):
    """Metrics that Rollouts of every namespace may name."""

    api_version: Literal["canary.delivery/v1alpha1"] = API_VERSION
    kind: Literal["ClusterAnalysisTemplate"] = "ClusterAnalysisTemplate"
    metadata: ObjectMeta
    spec: AnalysisTemplateSpec
    """Metrics that are judged together."""


Template = AnalysisTemplate | ClusterAnalysisTemplate
