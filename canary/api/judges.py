"""The judges of a metric, as a template names them; the statistics are in `canary/analysis`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, model_validator

from canary.api.decimals import Alpha, Factor, Number, Percentage, ToleratedRatio
from canary.api.duration import Duration
from canary.api.model import SpecModel, rules
from canary.api.text import Identifier, Label

DEFAULT_TOLERATED_RATIO: Final = ToleratedRatio("1.5")
DEFAULT_WINDOW: Final = Duration("1m")
DEFAULT_CONSECUTIVE: Final = 3
DEFAULT_PASS_AFTER: Final = 3
DEFAULT_MIN_COUNT: Final = 50
DEFAULT_WARM_UP: Final = Duration("30s")


class Direction(StrEnum):
    """Which difference is bad."""

    INCREASE = "increase"
    """More bad events than toleratedRatio times stable's."""
    DECREASE = "decrease"
    """Fewer than stable's over toleratedRatio."""
    EITHER = "either"
    """One of the two; each has half of alpha."""


class Against(StrEnum):
    """What the canary is compared with."""

    STABLE = "stable"
    """The version that serves, at the same time."""
    BASELINE = "baseline"
    """New pods of the stable version, as many as the canary's. Not served yet."""
    HISTORY = "history"
    """Stable as it was at the same time a week before."""


class Compare(SpecModel):
    """Sequential test of the canary's rate against stable's; it may look at any time without more false alarms."""

    tolerated_ratio: ToleratedRatio = DEFAULT_TOLERATED_RATIO
    """The canary's rate of bad events may be this many times stable's, in quotes. Absent: "1.5", because pods of the
    same version differ by about that much."""
    direction: Direction = Direction.INCREASE
    """Which difference is bad: increase, decrease (the counter's `bad` events are wanted ones, as orders; fewer than
    stable's over toleratedRatio fail) or either, with half of alpha for each. Absent: increase."""
    against: Against = Against.STABLE
    """What the canary is compared with: stable; or history, stable's series at the same time a week before, for jobs
    that do not run beside the canary: identity must tell them by labels that stable had then, not by a hash. Absent:
    stable. baseline is not served yet."""
    min_count: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] = DEFAULT_MIN_COUNT
    """With fewer events of the canary's warm pods the metric does not pass; it may fail at any count. Of a value, three
    minutes' values are needed instead. Absent: 50."""
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


_SHORTER: Final = "short must not be longer than long"


class BurnWindow(SpecModel):
    """A long and a short window that must both burn too fast."""

    model_config = ConfigDict(json_schema_extra=rules(("duration(self.short) <= duration(self.long)", _SHORTER)))

    long: Duration
    """The long window: it is enough. Of a younger release, the time since its start."""
    short: Duration
    """The short window: it still happens."""
    factor: Factor
    """How many times faster than the objective allows, in quotes."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.short.seconds > self.long.seconds:
            raise ValueError(_SHORTER)
        return self


class BurnRate(SpecModel):
    """How fast the canary spends the error budget of an objective; needs a counter or a histogram.

    Fails when both windows of a pair burn faster than its factor, with at least 10 bad events in the long one.
    """

    objective: Percentage
    """Share of good events that is promised, in percent, in quotes: "99.9"."""
    windows: Annotated[tuple[BurnWindow, ...], Field(min_length=1, max_length=4)] | None = None
    """Absent: 14.4 times over 1h and 5m, 6 times over 6h and 30m."""


class Custom(SpecModel):
    """A team's own judge: a Python function that is installed beside the operator, as docs/custom-judges.md says."""

    name: Label
    """Name of its entry point in the group canary.judges."""
    params: Annotated[dict[Identifier, Annotated[str, Field(max_length=256)]], Field(max_length=16)] = Field(
        default_factory=dict
    )
    """Its parameters, strings."""
