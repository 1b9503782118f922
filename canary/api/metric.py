"""One metric of a template: what is counted or asked for, and its judge."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, model_validator

from canary.api.decimals import Number
from canary.api.duration import Duration
from canary.api.identity import Identity
from canary.api.judges import BurnRate, Compare, Custom, Threshold
from canary.api.language import Language
from canary.api.model import SpecModel, exactly_one, given, rules
from canary.api.text import Expression, Label, Line

DEFAULT_SOURCE: Final = "default"
DEFAULT_INTERVAL: Final = Duration("10s")

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
    """Durations or sizes in a Prometheus histogram: events above a bound, of all events."""

    buckets: Selector
    """Instant selector of the `_bucket` series, for example `http_request_duration_seconds_bucket{handler="/pay"}`; no
    function, no range, no `le`; or of native histograms: the name without `_bucket`. Identity's labels are added to it,
    so leave them out."""
    bound: Number
    """The service level objective, in the histogram's unit (seconds, as a rule), in quotes: one of its buckets; of a
    native histogram the nearest boundary is taken. What is above it is bad. compare looks at the other buckets, too;
    threshold's min and max are shares above this bound."""


class Value(SpecModel):
    """Any number that PromQL gives, for the canary."""

    query: Expression
    """PromQL for an instant vector or a scalar, or what `language` says: the canary's value. With variables, which
    stand inside label values (`{pod_template_hash="${canaryHash}"}`), it is asked once for each Rollout and gives one
    sample. Without variables and with an identity it is asked once for all Rollouts, keeps identity's labels (`max by
    (namespace, pod_template_hash) (...)`), and the canary's sample is taken from the answer by them."""
    stable_query: Expression | None = None
    """The same for stable's value, one sample, for `compare`. Absent: `query` has no variables, and stable's sample is
    taken from its answer by identity's labels."""
    language: Language = Language.PROMQL
    """What the query is written in; the source has to take it, see docs/metric-sources.md. Absent: promql."""


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
_NO_EVENTS: Final = "a value is judged by threshold or compare; burnRate needs a counter's or histogram's events"


class Metric(SpecModel):
    """One measure and its judge."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (exactly_one(*KINDS.values()), _ONE_KIND),
            (exactly_one(*JUDGES.values()), _ONE_JUDGE),
            ("!has(self.value) || !has(self.burnRate)", _NO_EVENTS),
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
    """Durations or sizes above a bound. Exactly one of counter, histogram, value."""
    value: Value | None = None
    """Any PromQL. Exactly one of counter, histogram, value."""
    compare: Compare | None = None
    """Judge: the canary against stable. Exactly one judge; all defaults are `compare: {}`."""
    threshold: Threshold | None = None
    """Judge: the canary against fixed bounds. Exactly one judge."""
    burn_rate: BurnRate | None = None
    """Judge: how fast the canary spends an error budget; needs a counter or histogram."""
    custom: Custom | None = None
    """Judge: a team's own."""

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if len(given(self, *KINDS)) != 1:
            raise ValueError(_ONE_KIND)
        if len(given(self, *JUDGES)) != 1:
            raise ValueError(_ONE_JUDGE)
        if self.value is not None and self.burn_rate is not None:
            raise ValueError(_NO_EVENTS)
        return self

    @property
    def critical(self) -> bool:
        """Whether a failure rolls back."""
        return self.severity is Severity.CRITICAL

    def texts(self) -> tuple[str, ...]:
        """Every PromQL text in which variables may stand, identity's left out."""
        parts = (
            self.counter and (self.counter.bad, self.counter.total),
            self.histogram and (self.histogram.buckets,),
            self.value and tuple(text for text in (self.value.query, self.value.stable_query) if text),
        )
        return tuple(text for part in parts if part for text in part)
