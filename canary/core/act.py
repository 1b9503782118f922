"""What is to be done in a state: the difference between what the state wants and what was observed.

Level-triggered: an effect that was lost in a crash, or undone by somebody's hand, is asked for again at the next
look. The order of the effects of one pass is part of their meaning:

1. traffic is taken away first, before anything that can fail;
2. the new state is written, so that intent outlives a crash;
3. what protects (labels, the pin) comes before what needs protection (canary pods);
4. capacity comes before weight, weight before the end of what carried it.
"""

from __future__ import annotations

from dataclasses import dataclass

from canary.core.effects import (
    AddFinalizer,
    AskSync,
    DeleteCopy,
    Effect,
    EnsureCopy,
    ForgetRejected,
    Hold,
    Label,
    LetGo,
    Pin,
    RememberRejected,
    RemoveFinalizer,
    RestoreRoute,
    RevertInGit,
    ScaleReplicaSet,
    SetWeight,
    Unlabel,
)
from canary.core.judging import may_raise, what_is_bad
from canary.core.phases import Phase, Stage
from canary.core.promote import returning_verdict
from canary.core.scope import Scope


@dataclass(frozen=True, slots=True)
class Acts:
    """The effects of one pass, in two parts: the state is written between them."""

    first: tuple[Effect, ...]
    """Decreases of traffic to a canary, and what they need."""
    then: tuple[Effect, ...]


BUSY = frozenset({Phase.STARTING, Phase.STEP, Phase.PROMOTING, Phase.ROLLING_BACK, Phase.REVERTING, Phase.AWAITING_GIT})


def act(scope: Scope) -> Acts:
    """Return what is to be done now, the scope's state being the one that was just decided."""
    observed = scope.observed
    if observed.deleting and not observed.finalizer:
        return Acts((), ())
    if not observed.finalizer:
        return Acts((), (AddFinalizer(),))
    match scope.state.phase:
        case Phase.STARTING:
            first, then = _lower_to(scope, 0), _grow(scope, 0)
        case Phase.STEP:
            first, then = _step(scope)
        case Phase.PROMOTING:
            first, then = _promote(scope)
        case Phase.ROLLING_BACK:
            first, then = _lower_to(scope, 0), ()
        case _:  # no canary is wanted
            first, then = _lower_to(scope, 0), _tear_down(scope)
    # The end comes before the memory: in a namespace that is being deleted the list cannot be written any more.
    return Acts(first, (*_labels(scope), *then, *_deployment(scope), *_finish(scope), *_memory(scope), *_git(scope)))


# --- traffic and the canary ------------------------------------------------------------------------------------------


def _lower_to(scope: Scope, weight: int) -> tuple[Effect, ...]:
    """Take traffic from the canary, at once and by force. The root Service has to mean stable first."""
    traffic = scope.observed.traffic
    if traffic is None or traffic.weight is None or traffic.weight <= weight or traffic.other_owner:
        return ()
    return (*_pin_stable(scope), SetWeight(weight, None))


def _pin_stable(scope: Scope) -> tuple[Effect, ...]:
    service, stable = scope.observed.service, scope.stable_set
    if service is None or service.other_owner or stable is None or scope.pinned(stable.pod_template_hash):
        return ()
    return (Pin(stable.pod_template_hash),)


def _grow(scope: Scope, weight: int) -> tuple[Effect, ...]:
    """Pin, then capacity, then weight: each waits until the one before is seen in force."""
    if pin := _pin_stable(scope):
        return pin
    stable, service = scope.stable_set, scope.observed.service
    if stable is None or service is None or not scope.pinned(stable.pod_template_hash):
        return ()
    return (*_copy(scope, weight), *_raise_to(scope, weight))


def _copy(scope: Scope, weight: int) -> tuple[Effect, ...]:
    """Keep a canary copy of the size that a weight needs; shrink it only when the weight is in force."""
    copy, release, wanted = scope.observed.copy, scope.release, scope.needed(weight)
    ensure = EnsureCopy(release.id, wanted, release.candidate)
    if copy is None:
        return (ensure,)
    if copy.deleting:
        return ()
    if copy.release != release.id:
        return (DeleteCopy(),)
    if copy.replicas < wanted or not scope.observed.canary_service:
        return (ensure,)
    if copy.template_hash and copy.template_hash != release.candidate.template_hash:
        return (ensure,)  # edited by hand: put back
    if copy.replicas > wanted and scope.weight_in_force(weight):
        return (ensure,)
    return ()


