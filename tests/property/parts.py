"""What the small world is made of: plans, pods, and what is raised in it."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    """An invariant does not hold; the message says which and when."""


class Refused(Exception):
    """The API server takes a write not (gone, changed since): the pass ends, and the next one looks again."""


def revision(version: str) -> Revision:
    return Revision(
        template_hash=f"t-{version}", version_hash=f"v-{version.rstrip('+')}", images=(f"shop/checkout:{version}",)
    )


@dataclass
class Pods:
    replicas: int = 0
    ready: int = 0


@dataclass
class Copy:
    release: str
    version: str
    pods: Pods
    deleting: bool = False
