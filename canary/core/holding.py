"""The Deployment: held, let go, and of its ReplicaSets only the one that is meant to run has pods."""

from __future__ import annotations

from canary.core.effects import Effect, Hold, LetGo, ScaleReplicaSet
from canary.core.first_sight import may_run_first
from canary.core.phases import Phase, Stage
from canary.core.scope import Scope


def deployment(scope: Scope) -> tuple[Effect, ...]:
    """Hold, let go, and see that only the version that is meant to run has pods."""
    workload, state = scope.observed.workload, scope.state
    if workload is None or workload.other_owner:
        return ()
    if state.stable is None:
        first_goes = may_run_first(scope) and not scope.observed.deleting
        return (LetGo(workload.resource_version),) if first_goes else ()
    if _is_to_be_held(scope):
        return (Hold(workload.resource_version),)
    if state.past_the_point_of_no_return and state.release is not None:
        candidate = state.release.candidate.template_hash
        return _only(scope, candidate) if workload.revision.template_hash != candidate else ()
    lets_go = state.phase is Phase.STABLE and (scope.observed.policies or scope.observed.deleting)
    if lets_go and workload.held and scope.at_stable:
        return (LetGo(workload.resource_version),)
    return _only(scope, state.stable.template_hash)


def _is_to_be_held(scope: Scope) -> bool:
    """Tell whether the operator has to pause the Deployment itself, for no admission policy does.

    While it rolls to what was judged it cannot be paused; from then on it is, so that the next version waits. A roll
    that is taken back is stopped so with the policies, too.
    """
    workload, state = scope.workload, scope.state
    if state.undoing and not workload.held:
        return True
    if scope.observed.policies or scope.observed.deleting or workload.paused:
        return False
    if state.release is None:
        undone = not scope.at_stable and not workload.rolled_out  # a version that came while nothing held it
        return state.phase is Phase.STABLE and (undone or (scope.at_stable and workload.rolled_out))
    if state.past_the_point_of_no_return:
        at_candidate = workload.revision.template_hash == state.release.candidate.template_hash
        return not at_candidate or state.release.stage is not Stage.REPLACE
    return True


def _only(scope: Scope, template_hash: str) -> tuple[Effect, ...]:
    """While the Deployment is held, scale every ReplicaSet but one to zero, and that one up from zero.

    A paused Deployment spreads its size over all active ReplicaSets, and from zero starts the newest one by creation.
    Unless the canary carries, ready pods of another are not taken away before those that take their place are ready,
    and never those that the root Service means.
    """
    workload = scope.workload
    meant = workload.replica_set_of(template_hash)
    if not workload.held or meant is None:
        return ()
    state = scope.state
    carried = (state.past_the_point_of_no_return or state.undoing) and scope.canary_ready > 0
    replaced, service = 0 < meant.replicas <= meant.ready, scope.observed.service
    used = service.pin if service is not None else None
    effects: list[Effect] = [
        ScaleReplicaSet(rs.name, 0)
        for rs in workload.replica_sets
        if rs.name != meant.name
        and rs.replicas > 0
        and (carried or rs.ready == 0 or (replaced and rs.pod_template_hash != used))
    ]
    if meant.replicas == 0 and workload.replicas > 0:
        effects.insert(0, ScaleReplicaSet(meant.name, workload.replicas))
    return tuple(effects)


def let_go(scope: Scope) -> tuple[Effect, ...]:
    """Let the Deployment roll, if it still says just what was judged and the canary carries everything."""
    workload, copy = scope.workload, scope.observed.copy
    same = workload.revision.template_hash == scope.release.candidate.template_hash
    safe = (
        copy is not None
        and scope.canary_ready >= scope.needed(100)
        and scope.pinned(copy.pod_template_hash)
        and scope.weight_in_force(100)
    )
    return (LetGo(workload.resource_version),) if workload.paused and same and safe else ()
