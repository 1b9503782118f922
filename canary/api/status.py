"""What the operator writes on a Rollout: its log of intent, and what people and other programs read.

Times are absolute. Nothing here is a cache of what can be read from the cluster.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from canary.api.conditions import Condition
from canary.api.model import StatusModel
from canary.api.phases import Phase, Stage
from canary.api.text import Hash, KeyedBy, Line, Message

Percent = Annotated[int, Field(ge=0, le=100)]


class Outcome(StrEnum):
    """How a release ended."""

    PROMOTED = "Promoted"
    ROLLED_BACK = "RolledBack"
    SUPERSEDED = "Superseded"
    """A newer version came first."""
    CANCELLED = "Cancelled"
    """Git went back to the stable version first, or the Rollout or its Deployment was deleted."""


class Revision(StatusModel):
    """A version of the workload."""

    template_hash: Hash
    """Canary's hash of the whole pod template."""
    version_hash: Hash = ""
    """Canary's hash without labels, annotations and restartedAt: the same version has the same."""
    pod_template_hash: Hash = ""
    """Kubernetes' label of the ReplicaSet that runs it. Empty: no ReplicaSet has it yet."""
    images: Annotated[tuple[Annotated[str, Field(max_length=512)], ...], Field(max_length=32)] = ()
    """Images of its containers, in order."""
    commit: Hash = ""
    """Git commit that the engine had applied when it came. Empty: not from Git, or not known."""
    author: Line | None = None
    """Author of that commit."""


class ReleaseStatus(StatusModel):
    """The release that runs."""

    id: Hash
    """Names the release in labels, approvals and reports."""
    started_at: datetime
    """When the new version was first seen."""
    attempt: Annotated[int, Field(ge=1)] = 1
    """Number of this release, counted over all that this Rollout ever had."""
    step: Annotated[int, Field(ge=0, le=64)] = 0
    """Index of the last step that it came to, from 0."""
    since: datetime | None = None
    """When the present phase, step or stage of the promotion began."""
    step_started_at: datetime | None = None
    """When the weight of this step was first in force. Absent: not yet."""
    analysis_since: datetime | None = None
    """The first instant whose samples count. Absent: the canary had no traffic yet."""
    unready_since: datetime | None = None
    """Since when the canary has fewer ready pods than its weight needs. Absent: it has enough."""
    return_step: Annotated[int, Field(ge=0, le=64)] = 0
    """Which of the weights of the return traffic is at, from 0."""
    blocked: Annotated[str, Field(max_length=64)] = ""
    """Why it does not start by itself, in one word: Rejected, PausedByOwner. Empty: it may."""
    verdict_at: datetime | None = None
    """When it was judged bad, or aborted: the revert commit's date, so that each attempt makes the same commit.
    Absent: it was not."""
    verdict_reason: Annotated[str, Field(max_length=64)] = ""
    """Why, in one word."""
    report: Message = ""
    """The report of that verdict, as it is told in the revert's message; its first paragraph is a sentence."""
    no_data_since: datetime | None = None
    """Since when a metric has had no data. Absent: all have."""
    approved_by: Line | None = None
    """Who approved the last approval step."""


class SideReport(StatusModel):
    """What was counted on one side."""

    requests: Annotated[int, Field(ge=0)]
    """All of them."""
    bad: Annotated[int, Field(ge=0)]
    """Those of them that were bad."""


Hundredths = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]
"""A power of ten, times 100: 200 is 100 to 1."""


class EvidenceReport(StatusModel):
    """Evidence of a judge that compares: powers of ten, in hundredths (200 is 100 to 1, -200 is 1 to 100)."""

    against: Hundredths
    """Against the canary."""
    in_favour: Hundredths
    """For it."""
    fails_at: Hundredths
    """Evidence against it at which the metric fails."""
    since: datetime
    """When the judging began."""
    every_seconds: Annotated[int, Field(ge=1)]
    """Distance of the values in `course`; it doubles when there are too many."""
    course: Annotated[tuple[Hundredths, ...], Field(max_length=32)] = ()
    """How evidence against it went, the first value `everySeconds` after `since`."""


class MetricReport(StatusModel):
    """One metric in the latest report."""

    name: Annotated[str, Field(max_length=128)]
    """`template/metric`."""
    verdict: Annotated[str, Field(max_length=32)]
    """pass, fail, inconclusive, noData or error."""
    message: Message = ""
    """What was measured, against what."""
    reason: Annotated[str, Field(max_length=64)] = ""
    """Why, in one word: EvidenceAgainst, NotEnoughData, ..."""
    canary: SideReport | None = None
    """What was counted on the canary. Absent: the judge does not count requests."""
    stable: SideReport | None = None
    """What was counted on stable. Absent: the judge does not count requests."""
    evidence: EvidenceReport | None = None
    """How strong the evidence is, and how it went. Absent: the judge does not compare."""


class ReportBrief(StatusModel):
    """The latest report."""

    verdict: Annotated[str, Field(max_length=32)]
    """pass, fail, inconclusive, noData or error: that of the worst metric."""
    at: datetime
    """When it was said."""
    message: Message = ""
    """What was measured, against what, and what to do next."""
    details: Message = ""
    """The whole report: both sides with intervals, the evidence's course, what would have changed the verdict."""
    metrics: Annotated[tuple[MetricReport, ...], Field(max_length=64)] = ()
    """One line for each metric."""


