"""The log of intent: what status remembers of a Rollout, and nothing that can be read elsewhere.

All times are seconds since the epoch, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from canary.core.phases import POINT_OF_NO_RETURN, Phase, Stage


@dataclass(frozen=True, slots=True)
class Revision:
    """One version of the workload's pod template."""

    template_hash: str
    """Ours, over the whole live, defaulted pod template."""
    version_hash: str
    """Ours, over the template without labels and annotations: equal for two templates that run the same thing."""
    images: tuple[str, ...] = ()
    commit: str = ""
    """The Git commit that was applied when this template was first seen; empty when no engine told."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A version that was rolled back and is refused until `canary retry`."""

    template_hash: str
    version_hash: str
    at: float
    commit: str = ""
    reason: str = ""
    images: tuple[str, ...] = ()
    """By these the admission policy holds a Deployment that is created with it; empty when nobody wrote them down."""


@dataclass(frozen=True, slots=True)
class Revert:
    """What became of the Git commit that brought a rejected version."""

    reason: str
    """Reverted, AlreadyReverted, NotFromGit, Superseded, NeedsPullRequest, Off, or the error that is being retried."""
    final: bool
    """Whether no further try is made."""
    commit: str = ""
    """The reverting commit."""
    culprits: tuple[str, ...] = ()
    message: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Release:
    """One attempt to bring one candidate."""

    id: str
    """The first ten characters of the candidate's template hash, a dash and the attempt: a label's value."""
    candidate: Revision
    attempt: int
    held_at: float
    step: int = 0
    """Index into the plan's steps; meaningful in `Phase.STEP`."""
    stage: Stage | None = None
    """Set in `Phase.PROMOTING` only."""
    since: float = 0.0
    """When the present phase, step or stage began."""
    in_force_since: float | None = None
    """When the weight that the present step or stage asks for was first seen in force; None until then."""
    analysis_since: float | None = None
    """The first instant whose samples count: when the canary first had traffic to judge."""
    unready_since: float | None = None
    """Since when the canary has had less ready capacity than its weight needs; None while it has enough."""
    return_step: int = 0
    """Index into the plan's weights of the return."""
    blocked: str = ""
    """Why it does not start by itself: Rejected, PausedByOwner; empty when it may. `canary retry` tries again."""
    verdict_at: float | None = None
    """When the release was judged bad (or aborted): the date of the revert's commit."""
    verdict_reason: str = ""
    report: str = ""
    """The report of the decisive verdict, as it is told in the commit's message; its first paragraph is a sentence."""
    revert: Revert | None = None

    @property
    def brief(self) -> str:
        """The report's first paragraph: what a status' message says of it."""
        return self.report.partition("\n\n")[0]


@dataclass(frozen=True, slots=True)
class Past:
    """A release that ended."""

    id: str
    template_hash: str
    images: tuple[str, ...]
    outcome: str
    """Promoted, RolledBack, Superseded, Cancelled, Adopted."""
    started_at: float
    ended_at: float
    commit: str = ""
    message: str = ""
    revert_commit: str = ""
    """The Git commit that took it back; empty when none did."""


HISTORY_LENGTH = 10
REJECTED_LENGTH = 50


@dataclass(frozen=True, slots=True)
class State:
    """Everything about a Rollout that outlives a restart of the operator."""

    phase: Phase = Phase.PENDING
    stable: Revision | None = None
    release: Release | None = None
    rejected: tuple[Rejected, ...] = ()
    history: tuple[Past, ...] = ()
    drained_since: float | None = None
    """Since when no traffic has been sent to a canary copy that still exists; None while it gets some, or does not
    exist."""
    attempts: int = 0
    """Releases ever started here; makes release ids differ between attempts at the same template."""
    reason: str = ""
    """CamelCase; why the Rollout is where it is. Ends up in a condition."""
    message: str = ""
    """One sentence for people."""
    stalled: bool = False
    """Whether nothing moves until somebody changes something."""

    def with_release(self, **changes: object) -> State:
        """Return the state with fields of its release replaced; a Rollout without a release has none to change."""
        if self.release is None:
            raise ValueError(f"no release in phase {self.phase}")
        return replace(self, release=replace(self.release, **changes))  # type: ignore[arg-type]  # names are checked at run time

    @property
    def undoing(self) -> bool:
        """Whether a roll is being taken back, so that stable may have fewer pods than it needs."""
        release = self.release
        return self.phase is Phase.ROLLING_BACK and release is not None and release.stage is Stage.UNDO

    @property
    def past_the_point_of_no_return(self) -> bool:
        """Whether the Deployment was let go, so that traffic may not go back to stable's old pods."""
        return self.phase is Phase.PROMOTING and self.release is not None and self.release.stage in POINT_OF_NO_RETURN
