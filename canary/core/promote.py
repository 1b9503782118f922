"""The stages of a promotion, in which the Deployment takes its place back from the canary copy."""

from __future__ import annotations

import math
from dataclasses import replace

from canary.analysis.verdict import Outcome, Verdict
from canary.core.judging import doubt, look_expected_until
from canary.core.phases import Phase, Stage
from canary.core.scope import Scope, end, enter, stay
from canary.core.state import State

RETURN_WORSE = "ReturnWorse"
RETURN_COOL_DOWN_SECONDS = 60.0
"""Before traffic is given back a second time. Arbitrary; longer than the warm-up that judges allow."""
AUTOSCALER_SECONDS = 60.0
"""How long an autoscaler may take, after the bake, to grow the Deployment before somebody is told."""


def promoting(scope: Scope) -> State:
    """Return the state that follows in `Phase.PROMOTING`; what could turn the release round was asked before."""
    match scope.release.stage:
        case Stage.SHIFT | Stage.UNDO | None:  # an undo belongs to another phase: somebody edited the status
            return _shift(scope)
        case Stage.BAKE:
            return _bake(scope)
        case Stage.PIN:
            return _pin(scope)
        case Stage.REPLACE:
            return _replace(scope)
        case Stage.REPIN:
            return _repin(scope)
        case Stage.RETURN:
            return _return(scope)
        case Stage.CLEANUP:
            return _cleanup(scope)


def _stage(scope: Scope, stage: Stage, message: str) -> State:
    return enter(scope, Phase.PROMOTING, stage=stage, step=scope.release.step, reason="Promoting", message=message)


def _shift(scope: Scope) -> State:
    if scope.release.in_force_since is None:
        return scope.state
    message = f"All traffic is on the canary for {scope.plan.bake_seconds:.0f} s; stable still stands by at full size."
    return _stage(scope, Stage.BAKE, message).with_release(in_force_since=scope.now)


def _bake(scope: Scope) -> State:
    if scope.elapsed < scope.plan.bake_seconds or not scope.weight_in_force(100):
        return scope.state
    if scope.observed.commands.paused:
        return stay(scope.state, "Paused", "Paused by `canary pause`; goes on with `canary resume`.")
    expected = look_expected_until(scope) if scope.plan.has_analysis else None
    if expected is not None and scope.now < expected:
        return scope.state  # a bake may be shorter than the interval of what is measured
    if scope.observed.load.needs:  # the way back is open as long as stable could take it
        if scope.elapsed < scope.plan.bake_seconds + AUTOSCALER_SECONDS:
            return scope.state
        why = f"stable alone would not carry the whole load: {scope.observed.load.why}"
        return stay(scope.state, "BakeHolds", f"Promotion is not decided: {why}", stalled=True)
    if why := doubt(scope):  # what keeps traffic from a canary keeps it from replacing stable, too
        return stay(scope.state, "BakeHolds", f"Promotion is not decided: {why}", stalled=True)
    return _stage(scope, Stage.PIN, "Promotion is decided; the Service is pinned to the canary's pods.")


def _pin(scope: Scope) -> State:
    copy, service = scope.observed.copy, scope.observed.service
    if not scope.canary_ready:
        return _stage(scope, Stage.SHIFT, "The canary lost its pods: stable takes the traffic until it has them again.")
    if copy is None or service is None or not copy.pod_template_hash or not scope.pinned(copy.pod_template_hash):
        return scope.state
    if service.pinned_endpoints < max(1, scope.workload.replicas) or scope.elapsed < scope.plan.settle_seconds:
        return scope.state
    return _stage(scope, Stage.REPLACE, "The Deployment rolls to the new version while the canary serves.")


def _replace(scope: Scope) -> State:
    workload, own = scope.workload, scope.candidate_set
    others = any(rs.replicas > 0 for rs in workload.replica_sets if own is None or rs.name != own.name)
    full = own is not None and own.replicas >= workload.replicas and own.ready >= workload.replicas
    at_candidate = workload.revision.template_hash == scope.release.candidate.template_hash
    done = full and not others and (workload.rolled_out if at_candidate else workload.paused)
    if done:
        return _stage(scope, Stage.REPIN, "The Deployment runs the new version; the Service is pinned to its pods.")
    if scope.elapsed >= scope.plan.progress_deadline_seconds and not scope.state.stalled:
        message = (
            "The roll does not finish (quota, nodes, or maxUnavailable 0?): "
            "traffic stays on the canary until there is room."
        )
        return stay(scope.state, "RollStuck", message, stalled=True)
    return scope.state


def _repin(scope: Scope) -> State:
    own, service = scope.candidate_set, scope.observed.service
    if own is None or service is None or cooling_down(scope) or not scope.pinned(own.pod_template_hash):
        return scope.state
    if service.pinned_endpoints < scope.workload.replicas:
        return replace(scope.state, release=replace(scope.release, in_force_since=None))
    if scope.release.in_force_since is None:  # all addresses are in the API; the gateway has them a moment later
        return scope.state.with_release(in_force_since=scope.now)
    if scope.now - scope.release.in_force_since < scope.plan.settle_seconds:
        return scope.state
    state = _stage(scope, Stage.RETURN, "Traffic returns to the Deployment in steps.")
    return state.with_release(return_step=0, analysis_since=None)


