"""First sight, and the state in which nothing is under way."""

from __future__ import annotations

from dataclasses import replace

from canary.core.phases import Phase
from canary.core.scope import Scope, begin, stay
from canary.core.state import Revision, State


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
    active = workload.active
    if len(active) > 1 and not workload.held:
        return stay(
            state, "Rolling", "Waits for the Deployment's roll to finish before it adopts the version that serves."
        )
    serving = max(active, key=lambda rs: rs.ready, default=None)
    if serving is None and (workload.held or workload.replicas > 0):
        return stay(
            state, "NothingServes", "No ReplicaSet of the Deployment runs: there is no version to call stable yet."
        )
    return adopt(scope, serving.revision if serving else workload.revision)


def adopt(scope: Scope, revision: Revision) -> State:
    """Return the state in which a version that serves already is called stable: never analysed, never reverted."""
    images = " ".join(revision.images) or "the present template"
    return replace(
        scope.state,
        phase=Phase.STABLE,
        stable=replace(revision, commit=_commit_of_stable(scope)),
        release=None,
        reason="Adopted",
        message=f"Adopted {images} as stable: it served already.",
        stalled=False,
    )


def _commit_of_stable(scope: Scope) -> str:
    """Return the commit that says what serves, as far as the engine has settled on one; else an empty string.

    A new version is applied before the engine says that it is, and the Rollout beside it is adopted in between: then
    the commit is told a moment later.
    """
    workload = scope.observed.workload
    return "" if workload is None or workload.held else scope.observed.applied


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
            return begin(scope, state)
        if workload.rolled_out:
            return adopt(scope, workload.revision)
        return stay(
            state,
            "Rolling",
            "The Deployment rolls to a version that was not held; it is adopted when the roll is done.",
        )
    if observed.problem:
        return stay(state, observed.problem_reason, observed.problem, stalled=True)
    if missing := unusable(scope):
        return stay(state, *missing, stalled=True)
    if not state.stable.commit and (commit := _commit_of_stable(scope)):
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
    """Return reason and sentence when the Service or the route cannot be worked with."""
    service, traffic = scope.observed.service, scope.observed.traffic
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
