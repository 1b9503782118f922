"""The Deployment: held, let go, and of its ReplicaSets only the one that is meant to run has pods."""

from __future__ import annotations

from canary.core.effects import Effect, Hold, LetGo, ScaleReplicaSet
from canary.core.phases import Phase, Stage
from canary.core.scope import Scope


def deployment(scope: Scope) -> tuple[Effect, ...]:
    """Hold, let go, and see that only the version that is meant to run has pods."""
    workload, state = scope.observed.workload, scope.state
    if workload is None or state.stable is None or workload.other_owner:
        return ()
    if _is_to_be_held(scope):
        return (Hold(workload.resource_version),)
    if state.past_the_point_of_no_return and state.release is not None:
        return _only(scope, state.release.candidate.template_hash)
    if workload.held and not scope.at_stable:
        return _only(scope, state.stable.template_hash)
    lets_go = state.phase is Phase.STABLE and (scope.observed.policies or scope.observed.deleting)
    return (LetGo(workload.resource_version),) if lets_go and workload.held else ()


def _is_to_be_held(scope: Scope) -> bool:
    """Tell whether the operator has to pause the Deployment itself, for no admission policy does.

    While it rolls to what was judged it cannot be paused; from then on it is, so that the next version waits.
    """
    workload, state = scope.workload, scope.state
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
    Ready pods of another are not taken away before those that take their place are ready, unless the canary carries.
    """
    workload = scope.workload
    meant = workload.replica_set_of(template_hash)
    if not workload.held or meant is None or workload.revision.template_hash == template_hash:
        return ()
    carried = scope.state.past_the_point_of_no_return and scope.canary_ready > 0
    replaced = carried or 0 < meant.replicas <= meant.ready
    effects: list[Effect] = [
        ScaleReplicaSet(rs.name, 0)
        for rs in workload.replica_sets
        if rs.name != meant.name and rs.replicas > 0 and (replaced or rs.ready == 0)
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
