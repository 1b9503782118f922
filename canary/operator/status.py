"""The state as it is written into a Rollout's status, and back: the border between the core's values and the API's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from canary.analysis.verdict import Verdict
from canary.api import status as api
from canary.core.observed import Observed
from canary.core.phases import Phase
from canary.core.plan import Plan
from canary.core.state import Past, Rejected, Release, Revert, Revision, State
from canary.operator.conditions import conditions
from canary.operator.fields import cut, time_of
from canary.operator.kinds import Obj
from canary.operator.report import report_of


@dataclass(frozen=True, slots=True)
class Shown:
    """What a status tells people besides the state: read from the world, and never read back."""

    steps: int = 0
    weight_wanted: int = 0
    weight: int = 0
    paused_by: str = ""
    verdict: Verdict | None = None


def shown(plan: Plan, observed: Observed, state: State, weight_wanted: int) -> Shown:
    """Return what is told of an observation."""
    traffic, release = observed.traffic, state.release
    weight = (traffic.weight or 0) if traffic is not None and traffic.in_force else 0
    current = observed.analysis
    verdict = current.verdict if current and release and current.release == release.id else None
    return Shown(
        steps=len(plan.steps) if release else 0,
        weight_wanted=weight_wanted,
        weight=weight,
        paused_by="canary pause" if observed.commands.paused else "",
        verdict=verdict,
    )


def to_status(state: State, told: Shown, generation: int, before: Obj, now: float) -> Obj:
    """Return the status to write, in the API's JSON.

    `before` is the present status: times of conditions that did not change, and of a pause, are kept from it.
    """
    release = state.release
    paused = None
    if told.paused_by:
        at = (before.get("paused") or {}).get("at") or time_of(now)
        paused = api.PauseStatus(by=told.paused_by, at=at)
    model = api.RolloutStatus(
        observed_generation=generation,
        phase=state.phase,
        reason=state.reason[:64],
        message=cut(state.message),
        stalled=state.stalled,
        attempts=state.attempts,
        drained_since=_maybe(state.drained_since),
        step=release.step if release and state.phase is Phase.STEP else None,
        steps=told.steps or None,
        promotion=release.stage if release else None,
        weight_wanted=told.weight_wanted,
        weight=told.weight,
        stable=_revision(state.stable),
        candidate=_revision(release.candidate if release else None),
        release=_release(release, told.verdict),
        paused=paused,
        report=report_of(told.verdict) if told.verdict else _kept_report(before),
        revert=_revert(release) if release and release.revert else None,
        rejected=tuple(
            api.RejectedVersion(
                version_hash=r.version_hash,
                template_hash=r.template_hash,
                at=time_of(r.at),
                commit=r.commit,
                reason=cut(r.reason),
                images=_images(r.images),
            )
            for r in state.rejected
        ),
        history=tuple(_past(p) for p in state.history),
        conditions=conditions(state, generation, before.get("conditions") or (), now),
    )
    status: Obj = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    return status


def from_status(status: Obj) -> State:
    """Return the state that a status remembers; an empty one that of a Rollout seen for the first time.

    Raises
    ------
    pydantic.ValidationError
        Somebody wrote a status that is none.
    """
    model = api.RolloutStatus.model_validate(status)
    if model.phase is None:
        return State()
    return State(
        phase=model.phase,
        stable=_to_revision(model.stable),
        release=_to_release(model),
        rejected=tuple(
            Rejected(r.template_hash, r.version_hash, round(r.at.timestamp(), 3), r.commit, r.reason, r.images)
            for r in model.rejected
        ),
        history=tuple(
            Past(
                p.id,
                p.template_hash,
                p.images,
                p.outcome.value,
                round(p.started_at.timestamp(), 3),
                round(p.ended_at.timestamp(), 3),
                p.commit,
                p.message,
                p.revert_commit,
            )
            for p in model.history
        ),
        drained_since=_seconds(model.drained_since),
        attempts=model.attempts,
        reason=model.reason,
        message=model.message,
        stalled=model.stalled,
    )


def merge_patch(before: Any, after: Any) -> Any:  # noqa: ANN401 -- JSON
    """Return the merge patch that turns one JSON object into another; None when they are equal."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return None if before == after else after
    patch: Obj = {}
    for key in before.keys() | after.keys():
        if key not in after:
            patch[key] = None
        elif key not in before:
            patch[key] = after[key]
        elif (change := merge_patch(before[key], after[key])) is not None:
            patch[key] = change
    return patch or None


