"""Which state follows: a function a phase, each a list of early returns that reads top to bottom.

Nothing here says what to do about it: `canary.core.act` derives that from the state, so that a crash between the two
loses nothing.
"""

from __future__ import annotations

from dataclasses import replace

from canary.core.adopting import paused, pending, stable
from canary.core.first_sight import first_refused, forget_stable, made_anew
from canary.core.judging import what_is_bad
from canary.core.leaving import left_for, never_let_go, rolled_to_another
from canary.core.phases import Phase, Stage
from canary.core.promote import promoting
from canary.core.retreat import reverting, roll_back, rolling_back
from canary.core.scope import Scope, end
from canary.core.state import State
from canary.core.stepping import held, note_capacity, note_in_force, starting, stepping
from canary.core.undo import taken_back, undoing
from canary.core.waiting import waiting

_WANTS_TRAFFIC = frozenset({Phase.STARTING, Phase.STEP, Phase.PROMOTING})


def advance(scope: Scope) -> State:
    """Return the state after one look; the same state when nothing changes."""
    scope = replace(scope, state=_whole(scope.state))
    scope = replace(scope, state=_note_drain(scope))
    following = forget_stable(scope) if made_anew(scope) else waiting(scope, _following(scope))
    leaves = scope.state.phase in _WANTS_TRAFFIC and following.phase not in _WANTS_TRAFFIC
    if leaves and following.drained_since is not None:
        # It may have had traffic since then: that this ended a drain is lost when the operator ends in mid-pass.
        return replace(following, drained_since=scope.now)
    return following


def _whole(state: State) -> State:
    """Return a state that can be gone on from: one that somebody edited may lack what its phase needs."""
    rests = state.phase in (Phase.PENDING, Phase.STABLE, Phase.PAUSED)
    if rests and state.release is not None:
        return replace(state, release=None)
    if not rests and (state.release is None or (state.stable is None and state.phase is not Phase.HELD)):
        return replace(state, phase=Phase.STABLE if state.stable else Phase.PENDING, release=None)
    retreats = state.phase in (Phase.ROLLING_BACK, Phase.REVERTING, Phase.AWAITING_GIT)
    if retreats and state.release is not None and state.release.verdict_at is None:
        return replace(state, phase=Phase.HELD)  # nobody has judged it
    goes_on = state.phase in (Phase.HELD, Phase.STARTING, Phase.STEP)
    if goes_on and state.release is not None and state.release.verdict_at is not None:
        return replace(state, phase=Phase.ROLLING_BACK)  # somebody has
    return state


def _following(scope: Scope) -> State:
    state = scope.state
    if scope.observed.deleting:
        return _deleting(scope)
    match state.phase:
        case Phase.PENDING:
            return pending(scope)
        case Phase.PAUSED:
            return paused(scope)
        case Phase.STABLE:
            return stable(scope)
        case Phase.HELD:
            return left_for(scope) or (first_refused(scope) if state.stable is None else held(scope))
        case Phase.STARTING:
            return left_for(scope) or starting(scope)
        case Phase.STEP:
            return left_for(scope) or stepping(scope)
        case Phase.PROMOTING:
            return _promoting(scope)
        case Phase.ROLLING_BACK if state.undoing and scope.observed.workload is not None:
            return undoing(scope)
        case Phase.ROLLING_BACK:
            return left_for(scope) or rolling_back(scope)
        case Phase.REVERTING:
            return left_for(scope) or reverting(scope)
        case Phase.AWAITING_GIT:
            return left_for(scope) or state


def _note_drain(scope: Scope) -> State:
    """Remember since when an existing canary copy gets no traffic, so that it drains before it goes."""
    traffic, copy, state = scope.observed.traffic, scope.observed.copy, scope.state
    silent = copy is not None and (traffic is None or (traffic.in_force and traffic.weight in (None, 0)))
    if not silent:
        return replace(state, drained_since=None) if state.drained_since is not None else state
    return replace(state, drained_since=scope.now) if state.drained_since is None else state


def _promoting(scope: Scope) -> State:
    """Go forward; before the Deployment is let go a bad verdict or a newer commit still turns the release round."""
    if not scope.state.past_the_point_of_no_return:
        if left := left_for(scope):
            return left
        # Promotion is decided at the end of the bake; while the Service is being pinned the canary's health still
        # counts.
        scope = replace(scope, state=note_capacity(scope, 100))
        if bad := what_is_bad(scope):
            return roll_back(scope, bad)
        if scope.release.stage is not Stage.PIN:
            scope = replace(scope, state=note_in_force(scope, 100))
    elif scope.observed.workload is None or never_let_go(scope):
        return left_for(scope) or scope.state
    elif other := rolled_to_another(scope) or taken_back(scope):
        return other
    return promoting(scope)


def _deleting(scope: Scope) -> State:
    """Take traffic to stable and clean up; past the point of no return there is no stable, so finish the roll first.

    A roll that is being taken back is taken back first.
    """
    if scope.state.past_the_point_of_no_return and scope.observed.workload is not None and not never_let_go(scope):
        return rolled_to_another(scope) or taken_back(scope) or promoting(scope)
    if scope.state.undoing and scope.observed.workload is not None:
        return undoing(scope)
    if scope.state.release is not None:
        return end(
            scope, "Cancelled", "The Rollout was deleted; the Deployment stays held at the version that was not judged."
        )
    return scope.state
