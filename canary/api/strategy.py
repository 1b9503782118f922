"""How a release goes: steps of weight and approval, and what they are when nothing is said."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, model_validator

from canary.api.duration import Duration
from canary.api.model import SpecModel, exactly_one, given, rules
from canary.api.traffic import Unserved


@dataclass(frozen=True, slots=True)
class WeightStep:
    """A step with every default filled in: this share, watched this long."""

    weight_percent: int
    at_least_seconds: int
    """The step does not end well before this."""
    at_most_seconds: int
    """By then the step ends if enough was measured and nothing speaks against the canary; else
    `analysis.onInconclusive` decides."""


@dataclass(frozen=True, slots=True)
class ApprovalStep:
    """A step that waits for a person, at the weight of the step before."""


EffectiveStep = WeightStep | ApprovalStep

DEFAULT_STEPS: Final[tuple[EffectiveStep, ...]] = (
    WeightStep(1, at_least_seconds=30, at_most_seconds=300),
    WeightStep(10, at_least_seconds=60, at_most_seconds=600),
    WeightStep(50, at_least_seconds=60, at_most_seconds=600),
)
"""1 % shows what breaks at once and hurts few; 10 % gives the evidence; 50 % shows what only load shows."""
DEFAULT_BAKE: Final = Duration("10m")
DEFAULT_AT_LEAST_SECONDS: Final = 60
AT_MOST_PER_AT_LEAST: Final = 10
"""A step may wait ten times its shortest watch for a verdict: enough for weak evidence. Arbitrary."""


class Approval(SpecModel):
    """Waits for `canary approve`. Has no settings."""


_EITHER: Final = "a step is either a weight (with atLeast and atMost) or an approval"
_TIMES_NEED_WEIGHT: Final = "atLeast and atMost belong to a step with a weight"
_ORDER: Final = "atLeast must not be longer than atMost"


class Step(SpecModel):
    """One step: either `{weight, atLeast, atMost}` or `{approval: {}}`."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (exactly_one("weight", "approval"), _EITHER),
            ("has(self.weight) || !(has(self.atLeast) || has(self.atMost))", _TIMES_NEED_WEIGHT),
            ("!has(self.atLeast) || !has(self.atMost) || duration(self.atLeast) <= duration(self.atMost)", _ORDER),
        )
    )

    weight: Annotated[int, Field(ge=1, le=99, strict=True)] | None = None
    """Share of requests for the canary in percent, 1 to 99; each weight above the one before. 100 % comes with the
    promotion and is not written."""
    at_least: Duration | None = None
    """The step is watched at least this long, also when the evidence is good earlier. Absent: 1m, or atMost when that
    is shorter."""
    at_most: Duration | None = None
    """By then the step ends if enough was measured and nothing speaks against the canary; else analysis.onInconclusive
    decides. Absent: ten times atLeast."""
    approval: Approval | None = None
    """Waits for `canary approve`, at the weight of the step before. Written as `approval: {}`."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(given(self, "weight", "approval")) != 1:
            raise ValueError(_EITHER)
        if self.weight is None and given(self, "at_least", "at_most"):
            raise ValueError(_TIMES_NEED_WEIGHT)
        if self.at_least and self.at_most and self.at_least.seconds > self.at_most.seconds:
            raise ValueError(_ORDER)
        return self

    def effective(self) -> EffectiveStep:
        """The step with its defaults filled in."""
        if self.weight is None:
            return ApprovalStep()
        at_most = self.at_most.seconds if self.at_most else None
        at_least = self.at_least.seconds if self.at_least else min(DEFAULT_AT_LEAST_SECONDS, at_most or 3600)
        return WeightStep(self.weight, at_least, at_most or at_least * AT_MOST_PER_AT_LEAST)


_WEIGHTS: Final = "self.steps.filter(step, has(step.weight)).map(step, step.weight)"
_RISING_RULE: Final = (
    f"!has(self.steps) || ({_WEIGHTS}.isSorted() && self.steps.all(step, !has(step.weight) || "
    "self.steps.exists_one(other, has(other.weight) && other.weight == step.weight)))"
)
_RISING: Final = "weights must rise from step to step"
_SOME_WEIGHT: Final = "steps need at least one weight; without, a release would go from 0 to 100 % at once"


class CanaryStrategy(SpecModel):
    """Rising shares of real traffic, each watched."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (_RISING_RULE, _RISING),
            ("!has(self.steps) || self.steps.exists(step, has(step.weight))", _SOME_WEIGHT),
        )
    )

    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=16)] | None = None
    """The steps in order. Absent: 1 % for 30s to 5m, 10 % for 1m to 10m, 50 % for 1m to 10m."""
    bake: Duration | None = None
    """How long the canary is watched at 100 % before the stable version is replaced: until then, going back is one
    change of traffic. Absent: 10m."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.steps is None:
            return self
        weights = [step.weight for step in self.steps if step.weight is not None]
        if not weights:
            raise ValueError(_SOME_WEIGHT)
        for lower, higher in pairwise(weights):
            if higher <= lower:
                raise ValueError(f"{_RISING}: {higher} does not follow {lower}")
        return self


STRATEGIES: Final = {
    "canary": "canary",
    "blue_green": "blueGreen",
    "experiment": "experiment",
    "mirror": "mirror",
}
_ONE_STRATEGY: Final = "give exactly one strategy: canary, blueGreen, experiment or mirror"


class Strategy(SpecModel):
    """How a release goes: exactly one key."""

    model_config = ConfigDict(json_schema_extra=rules((exactly_one(*STRATEGIES.values()), _ONE_STRATEGY)))

    canary: CanaryStrategy | None = None
    """Rising shares of traffic."""
    blue_green: Unserved | None = None
    """All traffic at once, after a test without users. Not served yet."""
    experiment: Unserved | None = None
    """Requests with a certain header or cookie go to the canary. Not served yet."""
    mirror: Unserved | None = None
    """A copy of requests goes to the canary; its answers are dropped. Not served yet."""

    @model_validator(mode="after")
    def _one_strategy(self) -> Self:
        if len(given(self, *STRATEGIES)) != 1:
            raise ValueError(_ONE_STRATEGY)
        return self
