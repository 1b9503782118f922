"""From what a Rollout says to the plan that is decided by."""

from __future__ import annotations

from canary.api import rollout as api
from canary.api.strategy import ApprovalStep as ApiApproval
from canary.core.phases import Phase, Stage
from canary.core.plan import ApprovalStep, OnInconclusive, Plan, Step, WeightStep
from canary.core.state import State


def plan_of(rollout: api.Rollout) -> Plan:
    """Return the plan of a Rollout, every default filled in."""
    spec = rollout.spec
    steps: tuple[Step, ...] = tuple(
        ApprovalStep()
        if isinstance(step, ApiApproval)
        else WeightStep(step.weight_percent, float(step.at_least_seconds), float(step.at_most_seconds))
        for step in spec.effective_steps()
    )
    return Plan(
        name=rollout.metadata.name,
        steps=steps,
        bake_seconds=float(spec.bake_seconds()),
        on_inconclusive=OnInconclusive(spec.analysis.on_inconclusive.value),
        no_data_after_seconds=float(spec.analysis.no_data_after.seconds),
        progress_deadline_seconds=float(spec.progress_deadline.seconds),
        revert=spec.rollback.git.mode is api.GitMode.PUSH,
        has_analysis=bool(spec.effective_templates()),
        workload=spec.workload.name,
        service=spec.service.name,
        route=route.name if (route := spec.traffic.gateway_api and spec.traffic.gateway_api.route) else "",
    )


def weight_wanted(plan: Plan, state: State) -> int:
    """Return the canary's share that a state asks for, in percent."""
    release = state.release
    if release is None:
        return 0
    match state.phase, release.stage:
        case Phase.STEP, _:
            return plan.weight_at(release.step)
        case Phase.PROMOTING, Stage.RETURN:
            return plan.return_weights[min(release.return_step, len(plan.return_weights) - 1)]
        case Phase.PROMOTING, Stage.CLEANUP:
            return 0
        case (Phase.PROMOTING, _) | (Phase.ROLLING_BACK, Stage.UNDO):
            return 100
        case _:
            return 0