class RevertMode(StrEnum):
    """How the commit was taken back."""

    PUSH = "push"
    PULL_REQUEST = "pullRequest"
    NONE = "none"
    """Not at all; `reason` says why."""


class RevertStatus(StatusModel):
    """The revert of a failed version in Git."""

    key: Annotated[str, Field(max_length=256)] = ""
    """Names the revert: repository, branch and culprits. The same failure has the same key, so it is done once."""
    mode: RevertMode = RevertMode.PUSH
    """How the commit was taken back."""
    commit: Hash = ""
    """The revert's commit. Empty: not pushed yet."""
    pull_request: Annotated[str, Field(max_length=512)] | None = None
    """Address of the pull request."""
    culprits: Annotated[tuple[Hash, ...], Field(max_length=64)] = ()
    """Commits that were reverted."""
    reason: Annotated[str, Field(max_length=64)] = ""
    """What became of it, in one word: Reverted, NotFromGit, NeedsPullRequest, GitUnavailable, ..."""
    message: Message = ""
    """The same in a sentence."""
    final: bool = True
    """Whether no further try is made."""
    at: datetime | None = None
    """When this was said."""
    verdict_at: datetime | None = None
    """The verdict's time: the revert commit's date, so that each attempt makes the same commit."""
    attempts: Annotated[int, Field(ge=0)] = 0
    """Failed attempts so far, for the backoff."""
    next_attempt_at: datetime | None = None
    """When it is tried again. Absent: it need not be."""


class RejectedVersion(StatusModel):
    """A version that was rolled back and is refused when it comes again."""

    version_hash: Hash
    """What it is recognised by."""
    template_hash: Hash = ""
    """The template that was judged."""
    at: datetime
    """When it was rejected."""
    commit: Hash = ""
    """Git commit that brought it."""
    reason: Message = ""
    """Why."""
    images: Annotated[tuple[Annotated[str, Field(max_length=512)], ...], Field(max_length=32)] = ()
    """What it ran; by these a Deployment that is made anew with it is held."""


class PastRelease(StatusModel):
    """A release that ended."""

    id: Hash
    """The release's id."""
    outcome: Outcome
    """How it ended."""
    started_at: datetime
    """When it began."""
    ended_at: datetime
    """When it ended."""
    template_hash: Hash = ""
    """Canary's hash of its pod template."""
    images: Annotated[tuple[Annotated[str, Field(max_length=512)], ...], Field(max_length=32)] = ()
    """Images of its containers."""
    commit: Hash = ""
    """Git commit that brought it."""
    revert_commit: Hash = ""
    """Git commit that took it back. Empty: none."""
    message: Message = ""
    """Why it ended so."""


class PauseStatus(StatusModel):
    """A pause by a person."""

    by: Line
    """Who."""
    at: datetime
    """Since when."""


class RolloutStatus(StatusModel):
    """What the operator knows and intends."""

    observed_generation: Annotated[int, Field(ge=0)] = 0
    """The spec's generation that this status is about. 0: none yet."""
    phase: Phase | None = None
    """Where the Rollout is. Absent: not seen by the operator yet."""
    reason: Annotated[str, Field(max_length=64)] = ""
    """Why it is there, in one CamelCase word; the same as in the conditions."""
    message: Message = ""
    """What is going on and what to do next, in a sentence."""
    stalled: bool = False
    """Whether nothing moves until somebody acts."""
    attempts: Annotated[int, Field(ge=0)] = 0
    """Releases ever started here."""
    drained_since: datetime | None = None
    """Since when no traffic has been sent to a canary that still exists. Absent: it gets some, or does not exist."""
    step: Annotated[int, Field(ge=0, le=64)] | None = None
    """Index of the step that is watched, from 0. Absent: no step is."""
    steps: Annotated[int, Field(ge=0, le=64)] | None = None
    """How many steps the release has."""
    promotion: Stage | None = None
    """Where the promotion is. Absent: none runs."""
    weight_wanted: Percent = 0
    """Share of requests for the canary that was asked for, in percent."""
    weight: Percent = 0
    """Share in force, as the gateway accepted it, in percent."""
    stable: Revision | None = None
    """The version that serves. Absent: not adopted yet."""
    candidate: Revision | None = None
    """The version that is tried or waits. Absent: none."""
    release: ReleaseStatus | None = None
    """The release that runs. Absent: none."""
    paused: PauseStatus | None = None
    """Present while somebody has paused the release."""
    report: ReportBrief | None = None
    """The latest report; `canary why` shows it."""
    revert: RevertStatus | None = None
    """The latest revert."""
    rejected: Annotated[tuple[RejectedVersion, ...], Field(max_length=50)] = ()
    """Versions that are refused, newest first."""
    history: Annotated[tuple[PastRelease, ...], Field(max_length=10)] = ()
    """The last ten releases, newest first."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=8), KeyedBy("type")] = ()
    """Ready, Reconciling and Stalled, as kstatus defines them."""
