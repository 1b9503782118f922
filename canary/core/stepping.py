"""From the hold to the last step: a canary starts, gets its share of traffic step by step, and is watched."""

from __future__ import annotations

from dataclasses import replace

from canary.core.adopting import unusable
from canary.core.judging import Bad, Watched, verdict_of, watched, what_is_bad
from canary.core.phases import Phase, Stage
from canary.core.plan import ApprovalStep, WeightStep
from canary.core.retreat import roll_back
from canary.core.scope import Scope, enter, stay
from canary.core.sentences import sentences
from canary.core.state import State

STABLE_TOO_SMALL = "StableTooSmall"
BLOCKED = {
    "Rejected": "This version was rolled back before and is refused: push another, or `canary retry` to try it again.",
    "PausedByOwner": "The Deployment was paused by its owner before this version came; `canary retry` starts it.",
}
"""Why a release is held until somebody asks for it, and the sentence that says so."""


def held(scope: Scope) -> State:
    """Wait until everything that a release needs is there, and nothing of the last one is left."""
    workload, observed, state = scope.workload, scope.observed, scope.state
    if blocked := scope.release.blocked:
        return stay(state, blocked, BLOCKED[blocked], stalled=True)
    if observed.commands.abort == scope.release.id:
        return roll_back(scope, Bad("Aborted", "Aborted by `canary abort`."))
    if observed.commands.paused:
        return stay(state, "Paused", "Paused by `canary pause`; goes on with `canary resume`.")
    if observed.problem:
        return stay(state, observed.problem_reason, observed.problem, stalled=True)
    if missing := unusable(scope):
        return stay(state, *missing, stalled=True)
    stable = scope.stable_set
    if (
        stable is None
        or stable.replicas < workload.replicas
        or stable.ready < workload.replicas
        or len(workload.active) > 1
    ):
        return stay(state, "StableNotReady", "Waits until the stable version runs at full size.")
    if too_small := stable_too_small(scope):
        return too_small
    if workload.replicas == 0:
        return stay(
            state, "ScaledToZero", "The Deployment is scaled to zero: there is no traffic to judge a canary by."
        )
    if observed.copy is not None:
        return stay(state, "CleaningUp", "Waits until the last canary is gone.")
    return enter(scope, Phase.STARTING, reason="Starting", message="The canary starts.")


def stable_too_small(scope: Scope) -> State | None:
    """Return the state that waits until the autoscaler has grown stable; None when it is large enough for the load."""
    load = scope.observed.load
    if not load.needs:
        return None
    stuck = scope.elapsed >= scope.plan.progress_deadline_seconds  # at its quota, or no node has room
    message = f"Waits until the autoscaler has grown the stable version: {load.why}."
    return stay(scope.state, STABLE_TOO_SMALL, message, stalled=stuck)


def starting(scope: Scope) -> State:
    """Wait for a ready canary, which the gateway knows, and a Service that means stable alone."""
    if bad := what_is_bad(scope):
        return roll_back(scope, bad)
    stable = scope.stable_set
    if scope.observed.load.blocked:  # without traffic it may go: nothing else lets the autoscaler grow stable
        why = f"The canary's pods are not ready and keep the autoscaler from growing stable: {scope.observed.load.why}."
        return enter(scope, Phase.HELD, reason=STABLE_TOO_SMALL, message=why)
    ready = scope.canary_ready >= scope.needed(scope.plan.weight_at(0))
    if not ready and unready_for(scope) >= scope.plan.progress_deadline_seconds:
        return roll_back(
            scope,
            Bad("CanaryNotReady", _not_ready(scope)),
        )
    if not ready or stable is None or not scope.pinned(stable.pod_template_hash) or scope.observed.canary_endpoints < 1:
        return scope.state
    if not scope.weight_in_force(0):
        return scope.state  # the gateway has to know the canary's backend before it sends anything there
    if not scope.plan.steps:
        return enter(scope, Phase.PROMOTING, stage=Stage.SHIFT, reason="Promoting", message="The Rollout has no steps.")
    return enter_step(scope, 0)


def _not_ready(scope: Scope) -> str:
    no_room = scope.observed.copy.no_room if scope.observed.copy is not None else ""
    why = f" ({no_room})" if no_room else ""
    return f"The canary was not ready within {scope.plan.progress_deadline_seconds:.0f} s{why}."


def unready_for(scope: Scope) -> float:
    """Return for how many seconds a starting canary has existed and could have become ready; 0 without one.

    Time in which there was no canary, as when the operator was down, is not held against the version.
    """
    copy, since = scope.observed.copy, scope.release.since
    if copy is None or copy.deleting or copy.release != scope.release.id:
        return 0.0
    return scope.now - max(since, copy.created_at or since)


def enter_step(scope: Scope, step: int) -> State:
    """Return the state in which a step begins."""
    of = f"step {step + 1} of {len(scope.plan.steps)}"
    if isinstance(scope.plan.steps[step], ApprovalStep):
        return enter(
            scope, Phase.STEP, step=step, reason="AwaitingApproval", message=f"Waits for `canary approve` ({of})."
        )
    message = f"{scope.plan.weight_at(step)} % of the traffic goes to the canary ({of})."
    return enter(scope, Phase.STEP, step=step, reason="Watching", message=message)


