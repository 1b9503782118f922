"""Whose the traffic is: the pin of the root Service, the canary copy, the weight, and the end of all three."""

from __future__ import annotations

from canary.core.effects import DeleteCopy, Effect, EnsureCopy, Pin, RestoreRoute, SetWeight
from canary.core.holding import let_go
from canary.core.judging import may_raise, what_is_bad
from canary.core.phases import Phase, Stage
from canary.core.promote import cooling_down, kept_back
from canary.core.scope import Scope


def traffic(scope: Scope) -> tuple[tuple[Effect, ...], tuple[Effect, ...]]:
    """Return what is to be done about traffic and canary: before the state is written, and after it."""
    match scope.state.phase:
        case Phase.STARTING:
            return _lower_to(scope, 0), _grow(scope, 0, scope.plan.weight_at(0))
        case Phase.STEP:
            return _share(scope, scope.plan.weight_at(scope.release.step))
        case Phase.PROMOTING:
            return _promote(scope)
        case Phase.ROLLING_BACK if scope.state.undoing:
            return _undo(scope)
        case Phase.ROLLING_BACK:
            return _take(scope), ()
        case _:  # no canary is wanted
            return _take(scope), _tear_down(scope)


def _take(scope: Scope) -> tuple[Effect, ...]:
    """Take everything from the canary: its share of the route, and clients of the root Service."""
    return _lower_to(scope, 0) or (_pin_home(scope) if scope.observed.copy is not None else ())


def _lower_to(scope: Scope, weight: int) -> tuple[Effect, ...]:
    """Take traffic from the canary, at once and by force. The root Service has to mean the other version first."""
    traffic = scope.observed.traffic
    if traffic is None or traffic.weight is None or traffic.weight <= weight or traffic.other_owner:
        return ()
    return (*_pin_home(scope), SetWeight(weight, None))


def _pin(scope: Scope, pod_template_hash: str | None) -> tuple[Effect, ...]:
    service = scope.observed.service
    if service is None or service.other_owner or scope.pinned(pod_template_hash):
        return ()
    return (Pin(pod_template_hash),)


def _pin_home(scope: Scope) -> tuple[Effect, ...]:
    """Pin the root Service to the version that is at home, as soon as it has a ready pod.

    A pin to pods that are gone, or are going without our doing, would leave the Service without endpoints; one that
    does is taken off when other pods are ready.
    """
    wanted, service = _home_hash(scope), scope.observed.service
    if wanted is None or scope.home_serves:
        return _pin(scope, wanted)
    nobody = service is not None and service.pin is not None and not service.ready_endpoints
    return _pin(scope, None) if nobody and any(rs.ready for rs in scope.workload.replica_sets) else ()


def _home_hash(scope: Scope) -> str | None:
    """The pod-template-hash of the version that is at home; None where that is nowhere, or rolls away by itself.

    A Rollout that is being deleted does not wait for pods that may never become ready.
    """
    gives_up = scope.observed.deleting and not scope.home_serves
    return None if scope.home is None or scope.rolls_by_itself or gives_up else scope.home.pod_template_hash


def _grow(scope: Scope, weight: int, capacity: int | None = None) -> tuple[Effect, ...]:
    """Pin, then capacity, then weight: each waits until the one before is seen in force.

    `capacity` is the weight that the copy is to be big enough for, if that is another.
    """
    if pin := _pin_home(scope):
        return pin
    stable = scope.stable_set
    if stable is None or not scope.pinned(stable.pod_template_hash):
        return ()
    return (*_copy(scope, weight if capacity is None else capacity), *_raise_to(scope, weight))


def _copy(scope: Scope, weight: int) -> tuple[Effect, ...]:
    """Keep a canary copy of the size that a weight needs; shrink it only when the weight is in force."""
    copy, release, wanted = scope.observed.copy, scope.release, scope.needed(weight)
    if scope.observed.service is None:
        return ()  # the canary's Service is made after it
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


def _share(scope: Scope, weight: int) -> tuple[tuple[Effect, ...], tuple[Effect, ...]]:
    """Share the traffic while stable stands by at full size: without a ready canary it gets all of it."""
    return _lower_to(scope, weight if scope.canary_ready else 0), _grow(scope, weight)


def _promote(scope: Scope) -> tuple[tuple[Effect, ...], tuple[Effect, ...]]:
    copy, stage = scope.observed.copy, scope.release.stage
    match stage:
        case Stage.SHIFT | Stage.BAKE | Stage.UNDO | None:
            return _share(scope, 100)
        case Stage.PIN:
            full = copy is not None and copy.pod_template_hash and copy.ready >= scope.needed(100)
            pin = _pin(scope, copy.pod_template_hash) if copy and full else ()
            return (), (*_copy(scope, 100), *pin, *_raise_to(scope, 100))
        case Stage.REPLACE | Stage.REPIN:
            return _carry(scope, replacing=stage is Stage.REPLACE)
        case Stage.RETURN:
            return _return(scope)
        case Stage.CLEANUP:
            # What somebody gives the canary once more stays there while the Deployment has nobody to take it.
            nobody = scope.canary_ready > 0 and not _others_serve(scope)
            return () if nobody else _take(scope), _tear_down(scope)


