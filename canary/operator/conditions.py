"""Ready, Reconciling and Stalled, as a function of the state: what Flux's `wait`, Argo CD and `kubectl wait` read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from canary.api.conditions import Condition, ConditionStatus, ConditionType
from canary.core.phases import Phase
from canary.core.state import State
from canary.operator.kinds import Obj

_UNSETTLED: Final = frozenset({"Rolling", "Resumed"})
"""Reasons in `Phase.STABLE` while the Deployment still rolls: what serves is not all of what Git says."""
_FAILED: Final = frozenset({Phase.ROLLING_BACK, Phase.REVERTING, Phase.AWAITING_GIT})
"""The release has failed, and Git still says its version. Called stalled and not reconciling, because Flux with `wait`
gives up on a failed object at once and then applies the next commit; for one that makes progress it would wait until
its timeout, and the revert with it (measured: 62 s of a timeout of 2 minutes)."""


def conditions(state: State, generation: int, before: Iterable[Obj], now: float) -> tuple[Condition, ...]:
    """Return the conditions; kstatus wants Reconciling and Stalled to be present only while they are true.

    A condition's time changes only when its status does.
    """
    known = {c.get("type"): c for c in before}
    ready = state.phase is Phase.STABLE and not state.stalled and state.reason not in _UNSETTLED
    wanted = [(ConditionType.READY, ConditionStatus.TRUE if ready else ConditionStatus.FALSE)]
    if state.stalled or state.phase in _FAILED:
        wanted.append((ConditionType.STALLED, ConditionStatus.TRUE))
    elif not ready:
        wanted.append((ConditionType.RECONCILING, ConditionStatus.TRUE))
    return tuple(_condition(kind, status, state, generation, known.get(kind.value), now) for kind, status in wanted)


def _condition(
    kind: ConditionType, status: ConditionStatus, state: State, generation: int, before: Obj | None, now: float
) -> Condition:
    unchanged = before is not None and before.get("status") == status.value
    since = before["lastTransitionTime"] if before is not None and unchanged else datetime.fromtimestamp(int(now), UTC)
    message = state.message if len(state.message) <= 2048 else state.message[:2047] + "…"
    return Condition(
        type=kind,
        status=status,
        reason=state.reason[:64] or state.phase.value,
        message=message,
        observed_generation=generation,
        last_transition_time=since,
    )