def stepping(scope: Scope) -> State:
    """Watch a step: bad news first, then what people asked for, then time and evidence."""
    weight = scope.plan.weight_at(scope.release.step)
    scope = replace(scope, state=note_capacity(scope, weight))
    if bad := what_is_bad(scope):
        return roll_back(scope, bad)
    if scope.release.step >= len(scope.plan.steps):  # the Rollout was given fewer steps since
        return (
            enter_step(scope, len(scope.plan.steps) - 1) if scope.plan.steps else _promote(scope, "No steps are left.")
        )
    state = note_in_force(scope, weight)
    scope = replace(scope, state=state)
    if scope.observed.commands.promote == scope.release.id:
        return _promote(scope, "Promoted by `canary promote`.")
    if scope.observed.commands.paused:
        return stay(state, "Paused", "Paused by `canary pause`; goes on with `canary resume`.")
    if state.reason == "Paused":
        state = stay(state, "Watching", "Resumed.")
        scope = replace(scope, state=state)
    step = scope.plan.steps[scope.release.step]
    if isinstance(step, ApprovalStep):
        if scope.observed.commands.approved != f"{scope.release.id}/{scope.release.step}":
            # Resumed, or the Rollout was given another step here: what it waits for is said anew.
            watches = state.reason in ("Watching", "NoData", "Inconclusive", "Suspicious")
            return stay(state, "AwaitingApproval", "Waits for `canary approve`.") if watches else state
        return _next_step(scope)
    match watched(scope, step):
        case Watched.GO_ON:
            return _next_step(scope)
        case Watched.GIVE_UP:
            return roll_back(
                scope,
                Bad("Inconclusive", "The judges could not say within the step's time (onInconclusive: rollBack)."),
            )
        case Watched.HOLD:
            return stay(state, *_whyheld(scope), stalled=True)
        case Watched.WAIT:
            return _watching(scope, step)


def _watching(scope: Scope, step: WeightStep) -> State:
    """Say so when the metrics are silent for longer than the Rollout allows; never more than that."""
    state = scope.state
    if _silent(scope):
        return stay(state, "NoData", f"Holds at {step.weight} %: {_verdict_text(scope)}", stalled=True)
    if state.reason == "NoData" and verdict_of(scope) is not None:
        return stay(state, "Watching", f"The metrics answer again; {step.weight} % is watched.")
    if state.reason == "AwaitingApproval":  # the Rollout was given another step here
        return stay(state, "Watching", f"{step.weight} % is watched.")
    return state


def _silent(scope: Scope) -> bool:
    """Return whether the metrics have not answered for as long as the Rollout allows."""
    analysis = scope.observed.analysis
    since = analysis.no_data_since if analysis is not None and analysis.release == scope.release.id else None
    return since is not None and scope.now - since >= scope.plan.no_data_after_seconds


def _whyheld(scope: Scope) -> tuple[str, str]:
    verdict = verdict_of(scope)
    text = _verdict_text(scope)
    if _silent(scope):  # whatever the step's time: that the metrics are gone is what somebody has to mend
        return "NoData", f"Holds at {scope.plan.weight_at(scope.release.step)} %: {text}"
    if verdict is not None and verdict.suspicious:
        return "Suspicious", f"Holds: evidence against the canary, too weak to fail it: {text}"
    return "Inconclusive", f"Holds: the judges cannot say: {text}"


def _verdict_text(scope: Scope) -> str:
    verdict = verdict_of(scope)
    return verdict.message if verdict is not None else "no look has succeeded yet."


def _next_step(scope: Scope) -> State:
    following = scope.release.step + 1
    return _promote(scope, "All steps passed.") if following >= len(scope.plan.steps) else enter_step(scope, following)


def _promote(scope: Scope, why: str) -> State:
    message = sentences(why, "The canary grows to full size and takes all traffic.")
    return enter(
        scope, Phase.PROMOTING, stage=Stage.SHIFT, step=scope.release.step, reason="Promoting", message=message
    )


def note_capacity(scope: Scope, weight: int) -> State:
    """Remember since when the canary has been too small for its weight.

    It is asked for no more than its share of what stable has ready: when an autoscaler grows both, new pods of both
    take their time.
    """
    release, ready, stable = scope.release, scope.canary_ready, scope.stable_set
    share = scope.share(weight, stable.ready if stable is not None else 0)
    enough = ready >= 1 and (ready >= share or release.in_force_since is None)
    if enough:
        return scope.state.with_release(unready_since=None) if release.unready_since is not None else scope.state
    return scope.state if release.unready_since is not None else scope.state.with_release(unready_since=scope.now)


def note_in_force(scope: Scope, weight: int) -> State:
    """Remember when the weight of the present step or stage came into force, and when judging began.

    Judged is what came since the step began, not since its weight was seen: an operator that was killed in between
    finds the canary under traffic already.
    """
    release = scope.release
    if release.in_force_since is not None or not scope.weight_in_force(weight):
        return scope.state
    began = release.since if release.analysis_since is None else release.analysis_since
    return scope.state.with_release(in_force_since=scope.now, analysis_since=began)
