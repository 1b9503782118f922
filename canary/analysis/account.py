"""What one metric found, as a report tells it: both sides with intervals, the evidence's course, what else would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from canary.analysis.course import Course
from canary.analysis.share import ratio_interval, share_interval
from canary.analysis.verdict import SUSPICION, MetricReading, Outcome, Reason, SideSummary
from canary.analysis.wording import PASS_EVIDENCE, odds

WILD = 1.5
"""Dispersion from which on the report mentions it."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its interval of 95 %."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Side:
    """What was counted on one side."""

    requests: float
    bad: float
    share: Estimate | None
    """Of bad requests, 0 to 1; None without requests."""

    @classmethod
    def of(cls, side: SideSummary, dispersion: float) -> Self:
        """Put an interval to it."""
        if side.ratio is None:
            return cls(side.count, side.bad, None)
        return cls(side.count, side.bad, Estimate(side.ratio, *share_interval(side.bad, side.count, dispersion)))

    @property
    def text(self) -> str:
        """The side in a line."""
        if self.share is None:
            return "no requests"
        low, high = self.share.low, self.share.high
        counted = f"{self.bad:,.0f} of {self.requests:,.0f} requests"
        return f"{self.share.value:.2%} bad   {counted}   ({low:.2%} to {high:.2%})"


@dataclass(frozen=True, slots=True)
class Account:
    """One metric."""

    reading: MetricReading
    canary: Side | None
    """None for a judge that does not count requests."""
    stable: Side | None
    ratio: Estimate | None
    """The canary's bad share over stable's; None without requests, or with none bad on stable."""
    change: str
    """What would have changed it, in a sentence; empty when nothing can be said."""

    @classmethod
    def of(cls, reading: MetricReading) -> Self:
        """Tell a reading."""
        dispersion = reading.dispersion or 1.0
        values = reading.value is not None or reading.reason is Reason.NOTHING_TO_COMPARE
        counts = reading.canary.count > 0 or reading.stable.count > 0 or (reading.judge == "compare" and not values)
        canary = Side.of(reading.canary, dispersion) if counts else None
        stable = Side.of(reading.stable, dispersion) if counts else None
        return cls(reading, canary, stable, _ratio(reading, dispersion), _change(reading))

    @property
    def lines(self) -> tuple[str, ...]:
        """The metric in a few lines."""
        reading = self.reading
        advisory = "" if reading.critical else ", advisory"
        lines = [f"{reading.metric}: {reading.outcome} ({reading.reason}{advisory})"]
        if self.canary is not None and self.stable is not None:
            lines += [f"  canary    {self.canary.text}", f"  stable    {self.stable.text}"]
        if self.ratio is not None:
            tolerated = f"; tolerated: {reading.tolerated:g}" if reading.tolerated is not None else ""
            lines.append(
                f"  ratio     {self.ratio.value:.2g} times stable's ({self.ratio.low:.2g} to {self.ratio.high:.2g}"
                f"{tolerated})"
            )
        if reading.judge == "compare":
            lines += self._evidence()
        # What an open comparison of counts has to say stands in its evidence.
        if self.canary is None or reading.judge != "compare" or reading.reason is not Reason.NOT_ENOUGH_EVIDENCE:
            lines.append(f"  why       {reading.why or reading.message}")
        if self.change:
            lines.append(f"  else      {self.change}")
        return (*lines, *(f"  note      {note}" for note in _notes(reading)))

    def _evidence(self) -> list[str]:
        reading = self.reading
        blocks, fails, passes = odds(SUSPICION), odds(reading.evidence_limit), odds(PASS_EVIDENCE)
        bars = reading.course.bars(reading.evidence_limit)
        lines = [
            f"  evidence  {odds(reading.evidence_against)} against it (fails from {fails}, no raise from {blocks})",
            f"            {odds(reading.evidence_for)} for it (passes from {passes})",
        ]
        if len(bars) > 1:
            seconds = reading.course.step_seconds
            lines.append(f"  course    {bars}   against it, {seconds:.0f} s a bar, {len(bars) * seconds:.0f} s in all")
        return lines


def _ratio(reading: MetricReading, dispersion: float) -> Estimate | None:
    canary, stable = reading.canary, reading.stable
    if canary.ratio is None or not stable.ratio:
        return None
    low, high = ratio_interval((canary.bad, canary.count), (stable.bad, stable.count), dispersion)
    return Estimate(canary.ratio / stable.ratio, low, high)


def _change(reading: MetricReading) -> str:
    swing = reading.swing
    if reading.judge != "compare" or swing is None:
        return ""
    many = f"{swing:,d} bad request{'s' if swing != 1 else ''}"
    if reading.outcome is Outcome.FAIL:
        return f"With about {many} fewer (it had {reading.canary.bad:,.0f}) it would have gone on."
    if reading.outcome is Outcome.INCONCLUSIVE:
        return f"About {many} more, at once, would fail it."
    return ""


def _notes(reading: MetricReading) -> tuple[str, ...]:
    """What makes the evidence worth less than it looks."""
    notes = list(reading.notes)
    if reading.dispersion is not None and reading.dispersion >= WILD:
        notes.append(
            f"stable's bad requests vary {reading.dispersion:.1f} times more than by chance: evidence counts that "
            "much less"
        )
    if reading.warming.count > 0:
        notes.append(
            f"{reading.warming.bad:,.0f} bad of {reading.warming.count:,.0f} of the canary's requests came while its "
            "pods warmed up: they count only against a tenfold share"
        )
    return tuple(notes)


def data(account: Account) -> dict[str, object]:
    """Return it for programs."""
    reading = account.reading
    found: dict[str, object] = {
        "name": reading.metric,
        "verdict": reading.outcome.value,
        "reason": reading.reason.value,
        "critical": reading.critical,
        "judge": reading.judge,
        "message": reading.message,
        "change": account.change or None,
        "value": reading.value,
        "canary": _side_data(account.canary),
        "stable": _side_data(account.stable),
        "ratio": _estimate_data(account.ratio),
        "toleratedRatio": reading.tolerated,
        "dispersion": reading.dispersion,
        "notes": list(reading.notes),
    }
    if reading.judge == "compare":
        found["evidence"] = {
            "against": round(reading.evidence_against, 3),
            "for": round(reading.evidence_for, 3),
            "failsAt": round(reading.evidence_limit, 3),
            "passesAt": round(PASS_EVIDENCE, 3),
            "course": _course_data(reading.course),
        }
    return found


def _course_data(course: Course) -> dict[str, object]:
    return {"since": course.started_at, "everySeconds": course.step_seconds, "against": list(course.values)}


def _side_data(side: Side | None) -> dict[str, object] | None:
    if side is None:
        return None
    return {"requests": round(side.requests, 1), "bad": round(side.bad, 1), "share": _estimate_data(side.share)}


def _estimate_data(estimate: Estimate | None) -> dict[str, float] | None:
    if estimate is None:
        return None
    return {
        "value": float(f"{estimate.value:.6g}"),
        "low": float(f"{estimate.low:.6g}"),
        "high": float(f"{estimate.high:.6g}"),
    }
