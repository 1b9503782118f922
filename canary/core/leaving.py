"""A release whose Deployment no longer says its candidate: superseded, cancelled, or rolled back."""

from __future__ import annotations

from dataclasses import replace

from canary.core.phases import Phase, Stage
from canary.core.scope import Scope, begin, end, enter, without_rejection
from canary.core.sentences import sentences
from canary.core.state import State


def left_for(scope: Scope) -> State | None:
    """Return the state to go to when the Deployment no longer says the candidate; None while it does."""
    workload, state = scope.observed.workload, scope.state
    if workload is None:
        ended = end(scope, "Cancelled", "The Deployment was deleted in mid-release.")
        return replace(ended, phase=Phase.PENDING, stable=None, stalled=True, reason="WorkloadNotFound")
    if workload.revision.template_hash == scope.release.candidate.template_hash:
        return _let_go_by_hand(scope) or _retried(scope)
    bad = state.phase in (Phase.ROLLING_BACK, Phase.REVERTING, Phase.AWAITING_GIT)
    if scope.at_stable:
        reverted = scope.reverted.message if scope.reverted else ""
        message = sentences(reverted, "The Deployment says the stable version again.")
        return end(scope, "RolledBack" if bad else "Cancelled", message)
    ended = end(scope, "RolledBack" if bad else "Superseded", "A newer version came.")
    if state.stable is None:  # the first version was refused: this one is seen for the first time
        return replace(ended, phase=Phase.PENDING)
    return begin(scope, ended) if workload.held else ended


def _let_go_by_hand(scope: Scope) -> State | None:
    """Return the state in which a Deployment rolls to a version that nobody judged; it is adopted when it has."""
    if not scope.rolls_by_itself:
        return None
    ended = end(scope, "Cancelled", "The hold was taken off by hand: the Deployment rolls without being judged.")
    return replace(ended, reason="LetGoByHand")


def _retried(scope: Scope) -> State | None:
    """Return a new attempt at the same candidate when somebody asked to retry it after it was rejected."""
    release, state = scope.release, scope.state
    waiting = state.phase is Phase.AWAITING_GIT or bool(release.blocked)
    if not waiting or scope.observed.commands.retry != release.id:
        return None
    ended = (
        end(scope, "RolledBack", "Retried by `canary retry`.") if release.verdict_at else replace(state, release=None)
    )
    forgotten = replace(ended, rejected=without_rejection(state.rejected, release.candidate))
    return begin(scope, forgotten, retried=True)


def rolled_to_another(scope: Scope) -> State | None:
    """Return what follows when the Deployment, let go for the candidate, was made to roll to another version by hand.

    The canary carries the traffic again until that roll is done; then what serves is stable.
    """
    if not scope.rolls_by_itself or scope.release.stage is Stage.CLEANUP:
        return None
    if scope.workload.rolled_out:
        message = "Another version was let go by hand while this one was promoted."
        return end(scope, "Cancelled", message, stable=scope.workload.revision)
    if scope.release.stage is Stage.REPLACE:
        return None
    message = "The Deployment rolls to another version, let go by hand; the canary takes all traffic until it is done."
    return enter(
        scope, Phase.PROMOTING, stage=Stage.REPLACE, step=scope.release.step, reason="Promoting", message=message
    )


def never_let_go(scope: Scope) -> bool:
    """Return whether a newer template came before the Deployment was let go, so that nothing rolled."""
    workload, rolled = scope.workload, scope.candidate_set
    if (
        scope.release.stage is not Stage.REPLACE
        or workload.revision.template_hash == scope.release.candidate.template_hash
    ):
        return False
    return rolled is None or rolled.replicas == 0
