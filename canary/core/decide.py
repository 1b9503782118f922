"""`decide()`: from one look at the world to what is to be done. Pure: the same look decides the same."""

from __future__ import annotations

from canary.core.act import act
from canary.core.advance import advance
from canary.core.effects import Decision, Effect, Emit, WriteStatus
from canary.core.judging import UNREADY_DEADLINE_SECONDS, look_expected_until
from canary.core.observed import Observed
from canary.core.phases import Phase, Stage
from canary.core.plan import Plan, WeightStep
from canary.core.promote import AUTOSCALER_SECONDS, RETURN_COOL_DOWN_SECONDS
from canary.core.retreat import GATEWAY_PATIENCE_SECONDS
from canary.core.scope import Scope
from canary.core.state import State

_ALERTS = frozenset({Phase.ROLLING_BACK})
_DRAINING = frozenset({Phase.STABLE, Phase.HELD, Phase.REVERTING, Phase.AWAITING_GIT})
"""Phases that want no canary."""


def decide(plan: Plan, state: State, observed: Observed, now: float) -> Decision:
    """Return the state that follows, the effects that bring it about, and when to look again.

    Parameters
    ----------
    plan
        The Rollout's strategy with defaults filled in.
    state
        What status says.
    observed
        One look at the world, not older than the status.
    now
        Seconds since the epoch, UTC.

    Returns
    -------
    Decision
        Its effects are in order; each is idempotent, and the first that fails ends the pass. The same observation
        decided twice gives the same effects; once they are seen done it gives none.
    """
    following = advance(Scope(plan, state, observed, now))
    scope = Scope(plan, following, observed, now)
    acts = act(scope)
    first: list[Effect] = list(acts.first)
    effects: list[Effect] = [] if _drain_broken(state, following) else first
    if following != state:
        effects.append(WriteStatus(following))
    news = following.reason != state.reason or (following.stalled and not state.stalled)  # what lasts too long is news
    if news and following.message:
        warning = following.stalled or following.phase in _ALERTS
        # Right after the state, which would not tell it a second time: an effect below may fail and end the pass.
        effects.append(Emit(following.reason, following.message, warning=warning))
    if effects is not first:
        effects.extend(first)
    effects.extend(acts.then)
    return Decision(following, tuple(effects), _wake_at(scope, changed=following != state))


def _drain_broken(state: State, following: State) -> bool:
    """Return whether a canary that was draining has been given traffic by somebody's hand.

    That the drain begins anew is written before the traffic is taken away: lost in a crash, the old drain would be
    taken for the new one, and requests that are on their way be cut. No verdict's decrease waits for that.
    """
    broken = state.drained_since is not None and following.drained_since is None
    return broken and state.phase is following.phase and state.phase in _DRAINING


def _wake_at(scope: Scope, *, changed: bool) -> float | None:
    """Return the first instant at which the clock alone could change the decision."""
    if changed:
        return scope.now
    later = [at for at in _deadlines(scope) if at > scope.now]
    return min(later, default=None)


def _deadlines(scope: Scope) -> list[float]:
    plan, state, release = scope.plan, scope.state, scope.state.release
    deadlines: list[float] = []
    if state.drained_since is not None:
        deadlines.append(state.drained_since + plan.drain_seconds)
    if release is None:
        return deadlines
    if release.unready_since is not None:
        deadlines.append(release.unready_since + UNREADY_DEADLINE_SECONDS)
    analysis = scope.observed.analysis
    if analysis is not None and analysis.no_data_since is not None:
        deadlines.append(analysis.no_data_since + plan.no_data_after_seconds)
    since, in_force = release.since, release.in_force_since
    match state.phase:
        case Phase.HELD | Phase.STARTING:
            deadlines.append(since + plan.progress_deadline_seconds)
        case Phase.STEP:
            step = plan.steps[release.step]
            if in_force is not None and isinstance(step, WeightStep):
                deadlines += [in_force + step.at_least_seconds, in_force + step.at_most_seconds]
                deadlines.append(look_expected_until(scope) or 0.0)
        case Phase.ROLLING_BACK if state.undoing:
            deadlines.append(since + plan.progress_deadline_seconds)
        case Phase.ROLLING_BACK:
            deadlines.append(since + GATEWAY_PATIENCE_SECONDS)
        case Phase.PROMOTING:
            deadlines += _promotion_deadlines(scope, since, in_force)
        case _:
            pass
    return deadlines


def _promotion_deadlines(scope: Scope, since: float, in_force: float | None) -> list[float]:
    plan, release = scope.plan, scope.release
    match release.stage:
        case Stage.BAKE:
            over = since + plan.bake_seconds
            return [over, over + AUTOSCALER_SECONDS, look_expected_until(scope) or 0.0]
        case Stage.PIN:
            return [since + plan.settle_seconds]
        case Stage.REPLACE:
            return [since + plan.progress_deadline_seconds]
        case Stage.REPIN:
            settled = [in_force + plan.settle_seconds] if in_force is not None else []
            return [since + RETURN_COOL_DOWN_SECONDS, *settled]
        case Stage.RETURN:
            later = (plan.return_seconds, plan.no_data_after_seconds) if in_force is not None else ()
            return [*((in_force or 0.0) + seconds for seconds in later), look_expected_until(scope) or 0.0]
        case _:
            return []
