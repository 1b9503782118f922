"""A verdict as the status tells it: the report's text, and the figures behind it for programs and pictures."""

from __future__ import annotations

from typing import Final

from canary.analysis.report import report
from canary.analysis.verdict import MetricReading, Outcome, SideSummary, Verdict
from canary.api import status as api
from canary.operator.fields import cut, time_of

_VERDICTS: Final = {
    Outcome.PASS: "pass",
    Outcome.FAIL: "fail",
    Outcome.INCONCLUSIVE: "inconclusive",
    Outcome.ERROR: "error",
}


def report_of(verdict: Verdict) -> api.ReportBrief:
    """Return the report of a verdict, bounded."""
    return api.ReportBrief(
        verdict=_VERDICTS[verdict.outcome],
        at=time_of(verdict.at),
        message=cut(verdict.message),
        details=cut(report(verdict).details),
        metrics=tuple(
            api.MetricReport(
                name=r.metric[:128],
                verdict=_VERDICTS[r.outcome],
                message=cut(r.message),
                reason=r.reason.value,
                canary=_side(r.canary) if r.judge == "compare" and r.value is None else None,
                stable=_side(r.stable) if r.judge == "compare" and r.value is None else None,
                evidence=_evidence(r) if r.judge == "compare" else None,
            )
            for r in verdict.readings[:64]
        ),
    )


def _side(side: SideSummary) -> api.SideReport:
    return api.SideReport(requests=round(side.count), bad=round(side.bad))


def _evidence(reading: MetricReading) -> api.EvidenceReport:
    course = reading.course
    return api.EvidenceReport(
        against=_hundredths(reading.evidence_against),
        in_favour=_hundredths(reading.evidence_for),
        fails_at=_hundredths(reading.evidence_limit),
        since=time_of(course.started_at),
        every_seconds=max(1, round(course.step_seconds)),
        course=tuple(map(_hundredths, course.values)),
    )


def _hundredths(log10: float) -> int:
    return max(-1_000_000, min(1_000_000, round(log10 * 100)))