def _raise_to(scope: Scope, weight: int) -> tuple[Effect, ...]:
    """Give the canary more traffic, if it has the pods for it and nothing speaks against it."""
    observed, copy = scope.observed, scope.observed.copy
    traffic = observed.traffic
    if traffic is None or traffic.other_owner or (traffic.weight is not None and traffic.weight >= weight):
        return ()
    if copy is None or copy.deleting or copy.release != scope.release.id or not observed.canary_service:
        return ()
    # At weight 0 the canary's backend is only made known to the gateway: that needs no capacity, and nothing to judge.
    if weight > 0:
        short = copy.ready < scope.needed(weight) or observed.canary_endpoints < scope.needed(weight)
        if short or what_is_bad(scope) or may_raise(scope):
            return ()
    return (SetWeight(weight, traffic.resource_version),)


def _step(scope: Scope) -> tuple[tuple[Effect, ...], tuple[Effect, ...]]:
    copy, weight = scope.observed.copy, scope.plan.weight_at(scope.release.step)
    if copy is None or copy.ready < 1 or copy.release != scope.release.id:
        # No traffic without ready capacity; stable is there at full size.
        return _lower_to(scope, 0), _grow(scope, 0) if copy is None else _copy(scope, weight)
    return _lower_to(scope, weight), _grow(scope, weight)


def _promote(scope: Scope) -> tuple[tuple[Effect, ...], tuple[Effect, ...]]:
    copy, stage = scope.observed.copy, scope.release.stage
    match stage:
        case Stage.SHIFT | Stage.BAKE | None:
            if copy is None or copy.ready < 1:
                return _lower_to(scope, 0), _copy(scope, 100)
            return (), _grow(scope, 100)
        case Stage.PIN:
            pin: tuple[Effect, ...] = ()
            if copy and copy.pod_template_hash and not scope.pinned(copy.pod_template_hash):
                pin = (Pin(copy.pod_template_hash),)
            return (), (*_copy(scope, 100), *pin)
        case Stage.REPLACE:
            return (), (*_keep_serving(scope), *_let_go(scope))
        case Stage.REPIN:
            own = scope.candidate_set
            pin = (Pin(own.pod_template_hash),) if own and not scope.pinned(own.pod_template_hash) else ()
            return (), (*_keep_serving(scope), *pin)
        case Stage.RETURN:
            return (), _return(scope)
        case Stage.CLEANUP:
            return (), _tear_down(scope)


def _keep_serving(scope: Scope) -> tuple[Effect, ...]:
    """Keep all traffic on a canary of full size while the Deployment is being replaced, whatever others write."""
    traffic, copy = scope.observed.traffic, scope.observed.copy
    weight: tuple[Effect, ...] = ()
    if traffic is not None and traffic.weight != 100 and copy is not None and copy.ready > 0:
        weight = (SetWeight(100, traffic.resource_version),)
    return (*_copy(scope, 100), *weight)


def _return(scope: Scope) -> tuple[Effect, ...]:
    """Give the Deployment's new pods their traffic back, unless they look worse than the canary."""
    traffic, own, service = scope.observed.traffic, scope.candidate_set, scope.observed.service
    if traffic is None or own is None or service is None:
        return ()
    if not scope.pinned(own.pod_template_hash):
        return (Pin(own.pod_template_hash),)
    weight = scope.plan.return_weights[scope.release.return_step]
    if traffic.weight == weight:
        return ()
    verdict = returning_verdict(scope)
    worse = verdict is not None and verdict.suspicious
    has_capacity = own.ready >= scope.workload.replicas and service.pinned_endpoints >= scope.workload.replicas
    if worse or not has_capacity or scope.observed.commands.paused:
        return ()
    return (SetWeight(weight, traffic.resource_version),)


def _tear_down(scope: Scope) -> tuple[Effect, ...]:
    """Drain, give the route back to Git, delete the copy, unpin: each step when the one before is seen done."""
    traffic, copy, service, state = (
        scope.observed.traffic,
        scope.observed.copy,
        scope.observed.service,
        scope.state,
    )
    if copy is not None or scope.observed.canary_service:
        own = scope.candidate_set if state.past_the_point_of_no_return else scope.stable_set
        if own is not None and service is not None and service.pin not in (None, own.pod_template_hash):
            return (Pin(own.pod_template_hash),)  # else the Service loses its endpoints with the copy
        silent_since = state.drained_since
        if copy is not None and (silent_since is None or scope.now - silent_since < scope.plan.drain_seconds):
            return ()
        if traffic is not None and traffic.weight is not None and not traffic.other_owner:
            return (RestoreRoute(),)
        return () if copy is not None and copy.deleting else (DeleteCopy(),)
    if traffic is not None and traffic.weight is not None and not traffic.other_owner:
        return (RestoreRoute(),)
    if service is not None and service.pin is not None and not service.other_owner:
        return (Pin(None),)
    return ()


# --- the Deployment --------------------------------------------------------------------------------------------------


