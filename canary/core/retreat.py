"""A release that was judged bad: traffic to zero, then Git, then patience until the Deployment follows."""

from __future__ import annotations

from dataclasses import replace

from canary.analysis.report import record
from canary.core.judging import Bad, verdict_of
from canary.core.phases import Phase, Stage
from canary.core.scope import Scope, enter, stay, without_rejection
from canary.core.sentences import sentences
from canary.core.state import REJECTED_LENGTH, Rejected, State

GATEWAY_PATIENCE_SECONDS = 10.0
"""How long a roll-back waits for the gateway to confirm weight 0 before it reverts in Git all the same."""


def roll_back(scope: Scope, bad: Bad, *, stage: Stage | None = None) -> State:
    """Return the state in which the candidate is judged bad: its version is rejected, its traffic goes to zero.

    With `Stage.UNDO` stable is brought back to full size before.
    """
    release = scope.release
    verdict = verdict_of(scope)
    report = record(verdict) if verdict is not None and bad.reason == "AnalysisFailed" else bad.message
    rejected = Rejected(
        template_hash=release.candidate.template_hash,
        version_hash=release.candidate.version_hash,
        at=scope.now,
        commit=release.candidate.commit,
        reason=bad.reason,
        images=release.candidate.images,
    )
    message = bad.message
    if stage is Stage.UNDO:
        rolls = "The Deployment rolls already: it is held again, and stable gets its traffic when it is back."
        message = sentences(message, rolls)
    known = without_rejection(scope.state.rejected, release.candidate)
    state = enter(scope, Phase.ROLLING_BACK, stage=stage, step=release.step, reason=bad.reason, message=message)
    # Milliseconds, as status keeps them: the date of a commit that has to have one SHA is derived from it.
    state = state.with_release(verdict_at=round(scope.now, 3), verdict_reason=bad.reason, report=report)
    return replace(state, rejected=(rejected, *known)[:REJECTED_LENGTH])


def rolling_back(scope: Scope) -> State:
    """Wait for weight 0 in force, but not for ever: the commit is bad whatever the gateway says."""
    traffic = scope.observed.traffic
    gone = traffic is None or (traffic.weight in (None, 0) and traffic.in_force)
    if not gone and (traffic is None or traffic.weight or scope.elapsed < GATEWAY_PATIENCE_SECONDS):
        return scope.state
    return enter(
        scope,
        Phase.REVERTING,
        step=scope.release.step,
        reason=scope.release.verdict_reason,
        message=sentences(scope.release.brief, "The canary has no traffic; its commit is being reverted."),
    )


def reverting(scope: Scope) -> State:
    """Take in what the Git worker answered."""
    revert = scope.observed.revert
    if not scope.plan.revert:
        stays = "The Deployment stays held until Git says another version (rollback.git.mode: off)."
        message = sentences(scope.release.brief, stays)
        return enter(scope, Phase.AWAITING_GIT, step=scope.release.step, reason="RevertOff", message=message)
    if revert is None or revert == scope.release.revert:
        return scope.state
    state = scope.state.with_release(revert=revert)
    if not revert.final:
        return stay(state, revert.reason, f"Not reverted yet, and tried again: {revert.message}", stalled=True)
    scope = replace(scope, state=state)
    entered = enter(
        scope,
        Phase.AWAITING_GIT,
        step=scope.release.step,
        reason=revert.reason,
        message=sentences(scope.release.brief, revert.message),
    )
    return replace(entered, stalled=not revert.commit)
