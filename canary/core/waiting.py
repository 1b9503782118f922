"""A release that waits longer than is usual says for what: nothing stands still in silence."""

from __future__ import annotations

from canary.core.adopting import unusable
from canary.core.judging import may_raise
from canary.core.phases import Phase, Stage
from canary.core.plan import ApprovalStep
from canary.core.promote import RETURN_WORSE, kept_back
from canary.core.scope import Scope, stay
from canary.core.state import State

TELL_SECONDS = 30.0
"""How long a state may wait without a word. Longer than a gateway and a kubelet usually take."""
_WAITS = frozenset(
    {
        "ServiceNotFound",
        "RouteNotFound",
        "RouteNotAccepted",
        "AlreadyOwned",
        "NotRaised",
        "ReturnHolds",
        "CapacityMissing",
        "GatewaySilent",
    }
)
_PHASES = frozenset({Phase.STARTING, Phase.STEP, Phase.PROMOTING, Phase.ROLLING_BACK})


def waiting(before: Scope, state: State) -> State:
    """Return the state that follows, with what it waits for told; and told as over when it is.

    A reason that stands is not told again: its sentence may change with every look.
    """
    release = state.release
    if state.phase not in _PHASES or release is None or before.observed.workload is None:
        return state
    if before.release.since != release.since or state.reason in ("Paused", RETURN_WORSE):
        return state  # just entered, or said already
    scope = Scope(before.plan, state, before.observed, before.now)
    found = _awaited(scope)
    if found is None:
        return stay(state, *_usual(scope)) if state.reason in _WAITS else state
    reason, message = found
    return state if state.reason == reason else stay(state, reason, message, stalled=True)


def _awaited(scope: Scope) -> tuple[str, str] | None:
    late = scope.elapsed >= TELL_SECONDS
    missing = unusable(scope)
    if missing is not None and (late or scope.observed.service is None or scope.observed.traffic is None):
        return missing
    release, stage = scope.release, scope.release.stage
    if late and stage is Stage.CLEANUP and scope.observed.copy is not None and scope.state.drained_since is None:
        return "GatewaySilent", "The gateway does not confirm that the canary has no traffic."
    own, cleans = scope.candidate_set, stage is Stage.CLEANUP and scope.observed.copy is not None
    if late and (cleans or stage is Stage.RETURN) and own is not None and own.ready < scope.workload.replicas:
        return "CapacityMissing", f"The Deployment has {own.ready} of {scope.workload.replicas} ready pods it needs."
    weight, traffic = _weight(scope), scope.observed.traffic
    # A weight that was in force once may have been lost again, with the canary's pods or by somebody's hand.
    lost = traffic is None or (traffic.weight or 0) != weight
    if not late or stage in (Stage.REPLACE, Stage.CLEANUP, Stage.UNDO) or not (lost or release.in_force_since is None):
        return None
    if scope.state.phase is Phase.ROLLING_BACK:
        return "GatewaySilent", "The gateway does not confirm that the canary has no traffic."
    raises = scope.state.phase is not Phase.STARTING and stage not in (Stage.PIN, Stage.REPIN, Stage.RETURN)
    # A Deployment too small for the load makes the canary grow, too: what it waits for is the autoscaler.
    behind = raises and not scope.observed.load.enough
    if scope.canary_ready < scope.needed(weight) and not behind:
        return "CapacityMissing", _capacity(scope, weight)
    if stage is Stage.RETURN and (why := kept_back(scope)):
        return "ReturnHolds", f"The canary's share is not lowered to {weight} %: {why}"
    if raises and (why := may_raise(scope)):
        return "NotRaised", f"The canary's traffic is not changed to {weight} %: {why}"
    share = f"{weight} % of the traffic for the canary" if weight else "the route that knows the canary"
    return "GatewaySilent", f"The canary's endpoints, or {share}, are not in force at the gateway yet."


def _capacity(scope: Scope, weight: int) -> str:
    no_room = scope.observed.copy.no_room if scope.observed.copy is not None else ""
    has = f"The canary has {scope.canary_ready} of {scope.needed(weight)} ready pods it needs"
    return f"{has}: {no_room}" if no_room else f"{has}."


def _weight(scope: Scope) -> int:
    match scope.state.phase:
        case Phase.STEP:
            return scope.plan.weight_at(scope.release.step)
        case Phase.PROMOTING:
            return scope.return_weight if scope.release.stage is Stage.RETURN else 100
        case _:
            return 0


def _usual(scope: Scope) -> tuple[str, str]:
    """Return what a state says that waits for nothing out of the ordinary."""
    match scope.state.phase:
        case Phase.STEP if isinstance(scope.plan.steps[scope.release.step], ApprovalStep):
            return "AwaitingApproval", "Waits for `canary approve`."
        case Phase.STEP:
            return "Watching", f"{_weight(scope)} % of the traffic goes to the canary."
        case Phase.STARTING:
            return "Starting", "The canary starts."
        case Phase.ROLLING_BACK:
            return scope.release.verdict_reason, scope.release.brief
        case _:
            return "Promoting", "The promotion goes on."
