"""What is measured and how it is judged, for one release: a template's metric with every argument filled in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from canary.analysis.compare import TOLERATED_RATIO, WARM_UP_SECONDS
from canary.analysis.samples import Track
from canary.api.language import Language

INTERVAL_SECONDS = 10.0
FEWEST_REQUESTS = 50
"""Default least number of the candidate's requests before a look counts as one. Arbitrary: with none bad among 50, the
candidate's bad share is below 6 % with 95 % confidence."""


class Direction(StrEnum):
    """Which difference of the candidate's share of bad requests from stable's is bad."""

    INCREASE = "increase"
    """Above r0 times stable's."""
    DECREASE = "decrease"
    """Below stable's divided by r0."""
    EITHER = "either"
    """One of the two."""


@dataclass(frozen=True, slots=True)
class Compare:
    """Candidate against stable, sequentially: `canary.analysis.compare`."""

    tolerated_ratio: float = TOLERATED_RATIO
    """r0: how many times stable's bad share the candidate's may be."""
    fewest_requests: float = FEWEST_REQUESTS
    """Of the candidate's warm pods, below which neither "pass" nor "nothing found" is said: what came while pods warmed
    up was only looked at for a disaster. Evidence against counts at once."""
    warm_up_seconds: float = WARM_UP_SECONDS
    """After a candidate's pod is ready, in which its requests count only against a tenfold share of bad ones."""
    alpha: float | None = None
    """Chance of a false alarm in one attempt; None: an even share of the attempt's."""
    direction: Direction = Direction.INCREASE
    """Which difference is bad."""
    ago_seconds: float = 0.0
    """How much earlier stable's side was: 0 is at the same time."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """The candidate against fixed bounds: `canary.analysis.threshold`."""

    minimum: float | None = None
    """The metric's own unit; a counter's is the share of bad requests, 0 to 1. None: no lower bound."""
    maximum: float | None = None
    window_seconds: float = 60.0
    """How much time one measurement of a counter covers; an expression has its own ranges."""
    consecutive: int = 3
    """Fails at so many measurements in a row that break a bound."""
    total: int | None = None
    """Fails at so many in the whole attempt; None: no such limit."""
    fewest: int = 3
    """Measurements within the bounds, in a row, before it passes."""


@dataclass(frozen=True, slots=True)
class BurnWindow:
    """A long and a short window that must both burn too fast."""

    long_seconds: float
    short_seconds: float
    factor: float
    """Burn rate above which it is too fast."""


@dataclass(frozen=True, slots=True)
class BurnRate:
    """How fast the candidate spends an error budget: `canary.analysis.burn`."""

    objective: float
    """Share of good requests that is promised, above 0 and below 1."""
    windows: tuple[BurnWindow, ...] = (BurnWindow(3600.0, 300.0, 14.4), BurnWindow(21600.0, 1800.0, 6.0))


@dataclass(frozen=True, slots=True)
class Custom:
    """A team's own judge: `canary.analysis.custom`."""

    name: str
    """Of the entry point."""
    params: tuple[tuple[str, str], ...] = ()


EventJudge = Compare | Threshold | BurnRate | Custom
"""What may judge bad events out of all."""


@dataclass(frozen=True, slots=True)
class CounterMetric:
    """Bad requests out of all, counted on both tracks."""

    name: str
    """`template/metric`."""
    source: str
    bad: str
    """Selector of the raw counters of bad requests, `name{matchers}`, without the tracks' labels."""
    total: str
    """Selector of the raw counters of all requests, likewise."""
    candidate: Track
    """Labels that tell the candidate's series."""
    stable: Track
    """Labels that tell stable's series: the same names."""
    judge: EventJudge
    critical: bool = True
    interval_seconds: float = INTERVAL_SECONDS
    """Distance of looks: the length of one interval."""
    split: str = "pod"
    """The label by which stable is split to measure overdispersion, and by which a pod's warm-up is recognised."""


@dataclass(frozen=True, slots=True)
class HistogramMetric:
    """Requests slower (or larger) than a bound, out of all, counted on both tracks by a histogram's buckets."""

    name: str
    """`template/metric`."""
    source: str
    buckets: str
    """Selector of the raw `_bucket` series, `name{matchers}`, without the tracks' labels and without `le`."""
    bound: float
    """The objective, in the histogram's unit: one of its buckets. What is above it is bad."""
    candidate: Track
    """Labels that tell the candidate's series."""
    stable: Track
    """Labels that tell stable's series: the same names."""
    judge: EventJudge
    critical: bool = True
    interval_seconds: float = INTERVAL_SECONDS
    """Distance of looks: the length of one interval."""
    split: str = "pod"
    """As of a `CounterMetric`."""


@dataclass(frozen=True, slots=True)
class ValueMetric:
    """Any expression with one value."""

    name: str
    source: str
    expression: str
    judge: Threshold | Compare | Custom
    critical: bool = True
    interval_seconds: float = INTERVAL_SECONDS
    """Distance of looks."""
    track: Track = ()
    """Labels by which this release's value is taken from an answer for many; empty: the answer is one value."""
    language: Language = Language.PROMQL
    """What the expression is written in."""
    stable_expression: str = ""
    """Stable's, for `Compare`; may be the same, when `stable` tells the two apart."""
    stable: Track = ()
    """Labels by which stable's value is taken from the answer to it."""
    delay_seconds: float = 0.0
    """How far before an instant the source looks for its value: the first look is that much later, so that nothing from
    before the release counts."""


EventMetric = CounterMetric | HistogramMetric
"""Bad events out of all."""
Metric = CounterMetric | HistogramMetric | ValueMetric
