"""What speaks against a candidate, and whether a step has been watched long enough."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from canary.analysis.verdict import Outcome, Reason, Verdict
from canary.core.plan import OnInconclusive, WeightStep
from canary.core.scope import Scope

UNREADY_DEADLINE_SECONDS = 30.0
"""A canary that had traffic and lacks ready capacity for longer is judged bad. Short, because unready canary pods
keep the user's autoscaler from growing stable."""

LOOK_SECONDS = 30.0
"""How long after its time the first look is waited for before the judges are called silent. Longer than a query that
hangs until its limit, and the next tick."""


@dataclass(frozen=True, slots=True)
class Bad:
    """Why a release is rolled back."""

    reason: str
    message: str


def verdict_of(scope: Scope) -> Verdict | None:
    """Return the judges' verdict on the release under way; None when they have not looked yet, or at another one."""
    analysis = scope.observed.analysis
    return analysis.verdict if analysis is not None and analysis.release == scope.release.id else None


def look_expected_until(scope: Scope) -> float | None:
    """Return until when the first look may be waited for without a word; None when there was one."""
    if verdict_of(scope) is not None:
        return None
    analysis, in_force = scope.observed.analysis, scope.release.in_force_since
    known = analysis is not None and analysis.release == scope.release.id
    return max(in_force or scope.release.since, analysis.first_look_at if analysis and known else 0.0) + LOOK_SECONDS


def what_is_bad(scope: Scope) -> Bad | None:
    """Return the reason to roll the release back now, or None.

    Crashes and readiness act without metrics; a failed verdict acts at once; a person's `abort` is a verdict too.
    """
    observed, release = scope.observed, scope.release
    if observed.commands.abort == release.id:
        return Bad("Aborted", "Aborted by `canary abort`.")
    copy = observed.copy
    # A canary that somebody edited says nothing of the version; it is put back, and judged then.
    edited = copy is not None and copy.template_hash not in ("", release.candidate.template_hash)
    if copy is not None and copy.release == release.id and copy.failure and not edited:
        return Bad("CanaryFailed", f"The canary cannot run: {copy.failure}")
    if release.unready_since is not None and scope.now - release.unready_since >= UNREADY_DEADLINE_SECONDS:
        return Bad("CanaryUnready", f"The canary lacked ready pods for {UNREADY_DEADLINE_SECONDS:.0f} s.")
    verdict = verdict_of(scope)
    if verdict is not None and verdict.outcome is Outcome.FAIL:
        return Bad("AnalysisFailed", verdict.message)
    return None


def may_raise(scope: Scope) -> str:
    """Return why the canary's traffic may not be raised now; the empty string when it may."""
    observed, release = scope.observed, scope.release
    if observed.commands.paused:
        return "paused by `canary pause`"
    if observed.problem:
        return observed.problem
    if not observed.load.enough:
        return f"stable alone would not carry the whole load: {observed.load.why}"
    if release.analysis_since is None or _measured_nothing_for_want_of_traffic(scope):
        return ""  # nothing is sent to it, so there is nothing to judge
    return doubt(scope)


def _measured_nothing_for_want_of_traffic(scope: Scope) -> bool:
    """Return whether all that the judges lack are the series of a canary that gets no traffic.

    Its pods died, so its weight was taken off, and a new process of an application has no counters before its first
    request: without its weight it would never have any.
    """
    traffic, verdict = scope.observed.traffic, verdict_of(scope)
    if traffic is None or traffic.weight != 0 or verdict is None or verdict.suspicious:
        return False
    missing = [reading.reason for reading in verdict.readings if reading.outcome is Outcome.ERROR]
    return verdict.outcome is Outcome.ERROR and set(missing) == {Reason.NO_CANDIDATE_DATA}


def doubt(scope: Scope) -> str:
    """Return what the judges have against giving the canary more; the empty string when they have nothing."""
    if not scope.plan.has_analysis:
        return ""
    verdict = verdict_of(scope)
    if verdict is None:
        return "the judges have not looked yet"
    if verdict.suspicious:
        return f"there is evidence against the canary: {verdict.message}"
    if verdict.outcome in (Outcome.ERROR, Outcome.FAIL):
        return verdict.message
    return ""


class Watched(StrEnum):
    """What watching a step has come to."""

    GO_ON = "goOn"
    WAIT = "wait"
    HOLD = "hold"
    """As long as it may last, and the judges cannot say."""
    GIVE_UP = "giveUp"
    """The same, and the Rollout says to roll back then."""


def nothing_found(verdict: Verdict) -> bool:
    """Return whether a fair look found nothing: enough was measured, and no evidence is against the canary.

    That is weaker than evidence *for* it, which a small share of traffic may not give in any reasonable time; it is
    what a step is for (docs/decisions/0003). Too little traffic, no data and suspicion are not this.
    """
    decisive = [reading for reading in verdict.readings if reading.critical]
    return (
        bool(decisive)
        and not verdict.suspicious
        and all(r.outcome is Outcome.PASS or r.reason is Reason.NOT_ENOUGH_EVIDENCE for r in decisive)
    )


def watched(scope: Scope, step: WeightStep) -> Watched:
    """Return whether a step may end: early on evidence for the canary, at `atMost` if nothing is against it."""
    since = scope.release.in_force_since
    if since is None or scope.now - since < step.at_least_seconds:
        return Watched.WAIT
    if not scope.plan.has_analysis:
        return Watched.GO_ON
    verdict = verdict_of(scope)
    # A look from before says nothing of this weight, and while the next one hangs it is the newest there is.
    covers = verdict is not None and verdict.at - since >= step.at_least_seconds
    if verdict is not None and covers and verdict.outcome is Outcome.PASS and not verdict.suspicious:
        return Watched.GO_ON
    if scope.now - since < step.at_most_seconds:
        return Watched.WAIT
    if verdict is not None and covers and nothing_found(verdict):
        return Watched.GO_ON
    expected = look_expected_until(scope)
    if expected is not None and scope.now < expected:
        return Watched.WAIT  # a step may be shorter than the interval of what is measured
    if verdict is None or verdict.outcome is Outcome.ERROR:
        return Watched.HOLD  # no data is never a reason to go on, nor to roll back
    if not covers:
        return Watched.WAIT  # a look takes some seconds; one that fails is an error after them
    match scope.plan.on_inconclusive:
        case OnInconclusive.PROMOTE if not verdict.suspicious:
            return Watched.GO_ON
        case OnInconclusive.ROLL_BACK:
            return Watched.GIVE_UP
        case _:
            return Watched.HOLD
