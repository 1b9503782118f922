"""What the small world is made of: plans, pods, a pass under way, and what is raised in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from typing_extensions import override

from canary.core import effects as fx
from canary.core.observed import Observed
from canary.core.plan import ApprovalStep, Plan, WeightStep
from canary.core.state import Revision

PLAN = Plan(
    name="checkout",
    steps=(WeightStep(5, 10, 60), WeightStep(50, 10, 60)),
    bake_seconds=20,
)
APPROVAL_PLAN = replace(PLAN, steps=(WeightStep(5, 10, 60), ApprovalStep()))
HALF_AT_ONCE = replace(PLAN, steps=(WeightStep(50, 10, 60),))
UNJUDGED = replace(PLAN, has_analysis=False)


class Violated(AssertionError):
    """A promise does not hold: its name, and what was seen."""

    def __init__(self, promise: str, what: str) -> None:
        super().__init__(promise, what)
        self.promise = promise
        self.what = what

    @override
    def __str__(self) -> str:
        return f"{self.promise}: {self.what}"


class Refused(Exception):
    """The API server takes a write not (gone, changed since): the pass ends, and the next one looks again."""


def revision(version: str) -> Revision:
    return Revision(
        template_hash=f"t-{version}", version_hash=f"v-{version.rstrip('+')}", images=(f"shop/checkout:{version}",)
    )


@dataclass(slots=True)
class Pods:
    replicas: int = 0
    ready: int = 0


@dataclass(slots=True)
class Copy:
    release: str
    version: str
    pods: Pods
    deleting: bool = False


class Pass(NamedTuple):
    """What an operator does after one look."""

    effects: tuple[fx.Effect, ...]
    """Those that are left to do."""
    rollout_rv: int
    """The Rollout's resourceVersion as it knows it: each of its own writes tells it the next."""
    canary: str = ""
    """The release of the canary copy that it saw."""
    ready: int = 0
    """How many ready pods it saw of that."""
    wanted: int = 0
    """How many pods it saw the Deployment want."""
    stale: bool = False
    """Whether somebody has written since the look."""
    late: bool = False
    """Whether another leads by now."""
    run: Any = None
    """What the operator's own code works on, in the world that has objects."""

    @classmethod
    def of(cls, effects: tuple[fx.Effect, ...], seen: Observed, rollout_rv: int) -> Pass:
        """The pass that begins with a look."""
        copy = seen.copy
        wanted = seen.workload.replicas if seen.workload is not None else 0
        there = copy is not None and not copy.deleting
        return cls(
            effects, rollout_rv, copy.release if copy and there else "", copy.ready if copy and there else 0, wanted
        )
