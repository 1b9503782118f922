"""What the state of a Rollout allows, and how to say where it is in a refusal."""

from __future__ import annotations

from canary.api.names import ANNOTATION_PAUSED
from canary.cli.cluster import Seen
from canary.cli.wording import STAGES
from canary.core.phases import REPLACED, Phase
from canary.core.plan import ApprovalStep

RETREATING = frozenset({Phase.ROLLING_BACK, Phase.REVERTING, Phase.AWAITING_GIT})
"""Phases that only end with the version rejected."""


def awaits_approval(seen: Seen) -> bool:
    """Whether the present step is an approval; by the spec, or by the operator when the spec is not understood."""
    if seen.phase is not Phase.STEP:
        return False
    if seen.step is not None:
        return isinstance(seen.step, ApprovalStep)
    return seen.status.reason == "AwaitingApproval"


def is_refused(seen: Seen) -> bool:
    """Whether a release is held that does not start until somebody asks for it."""
    release = seen.status.release
    return seen.phase is Phase.HELD and release is not None and bool(release.blocked)


def paused_by(seen: Seen) -> str:
    """Return who paused the Rollout and when, as `canary pause` wrote it; empty when it is not paused."""
    return seen.annotations.get(ANNOTATION_PAUSED, "")


def may_be_taken_back(seen: Seen) -> bool:
    """Whether a release runs whose Deployment is not replaced yet."""
    if seen.status.release is None or is_refused(seen):
        return False
    if seen.phase is Phase.PROMOTING:
        return seen.stage not in REPLACED
    return seen.phase in {Phase.HELD, Phase.STARTING, Phase.STEP}


def where(seen: Seen) -> str:
    """Say in half a sentence where a Rollout is."""
    status = seen.status
    match seen.phase:
        case None:
            return "no operator has seen it yet"
        case Phase.PENDING:
            return f"it is not adopted yet: {status.message}".rstrip(": ")
        case Phase.STABLE:
            return "no release runs"
        case Phase.HELD if is_refused(seen):
            return "its new version is refused; `canary retry` tries it again"
        case Phase.HELD:
            return "its release has not started yet"
        case Phase.STARTING:
            return "its canary is starting"
        case Phase.STEP:
            step, steps = (status.step or 0) + 1, status.steps or len(seen.steps)
            return f"it is watched in step {step} of {steps} ({status.weight} %)"
        case Phase.PROMOTING if seen.stage is not None:
            return f"it is being promoted, {STAGES[seen.stage]}"
        case Phase.PROMOTING:
            return "it is being promoted"
        case Phase.ROLLING_BACK | Phase.REVERTING:
            return "it is being rolled back"
        case Phase.AWAITING_GIT:
            return "it was rolled back and waits for Git"
        case Phase.PAUSED:
            return "its Deployment was paused by its owner"