def _images(images: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(image[:512] for image in images[:32])


def _maybe(seconds: float | None) -> datetime | None:
    return None if seconds is None else time_of(seconds)


def _seconds(time: datetime | None) -> float | None:
    return None if time is None else round(time.timestamp(), 3)


def _revision(revision: Revision | None) -> api.Revision | None:
    if revision is None:
        return None
    return api.Revision(
        template_hash=revision.template_hash,
        version_hash=revision.version_hash,
        images=_images(revision.images),
        commit=revision.commit,
    )


def _to_revision(model: api.Revision | None) -> Revision | None:
    return None if model is None else Revision(model.template_hash, model.version_hash, model.images, model.commit)


def _release(release: Release | None, verdict: Verdict | None) -> api.ReleaseStatus | None:
    if release is None:
        return None
    return api.ReleaseStatus(
        id=release.id,
        started_at=time_of(release.held_at),
        attempt=max(1, release.attempt),
        step=release.step,
        since=time_of(release.since),
        step_started_at=_maybe(release.in_force_since),
        analysis_since=_maybe(release.analysis_since),
        unready_since=_maybe(release.unready_since),
        return_step=release.return_step,
        blocked=release.blocked,
        verdict_at=_maybe(release.verdict_at),
        verdict_reason=release.verdict_reason,
        report=cut(release.report),
        no_data_since=_maybe(verdict.no_data_since if verdict else None),
    )


def _to_release(model: api.RolloutStatus) -> Release | None:
    release, candidate = model.release, _to_revision(model.candidate)
    if release is None or candidate is None:
        return None
    return Release(
        id=release.id,
        candidate=candidate,
        attempt=release.attempt,
        held_at=round(release.started_at.timestamp(), 3),
        step=release.step,
        stage=model.promotion,
        since=_seconds(release.since) or 0.0,
        in_force_since=_seconds(release.step_started_at),
        analysis_since=_seconds(release.analysis_since),
        unready_since=_seconds(release.unready_since),
        return_step=release.return_step,
        blocked=release.blocked,
        verdict_at=_seconds(release.verdict_at),
        verdict_reason=release.verdict_reason,
        report=release.report,
        revert=_to_revert(model.revert),
    )


def _revert(release: Release) -> api.RevertStatus | None:
    revert = release.revert
    if revert is None:
        return None
    return api.RevertStatus(
        mode=api.RevertMode.PUSH if revert.commit else api.RevertMode.NONE,
        commit=revert.commit,
        culprits=revert.culprits[:64],
        reason=revert.reason[:64],
        message=cut(revert.message),
        final=revert.final,
        at=time_of(revert.at),
        verdict_at=_maybe(release.verdict_at),
    )


def _to_revert(model: api.RevertStatus | None) -> Revert | None:
    if model is None:
        return None
    return Revert(
        reason=model.reason,
        final=model.final,
        commit=model.commit,
        culprits=model.culprits,
        message=model.message,
        at=_seconds(model.at) or 0.0,
    )


def _past(past: Past) -> api.PastRelease:
    return api.PastRelease(
        id=past.id,
        outcome=api.Outcome(past.outcome),
        started_at=time_of(past.started_at),
        ended_at=time_of(past.ended_at),
        template_hash=past.template_hash,
        images=_images(past.images),
        commit=past.commit,
        revert_commit=past.revert_commit,
        message=cut(past.message),
    )


def _kept_report(before: Obj) -> api.ReportBrief | None:
    """The last report stays for `canary why` until the next release has one of its own."""
    report = before.get("report")
    return api.ReportBrief.model_validate(report) if report else None
