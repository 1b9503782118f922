"""The first version that is seen of a Deployment: adopted, or refused when it is known to be a rejected one.

Nothing can be compared with it and nothing gone back to, so it is never analysed. What is refused here is held with a
release of its own, which `canary retry` names; pods of it that run already go on, because nothing else would serve.
"""

from __future__ import annotations

from dataclasses import replace

from canary.core.phases import Phase
from canary.core.scope import Scope, begin, end, stay, without_rejection
from canary.core.state import REJECTED_LENGTH, Rejected, Revision, State


def first(scope: Scope) -> State:
    """Adopt the version that serves, let go one that was held for nothing, or refuse one that was rejected before."""
    workload, state = scope.workload, scope.state
    active = workload.active
    if len(active) > 1 and not workload.held:
        return stay(
            state, "Rolling", "Waits for the Deployment's roll to finish before it adopts the version that serves."
        )
    serving = max(active, key=lambda rs: rs.ready, default=None)
    revision = serving.revision if serving else workload.revision
    newer_waits = workload.held and revision.template_hash != workload.revision.template_hash
    # A rejected version that serves is called stable only when a newer one is there to be judged against it.
    if scope.is_rejected(revision) and not newer_waits:
        return _refuse(scope)
    if may_run_first(scope):
        return stay(state, "Rolling", "It was held when it was made, and is not the version that was rejected: let go.")
    if serving is None and (workload.held or workload.replicas > 0):
        return stay(
            state, "NothingServes", "No ReplicaSet of the Deployment runs: there is no version to call stable yet."
        )
    return adopt(scope, revision)


def adopt(scope: Scope, revision: Revision) -> State:
    """Return the state in which a version that serves already is called stable: never analysed, never reverted."""
    images = " ".join(revision.images) or "the present template"
    return replace(
        scope.state,
        phase=Phase.STABLE,
        stable=replace(revision, commit=commit_of_stable(scope)),
        release=None,
        rejected=without_rejection(_remembered(scope), revision) if scope.observed.noted else scope.state.rejected,
        reason="Adopted",
        message=f"Adopted {images} as stable: it served already.",
        stalled=False,
    )


def commit_of_stable(scope: Scope) -> str:
    """Return the commit that says what serves, as far as the engine has settled on one; else an empty string.

    A new version is applied before the engine says that it is, and the Rollout beside it is adopted in between: then
    the commit is told a moment later.
    """
    workload = scope.observed.workload
    return "" if workload is None or workload.held else scope.observed.applied


def may_run_first(scope: Scope) -> bool:
    """Return whether a Deployment that was held when it was made is to be let go: nothing of it has ever run."""
    workload, state = scope.workload, scope.state
    if state.stable is not None or not workload.held or not workload.never_ran:
        return False
    if state.phase is Phase.HELD and state.release is not None:
        return not state.release.blocked
    awaited = scope.observed.notes_awaited
    return state.phase is Phase.PENDING and not awaited and not scope.is_rejected(workload.revision)


def first_refused(scope: Scope) -> State:
    """Wait until another version comes, or somebody asks to run this one all the same; then it is adopted."""
    workload, state, release = scope.workload, scope.state, scope.release
    own = scope.candidate_set
    runs = own is not None and own.replicas > 0
    if any(rs.revision.template_hash != release.candidate.template_hash for rs in workload.active):
        return replace(state, phase=Phase.PENDING, release=None)  # something else serves: it is seen anew
    if not release.blocked:
        if runs or workload.rolled_out:
            return adopt(scope, workload.revision)
        return stay(state, "Rolling", "Tried again by `canary retry`: it rolls, and is adopted without analysis.")
    if runs:
        message = (
            "This version was rolled back before, and is the only one that runs here: it goes on serving, for there is "
            "nothing to go back to. Push another, or `canary retry` to adopt it."
        )
        return stay(state, "RejectedServes", message, stalled=True)
    message = (
        "This version was rolled back before and is refused; no other has run here, so nothing serves. Push another, "
        "or `canary retry` to let it run."
    )
    return stay(state, "RejectedFirst", message, stalled=True)


def made_anew(scope: Scope) -> bool:
    """Return whether the Deployment was deleted and made again with another template than the one called stable."""
    workload, state = scope.observed.workload, scope.state
    if workload is None or state.stable is None or state.past_the_point_of_no_return or scope.observed.deleting:
        return False
    return workload.never_ran and not scope.at_stable


def forget_stable(scope: Scope) -> State:
    """Return the state in which nothing of the Deployment is known but which versions were rejected."""
    message = "The Deployment was deleted and made anew: no stable version of it is left."
    ended = end(scope, "Cancelled", message) if scope.state.release else scope.state
    return replace(ended, phase=Phase.PENDING, stable=None, reason="MadeAnew", message=message, stalled=False)


def _refuse(scope: Scope) -> State:
    """Hold the version as a release; what Git's notes know is remembered in status, and by that on the list."""
    return begin(scope, replace(scope.state, rejected=_remembered(scope)))


def _remembered(scope: Scope) -> tuple[Rejected, ...]:
    known = {r.version_hash for r in scope.state.rejected}
    told = (r for r in scope.observed.noted if r.version_hash not in known)
    newest_first = sorted((*scope.state.rejected, *told), key=lambda r: -r.at)
    return tuple(newest_first[:REJECTED_LENGTH])
