"""What happens next to a Rollout, and when: the last line of `canary status`."""

from __future__ import annotations

from datetime import datetime, timedelta

from canary.cli.cluster import Seen
from canary.cli.state import RETREATING, awaits_approval, is_refused, paused_by
from canary.cli.wording import SHORT_COMMIT, STAGES, span
from canary.core.phases import Phase, Stage
from canary.core.plan import WeightStep
from canary.core.promote import RETURN_COOL_DOWN_SECONDS, RETURN_WORSE

INCONCLUSIVE = {
    "hold": "it holds and tells",
    "promote": "the next step begins",
    "rollBack": "it is rolled back",
}
"""What follows a step without a verdict, by `analysis.onInconclusive`."""


AT_REST = {
    None: "Nothing, until an operator sees it: is one running (`canary run`)?",
    Phase.PENDING: "It is adopted as soon as what it names is there.",
    Phase.STABLE: "The next version in Git starts a release.",
    Phase.HELD: "The canary starts, as soon as what the release needs is there.",
    Phase.ROLLING_BACK: "Traffic goes back to the stable version, then the commit is reverted in Git.",
    Phase.PAUSED: "Nothing, until the Deployment's owner unpauses it.",
}
"""What follows where neither times nor steps matter."""


def outlook(seen: Seen, now: datetime) -> str:
    """Say what happens next, in one or two sentences."""
    if is_refused(seen):
        return f"Nothing, until another version comes, or `canary retry {seen.name}`."
    if (paused := paused_by(seen)) and seen.phase not in RETREATING:
        return f"Nothing, until `canary resume {seen.name}`: paused by {paused}. A bad verdict still rolls back."
    match seen.phase:
        case Phase.STABLE if seen.stalled:
            return "A new version would wait, held, until that is mended."
        case Phase.STARTING:
            return _starting(seen)
        case Phase.STEP:
            return _step(seen, now)
        case Phase.PROMOTING:
            return _promoting(seen, now)
        case Phase.REVERTING:
            return _reverting(seen)
        case Phase.AWAITING_GIT:
            return _awaiting_git(seen)
        case other:
            return AT_REST[other]


def _starting(seen: Seen) -> str:
    deadline = f" within {seen.spec.progress_deadline}" if seen.spec else ""
    first = next((s for s in seen.steps if isinstance(s, WeightStep)), None)
    share = f" gets {first.weight} % of the traffic" if first else " gets its first traffic"
    return f"The canary{share} when its pods are ready; not ready{deadline}, it is rolled back."


def _step(seen: Seen, now: datetime) -> str:
    status = seen.status
    if awaits_approval(seen):
        return f"It waits at {status.weight} % for `canary approve {seen.name}`."
    after = _after(seen)
    if not isinstance(seen.step, WeightStep):
        return f"{after}, if the evidence is good."
    if status.weight != status.weight_wanted:
        return f"The watch begins when {status.weight_wanted} % is in force at the gateway."
    return _watch(seen, seen.step, now, after)


def _watch(seen: Seen, step: WeightStep, now: datetime, after: str) -> str:
    """Say when a step that is watched may end, and when it has to."""
    began = seen.status.release.step_started_at if seen.status.release else None
    if began is None:
        return f"The watch begins when {step.weight} % is in force at the gateway."
    earliest = began + timedelta(seconds=step.at_least_seconds)
    latest = began + timedelta(seconds=step.at_most_seconds)
    inconclusive = INCONCLUSIVE.get(seen.spec.analysis.on_inconclusive.value, "") if seen.spec else ""
    if now >= latest:
        return f"{after} when the evidence is good: the step's time is over without a verdict."
    early = f"in {span((earliest - now).total_seconds())}, if" if now < earliest else "as soon as"
    late = span((latest - now).total_seconds())
    return f"{after} {early} the evidence is good; in {late} if nothing speaks against the canary. Else {inconclusive}."


def _after(seen: Seen) -> str:
    """Say what the next step is."""
    following = (seen.status.step or 0) + 1
    if following >= len(seen.steps):
        return "It is promoted" if seen.steps else "The next step begins"
    step = seen.steps[following]
    return f"It is raised to {step.weight} %" if isinstance(step, WeightStep) else "An approval is asked for"


def _promoting(seen: Seen, now: datetime) -> str:
    stage = seen.stage
    if stage is None:
        return "All traffic goes to the canary, then the stable version is replaced."
    began = seen.status.release.step_started_at if seen.status.release else None
    if stage is Stage.BAKE and seen.spec and began:
        left = (began + timedelta(seconds=seen.spec.bake_seconds()) - now).total_seconds()
        return f"The stable version is replaced in {span(left)}, if the evidence stays good."
    changed = seen.status.release.since if seen.status.release else None
    if stage is Stage.REPIN and seen.status.reason == RETURN_WORSE and changed:
        left = (changed - now).total_seconds() + RETURN_COOL_DOWN_SECONDS
        when = f"in {span(left)}" if left > 0 else "now"
        return f"The new pods are tried again {when}, from a tenth of the traffic on; until then the canary serves."
    if stage is Stage.RETURN:
        return "The rest of the traffic follows, and the canary goes, unless the new pods look worse than the canary."
    order = list(Stage)
    following = order[order.index(stage) + 1] if stage not in (Stage.CLEANUP, Stage.UNDO) else None
    return f"Then {STAGES[following]}." if following else "Then the new version is the stable one."


def _reverting(seen: Seen) -> str:
    revert = seen.status.revert
    if revert is not None and not revert.final:
        return "The revert is tried again with growing pauses; traffic stays at zero."
    return "The commit that brought the version is reverted in Git; traffic stays at zero."


def _awaiting_git(seen: Seen) -> str:
    revert = seen.status.revert
    if revert is not None and revert.commit:
        return f"The GitOps engine applies the revert {revert.commit[:SHORT_COMMIT]}, then the release is over."
    return f"Somebody brings another version in Git, or `canary retry {seen.name}` tries this one again."
