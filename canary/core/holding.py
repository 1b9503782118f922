"""The Deployment: held, let go, and of its ReplicaSets only the one that is meant to run has pods."""

from __future__ import annotations

from canary.core.effects import Effect, Hold, LetGo, ScaleReplicaSet
from canary.core.phases import Phase
from canary.core.scope import Scope


def deployment(scope: Scope) -> tuple[Effect, ...]:
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


def let_go(scope: Scope) -> tuple[Effect, ...]:
    """Let the Deployment roll, if it still says just what was judged and the canary carries everything."""
    workload, copy = scope.workload, scope.observed.copy
    same = workload.revision.template_hash == scope.release.candidate.template_hash
    safe = copy is not None and scope.pinned(copy.pod_template_hash) and scope.weight_in_force(100)
    return (LetGo(workload.resource_version),) if workload.held and same and safe else ()
