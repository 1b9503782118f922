"""A release whose Deployment no longer says its candidate: superseded, cancelled, or rolled back."""

from __future__ import annotations

from dataclasses import replace

from canary.core.phases import Phase, Stage
from canary.core.scope import Scope, begin, end, without_rejection
from canary.core.state import State


def left_for(scope: Scope) -> State | None:
    """Return the state to go to when the Deployment no longer says the candidate; None while it does."""
    workload, state = scope.observed.workload, scope.state
    if workload is None:
        ended = end(scope, "Cancelled", "The Deployment was deleted in mid-release.")
        return replace(ended, phase=Phase.PENDING, stable=None, stalled=True, reason="WorkloadNotFound")
    if workload.revision.template_hash == scope.release.candidate.template_hash:
        return _retried(scope)
    bad = state.phase in (Phase.ROLLING_BACK, Phase.REVERTING, Phase.AWAITING_GIT)
    if scope.at_stable:
        revert = scope.release.revert
        message = f"{revert.message} " if revert is not None and revert.commit else ""
        message += "The Deployment says the stable version again."
        return end(scope, "RolledBack" if bad else "Cancelled", message)
    ended = end(scope, "RolledBack" if bad else "Superseded", "A newer version came.")
    return begin(scope, ended) if workload.held else ended


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


def never_let_go(scope: Scope) -> bool:
    """Return whether a newer template came before the Deployment was let go, so that nothing rolled."""
    workload, rolled = scope.workload, scope.candidate_set
    if (
        scope.release.stage is not Stage.REPLACE
        or workload.revision.template_hash == scope.release.candidate.template_hash
    ):
        return False
    return rolled is None or rolled.replicas == 0
