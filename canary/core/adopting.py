"""What is asked before a version is adopted, and the state in which nothing is under way."""

from __future__ import annotations

from dataclasses import replace

from canary.core.first_sight import adopt, commit_of_stable, first, forget_stable
from canary.core.phases import Phase
from canary.core.scope import Scope, begin, stay
from canary.core.state import State


def pending(scope: Scope) -> State:
    """Adopt the version that serves, as soon as there is one and nobody else owns it."""
    workload, state = scope.observed.workload, scope.state
    if workload is None:
        return stay(state, "WorkloadNotFound", missing_workload(scope), stalled=True)
    if workload.other_owner:
        return stay(
            state,
            "AlreadyOwned",
            f"The Deployment belongs to Rollout {workload.other_owner!r}: one Deployment has one Rollout. "
            "Delete one of them.",
            stalled=True,
        )
    if workload.paused and not workload.held:
        return _pause(state)
    if scope.observed.notes_awaited:
        return stay(state, "ReadingNotes", "Reads in Git's notes which versions were rejected here before.")
    return first(scope)


def paused(scope: Scope) -> State:
    """Leave a Deployment that its owner paused alone; a version that comes then waits to be asked for."""
    workload, state = scope.observed.workload, scope.state
    if workload is not None and workload.held and state.stable and not scope.at_stable:
        return begin(scope, state).with_release(blocked="PausedByOwner")
    # Once the policy has held it too, the owner cannot unpause it any more: it is ours to let go.
    if workload is None or not workload.paused or workload.held:
        return replace(
            state, phase=Phase.STABLE if state.stable else Phase.PENDING, reason="Resumed", message="", stalled=False
        )
    return state


def _pause(state: State) -> State:
    message = "The Deployment is paused by its owner: unpause it, or take `paused: true` out of Git."
    return replace(state, phase=Phase.PAUSED, reason="PausedByOwner", message=message, stalled=True)


def stable(scope: Scope) -> State:
    """Begin a release when a new template is held; say what would stand in its way before it comes."""
    workload, state, observed = scope.observed.workload, scope.state, scope.observed
    if workload is None:
        return stay(state, "WorkloadNotFound", missing_workload(scope), stalled=True)
    if workload.paused and not workload.held:
        return _pause(state)
    if state.stable is None:
        return replace(state, phase=Phase.PENDING)
    if not scope.at_stable:
        if workload.held:
            # Made anew, and changed again before its first roll was done: nothing is left of what was stable.
            gone = scope.stable_set is None and workload.active
            return forget_stable(scope) if gone else begin(scope, state)
        if workload.rolled_out:
            unknown = scope.stable_set is None and scope.is_rejected(workload.revision)
            return forget_stable(scope) if unknown else adopt(scope, workload.revision)
        return stay(
            state,
            "Rolling",
            "The Deployment rolls to a version that was not held; it is adopted when the roll is done.",
        )
    if observed.problem:
        return stay(state, observed.problem_reason, observed.problem, stalled=True)
    if missing := unusable(scope):
        return stay(state, *missing, stalled=True)
    if not state.stable.commit and (commit := commit_of_stable(scope)):
        return replace(state, stable=replace(state.stable, commit=commit))
    if state.stalled or state.reason in ("Rolling", ""):
        return stay(state, "Stable", f"{' '.join(state.stable.images)} serves.")
    return state


def missing_workload(scope: Scope) -> str:
    """Return the sentence for a Deployment that does not exist."""
    return _missing(f"Deployment {scope.plan.workload!r}", "spec.workload.name")


def _missing(what: str, field: str) -> str:
    return f"{what} does not exist: apply it, or correct {field}; the Rollout goes on when it is there."


def unusable(scope: Scope) -> tuple[str, str] | None:
    """Return reason and sentence when the Deployment, the Service or the route cannot be worked with."""
    workload, service, traffic = scope.observed.workload, scope.observed.service, scope.observed.traffic
    if workload is not None and workload.history_limit < 1 and scope.state.phase in (Phase.STABLE, Phase.HELD):
        message = (
            "The Deployment has revisionHistoryLimit 0: scaled to zero while held, its stable version would be lost. "
            "Set it to 1 or more."
        )
        return "HistoryLimitZero", message
    if service is None:
        return "ServiceNotFound", _missing(f"Service {scope.plan.service!r}", "spec.service.name")
    if service.other_owner:
        return "AlreadyOwned", f"The Service belongs to Rollout {service.other_owner!r}."
    if traffic is None:
        return "RouteNotFound", _missing(f"HTTPRoute {scope.plan.route!r}", "spec.traffic.gatewayAPI.route.name")
    if traffic.other_owner:
        return "AlreadyOwned", f"The route belongs to Rollout {traffic.other_owner!r}."
    if traffic.problem:
        return "RouteNotAccepted", traffic.problem
    return None