def _carry(scope: Scope, *, replacing: bool) -> tuple[tuple[Effect, ...], tuple[Effect, ...]]:
    """Keep all traffic on a canary of full size while the Deployment is being replaced, whatever others write.

    When it is replaced the root Service is pinned to its new pods; and to the canary's when those are gone, or worse.
    """
    traffic, copy = scope.observed.traffic, scope.observed.copy
    if copy is None or not scope.canary_ready:
        return _carry_without(scope), _copy(scope, 100)
    new = None if replacing or cooling_down(scope) or not scope.home_serves else scope.home
    pin = _pin(scope, new.pod_template_hash if new is not None else copy.pod_template_hash)
    weight: tuple[Effect, ...] = ()
    if traffic is not None and traffic.weight != 100 and not traffic.other_owner:
        weight = (SetWeight(100, traffic.resource_version),)
    return (), (*_copy(scope, 100), *pin, *weight, *(let_go(scope) if replacing else ()))


def _undo(scope: Scope) -> tuple[tuple[Effect, ...], tuple[Effect, ...]]:
    """Leave the traffic where it is until stable is back at full size: to a smaller one it would be the next failure.

    Nothing is raised any more: what somebody took from the canary goes to the root Service, which means the same pods.
    """
    copy = scope.observed.copy
    if copy is None or not scope.canary_ready:
        return _carry_without(scope), _copy(scope, 100)
    return _pin(scope, copy.pod_template_hash), _copy(scope, 100)


def _carry_without(scope: Scope) -> tuple[Effect, ...]:
    """Serve from the Deployment's ready pods, old or new, when the canary that carried everything has none left."""
    traffic = scope.observed.traffic
    best = max(scope.workload.replica_sets, key=lambda rs: rs.ready, default=None)
    if (scope.state.undoing or scope.workload.held) and scope.home_serves:
        best = scope.home  # the others go
    if best is None or best.ready == 0:
        return ()
    lower = (SetWeight(0, None),) if traffic and traffic.weight and not traffic.other_owner else ()
    # The one with the most pods may have none a moment later, while the Deployment goes on rolling; a roll that is to
    # be taken back goes on until the hold has landed.
    rolls = not scope.workload.paused and not scope.workload.rolled_out
    return (*_pin(scope, None if rolls else best.pod_template_hash), *lower)


def _return(scope: Scope) -> tuple[tuple[Effect, ...], tuple[Effect, ...]]:
    """Give the Deployment's new pods their traffic back, unless they look worse than the canary."""
    traffic, own, service = scope.observed.traffic, scope.candidate_set, scope.observed.service
    if traffic is None or own is None or service is None:
        return (), ()
    if pin := _pin(scope, own.pod_template_hash):
        return (), pin
    if not scope.canary_ready:
        return _lower_to(scope, 0), ()
    weight = scope.return_weight
    if traffic.weight is None or traffic.weight <= weight:
        return (), _copy(scope, 100)
    if kept_back(scope):
        return (), _copy(scope, 100)
    return (), (*_copy(scope, 100), SetWeight(weight, traffic.resource_version))


def _others_serve(scope: Scope) -> bool:
    """Return whether the Deployment has a ready pod, or is to have none: one that was made anew starts from nothing."""
    workload = scope.observed.workload
    if workload is None or workload.replicas == 0 or scope.observed.deleting:
        return True
    if workload.held and workload.never_ran:
        return True  # refused when it was made: nobody will
    return any(rs.ready for rs in workload.replica_sets)


def _tear_down(scope: Scope) -> tuple[Effect, ...]:
    """Drain, give the route back to Git, delete the copy, unpin: each step when the one before is seen done."""
    traffic, copy, service = scope.observed.traffic, scope.observed.copy, scope.observed.service
    at_home = service is None or bool(service.other_owner) or scope.pinned(_home_hash(scope))
    restored = traffic is None or traffic.weight is None or bool(traffic.other_owner)
    if copy is not None:
        silent_since = scope.state.drained_since  # not at home, the Service would lose its endpoints with the copy
        if (
            not at_home
            or not _others_serve(scope)
            or silent_since is None
            or scope.now - silent_since < scope.plan.drain_seconds
        ):
            return ()
        if restored and copy.deleting:
            return ()
        return (DeleteCopy(),) if restored else (RestoreRoute(),)
    if service is not None and service.pin is not None and not service.other_owner:
        return (Pin(None),)
    if not restored:
        return (RestoreRoute(),)
    return (DeleteCopy(),) if scope.observed.canary_service else ()
