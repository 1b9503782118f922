"""A Rollout's strategy with every default filled in: what `decide()` reads of the spec."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class OnInconclusive(StrEnum):
    """What happens when a step has lasted as long as it may and the judges cannot say."""

    HOLD = "hold"
    PROMOTE = "promote"
    ROLL_BACK = "rollBack"


@dataclass(frozen=True, slots=True)
class WeightStep:
    """A share of traffic, and how long it is watched."""

    weight: int
    at_least_seconds: float
    at_most_seconds: float


@dataclass(frozen=True, slots=True)
class ApprovalStep:
    """A wait for `canary approve`, at the weight of the step before."""


Step: TypeAlias = WeightStep | ApprovalStep


@dataclass(frozen=True, slots=True)
class Plan:
    """How a release of this Rollout runs."""

    name: str
    """Of the Rollout."""
    steps: tuple[Step, ...]
    bake_seconds: float
    on_inconclusive: OnInconclusive = OnInconclusive.HOLD
    no_data_after_seconds: float = 120.0
    progress_deadline_seconds: float = 600.0
    """In which the canary must become ready, and in which a roll must finish, before it is called stuck."""
    revert: bool = True
    """Whether the commit is reverted in Git."""
    has_analysis: bool = True
    workload: str = ""
    """Name of the Deployment; for messages, as are the next two."""
    service: str = ""
    route: str = ""
    """Of the HTTPRoute in Git; empty: Canary makes it."""
    return_weights: tuple[int, ...] = (90, 50, 0)
    """The canary's weights while traffic comes back to the Deployment's new pods: a tenth shows what cold pods do."""
    return_seconds: float = 10.0
    """How long each of them is watched."""
    drain_seconds: float = 5.0
    """Between weight 0 in force and the canary's end: requests in flight finish."""
    settle_seconds: float = 2.0
    """Between endpoints in the API and traffic to them: gateways learn of addresses later than the API tells."""

    def weight_at(self, step: int) -> int:
        """Return the weight in percent that a step asks for; an approval keeps the weight before it."""
        for s in reversed(self.steps[: step + 1]):
            if isinstance(s, WeightStep):
                return s.weight
        return 0