def cooling_down(scope: Scope) -> bool:
    """Return whether the Deployment's new pods were found worse and get time to warm up; the canary serves meanwhile.

    Then they are tried again, with evidence of its own.
    """
    worse = scope.release.stage is Stage.REPIN and scope.state.reason == RETURN_WORSE
    return worse and scope.elapsed < RETURN_COOL_DOWN_SECONDS and not scope.observed.deleting


def returning_verdict(scope: Scope) -> Verdict | None:
    """Return the verdict on the Deployment's new pods against the canary copy; None before the first look.

    A Rollout that is being deleted asks for none: it has to end, and the version was judged good.
    """
    analysis = scope.observed.analysis
    if scope.observed.deleting or analysis is None or analysis.release != scope.release.id or not analysis.returning:
        return None
    return analysis.verdict


def kept_back(scope: Scope) -> str:
    """Return why the Deployment's new pods get no more traffic now; the empty string when they may."""
    own, service = scope.candidate_set, scope.observed.service
    # Their share of the load: an autoscaler that is behind has not grown them to all of it yet.
    wanted = max(scope.workload.replicas, math.ceil(scope.load * (100 - scope.return_weight) / 100))
    verdict = returning_verdict(scope)
    if scope.observed.commands.paused and not scope.observed.deleting:
        return "paused by `canary pause`"
    if own is None or service is None or own.ready < wanted or service.pinned_endpoints < wanted:
        return f"the Deployment has {own.ready if own else 0} of {wanted} pods ready and known to the Service"
    if verdict is not None and verdict.suspicious:
        return f"there is evidence against its new pods: {verdict.message}"
    return ""


def _return(scope: Scope) -> State:
    release, weights, weight = scope.release, scope.plan.return_weights, scope.return_weight
    traffic, own = scope.observed.traffic, scope.candidate_set
    if own is None or (own.ready < 1 and scope.workload.replicas and scope.canary_ready):
        message = "The Deployment's new pods are gone: the canary takes all traffic back."
        return replace(_stage(scope, Stage.REPIN, message), reason=RETURN_WORSE, stalled=True)
    verdict, since = returning_verdict(scope), release.in_force_since
    watched = since is not None and scope.now - since >= scope.plan.return_seconds
    if verdict is not None and (verdict.outcome is Outcome.FAIL or (verdict.suspicious and watched)):
        message = (
            f"The Deployment's new pods look worse than the canary, which takes all traffic back: {verdict.message}"
        )
        return replace(_stage(scope, Stage.REPIN, message), reason=RETURN_WORSE, stalled=True)
    if release.in_force_since is None:
        if traffic is None or not traffic.in_force or (traffic.weight or 0) > weight:
            return scope.state
        began = release.since if release.analysis_since is None else release.analysis_since
        return scope.state.with_release(in_force_since=scope.now, analysis_since=began)
    if not watched or own.ready < scope.workload.replicas:
        return scope.state
    if not _looked(scope, release.in_force_since):
        return _unseen(scope, release.in_force_since)
    if release.return_step + 1 < len(weights):
        following = weights[release.return_step + 1]
        state = _stage(scope, Stage.RETURN, f"Traffic returns to the Deployment; {following} % is left on the canary.")
        return state.with_release(return_step=release.return_step + 1)
    return _stage(scope, Stage.CLEANUP, "The canary drains and goes.")


def _looked(scope: Scope, since: float) -> bool:
    """Return whether the judges have looked at a whole step of the return, which began to be in force at `since`.

    When the canary has nothing any more there is nothing to compare with; and a Rollout that is being deleted asks
    no judge.
    """
    if not scope.plan.has_analysis or scope.return_weight == 0 or scope.observed.deleting:
        return True
    verdict = returning_verdict(scope)
    covers = verdict is not None and verdict.at - since >= scope.plan.return_seconds
    return verdict is not None and covers and verdict.outcome is not Outcome.ERROR


def _unseen(scope: Scope, since: float) -> State:
    """Wait for that look; say so when the judges, and not their interval, are what it waits for."""
    verdict, expected = returning_verdict(scope), look_expected_until(scope)
    silent = verdict is None or verdict.outcome is Outcome.ERROR
    early = scope.now - since < scope.plan.no_data_after_seconds or (expected is not None and scope.now < expected)
    if early or not silent:
        return scope.state
    why = verdict.message if verdict is not None else "no look has succeeded yet."
    message = f"The return of the traffic holds, {scope.return_weight} % on the canary: {why}"
    return stay(scope.state, "NoData", message, stalled=True)


def _cleanup(scope: Scope) -> State:
    observed = scope.observed
    restored = observed.traffic is None or observed.traffic.weight is None
    unpinned = observed.service is None or observed.service.pin is None
    if not (restored and unpinned and observed.copy is None):
        return scope.state
    candidate = scope.release.candidate
    return end(scope, "Promoted", f"{' '.join(candidate.images)} was promoted.", stable=candidate)
