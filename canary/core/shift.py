"""Whose the traffic is: the pin of the root Service, the canary copy, the weight, and the end of all three."""

from __future__ import annotations

from canary.core.effects import DeleteCopy, Effect, EnsureCopy, Pin, RestoreRoute, SetWeight
from canary.core.holding import let_go
from canary.core.judging import may_raise, what_is_bad
from canary.core.phases import Phase, Stage
from canary.core.promote import returning_verdict
from canary.core.scope import Scope


def traffic(scope: Scope) -> tuple[tuple[Effect, ...], tuple[Effect, ...]]:
    """Return what is to be done about traffic and canary: before the state is written, and after it."""
    match scope.state.phase:
        case Phase.STARTING:
            return _lower_to(scope, 0), _grow(scope, 0)
        case Phase.STEP:
            return _step(scope)
        case Phase.PROMOTING:
            return _promote(scope)
        case Phase.ROLLING_BACK:
            return _lower_to(scope, 0), ()
        case _:  # no canary is wanted
            return _lower_to(scope, 0), _tear_down(scope)


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
            return (), (*_keep_serving(scope), *let_go(scope))
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
