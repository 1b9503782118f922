"""A roll that is taken back: the version was judged bad while the Deployment was already being replaced.

Stable may have lost pods by then, so that traffic cannot go back at once. The Deployment is held again, its pods of the
bad version go, the controller brings stable to full size, and only then does the ordinary roll-back begin.
"""

from __future__ import annotations

from canary.core.judging import what_is_bad
from canary.core.phases import Phase, Stage
from canary.core.retreat import roll_back
from canary.core.scope import Scope, enter, stay
from canary.core.sentences import sentences
from canary.core.state import State


def taken_back(scope: Scope) -> State | None:
    """Return the state in which a roll that has not finished is taken back, because its version is bad; else None.

    Without a ReplicaSet of stable there is nothing to go back to: the roll goes on.
    """
    if scope.release.stage is not Stage.REPLACE or scope.stable_set is None:
        return None
    bad = what_is_bad(scope)
    return None if bad is None else roll_back(scope, bad, stage=Stage.UNDO)


def undoing(scope: Scope) -> State:
    """Wait until the Deployment is held and stable is at full size, alone; a newer commit waits as well."""
    workload, stable, release = scope.workload, scope.stable_set, scope.release
    others = any(rs.replicas > 0 for rs in workload.replica_sets if stable is None or rs.name != stable.name)
    full = stable is None or (stable.replicas >= workload.replicas and stable.ready >= workload.replicas)
    if workload.held and full and not others:
        again = "The stable version runs at full size again: it gets its traffic back."
        message = sentences(release.brief, again)
        return enter(scope, Phase.ROLLING_BACK, step=release.step, reason=release.verdict_reason, message=message)
    if scope.elapsed >= scope.plan.progress_deadline_seconds and not scope.state.stalled:
        message = (
            "The stable version does not come back to full size (quota, nodes?): traffic stays on the canary, "
            "although it was judged bad, until there is room."
        )
        return stay(scope.state, "RollStuck", message, stalled=True)
    return scope.state