def _labels(scope: Scope) -> tuple[Effect, ...]:
    """Keep the label on what the Rollout names: without it the policies do not act."""
    workload, service, traffic = scope.observed.workload, scope.observed.service, scope.observed.traffic
    if scope.observed.deleting or scope.state.phase is Phase.PENDING:
        return ()
    label = Label(
        workload=workload is not None and not workload.labelled and not workload.other_owner,
        service=service is not None and not service.labelled and not service.other_owner,
        route=traffic is not None and not traffic.labelled and not traffic.other_owner,
    )
    return (label,) if label.workload or label.service or label.route else ()


def _deployment(scope: Scope) -> tuple[Effect, ...]:
    """Hold, let go, and see that only the version that is meant to run has pods."""
    workload, state = scope.observed.workload, scope.state
    if workload is None or state.stable is None or workload.other_owner:
        return ()
    if state.past_the_point_of_no_return:
        return _only(scope, state.release.candidate.template_hash) if state.release else ()
    if workload.held and not scope.at_stable:
        return _only(scope, state.stable.template_hash)
    if state.phase is not Phase.STABLE or not scope.at_stable:
        return ()
    if workload.held and (scope.observed.policies or scope.observed.deleting):
        return (LetGo(workload.resource_version),)
    fallback = not scope.observed.policies and not scope.observed.deleting
    if fallback and not workload.paused and workload.rolled_out:
        return (Hold(workload.resource_version),)
    return ()


def _only(scope: Scope, template_hash: str) -> tuple[Effect, ...]:
    """While the Deployment is held, scale every ReplicaSet but one to zero, and that one up from zero.

    A paused Deployment spreads its size over all active ReplicaSets, and from zero starts the newest one by creation.
    """
    workload = scope.workload
    meant = workload.replica_set_of(template_hash)
    if not workload.held or meant is None or workload.revision.template_hash == template_hash:
        return ()
    effects: list[Effect] = [
        ScaleReplicaSet(rs.name, 0) for rs in workload.replica_sets if rs.name != meant.name and rs.replicas > 0
    ]
    if meant.replicas == 0 and workload.replicas > 0:
        effects.insert(0, ScaleReplicaSet(meant.name, workload.replicas))
    return tuple(effects)


def _let_go(scope: Scope) -> tuple[Effect, ...]:
    """Let the Deployment roll, if it still says just what was judged and the canary carries everything."""
    workload, copy = scope.workload, scope.observed.copy
    same = workload.revision.template_hash == scope.release.candidate.template_hash
    safe = copy is not None and scope.pinned(copy.pod_template_hash) and scope.weight_in_force(100)
    return (LetGo(workload.resource_version),) if workload.held and same and safe else ()


# --- memory, Git, the end --------------------------------------------------------------------------------------------


def _memory(scope: Scope) -> tuple[Effect, ...]:
    """Keep the namespace's list of rejected versions in step with the status."""
    known = set(scope.observed.rejected_elsewhere)
    effects: list[Effect] = [
        RememberRejected(r.template_hash, r.version_hash, r.commit, r.reason)
        for r in scope.state.rejected
        if r.template_hash not in known
    ]
    release, in_status = scope.state.release, {r.template_hash for r in scope.state.rejected}
    if release is not None and not release.blocked and release.candidate.template_hash not in in_status:
        candidate = release.candidate  # under way although it was on the list: somebody asked to retry it
        if candidate.template_hash in known:
            effects.append(ForgetRejected(candidate.version_hash, candidate.template_hash))
    return tuple(effects)


def _git(scope: Scope) -> tuple[Effect, ...]:
    """Ask for the revert until its answer is final; then ask the engine to sync until the Deployment follows."""
    state, release = scope.state, scope.state.release
    if release is None or state.stable is None or release.verdict_at is None:
        return ()
    if state.phase is Phase.REVERTING and scope.plan.revert:
        return (RevertInGit(release.id, release.verdict_at, release.report, release.candidate, state.stable),)
    pushed = release.revert.commit if release.revert is not None else ""
    if state.phase is Phase.AWAITING_GIT and pushed and scope.observed.sync_asked != pushed:
        return (AskSync(pushed),)
    return ()


def _finish(scope: Scope) -> tuple[Effect, ...]:
    """When a Rollout that is being deleted has left nothing behind, let it go."""
    observed, workload = scope.observed, scope.observed.workload
    if not observed.deleting or scope.state.release is not None:
        return ()
    clean = (
        observed.copy is None
        and not observed.canary_service
        and (observed.traffic is None or observed.traffic.weight is None or bool(observed.traffic.other_owner))
        and (observed.service is None or observed.service.pin is None or bool(observed.service.other_owner))
    )
    if not clean:
        return ()
    stays_held = workload is not None and workload.held and scope.state.stable is not None and not scope.at_stable
    return (Unlabel(workload=not stays_held), RemoveFinalizer())
