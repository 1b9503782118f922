"""One report of a verdict, for everybody who tells it: status, Events, `canary why`, the revert's commit message.

Built from the verdict alone, so that it says the same everywhere and, stored in status, stays the same when a revert is
made again: the text is part of a commit that has to have one SHA. No times of day, no colours, no names of people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from canary.analysis.reading import PASS_EVIDENCE, odds
from canary.analysis.verdict import SUSPICION, MetricReading, Outcome, Reason, SideSummary, Verdict

BRIEF_LENGTH: Final = 240
"""Characters of the brief text: a condition's message is read in a table, and an Event's note ends at 1,024."""
WILD: Final = 1.5
"""Dispersion from which on the report mentions it."""

HEADLINES: Final = {
    Outcome.FAIL: "the canary is worse than stable",
    Outcome.PASS: "the canary is no worse than is tolerated",
    Outcome.INCONCLUSIVE: "no verdict yet",
    Outcome.ERROR: "no data to judge by",
}

NEXT: Final = {
    Reason.EVIDENCE_AGAINST: "Look at the canary's bad requests in its logs and traces, mend it and commit again.",
    Reason.BOUND_BROKEN: "Look at what the metric measures on the canary, mend it and commit again.",
    Reason.EVIDENCE_FOR: "Nothing to do.",
    Reason.WITHIN_BOUNDS: "Nothing to do.",
    Reason.NOT_ENOUGH_EVIDENCE: "Wait; more traffic or a higher weight decides sooner.",
    Reason.NOT_ENOUGH_DATA: "Wait, or send more traffic: a low weight on a quiet service may never gather enough.",
    Reason.NOTHING_TO_COMPARE: "Stable has no traffic: nothing to do at 100 %; else look at the route and at identity.",
    Reason.NO_METRICS: "Name an analysis template in spec.analysis.templates.",
    Reason.NO_DATA: "Run the template's selectors in the metric source: neither track's labels are found.",
    Reason.NO_CANDIDATE_DATA: "If the canary has traffic, see whether its pods are scraped and have identity's labels.",
    Reason.STALE: "See whether the metric source still scrapes its targets.",
    Reason.NOT_A_NUMBER: "Make the query give a number when there is no traffic, as with `or vector(0)`.",
    Reason.PARTIAL: "See to the metric source: some of its stores do not answer.",
    Reason.UNAVAILABLE: "See to the metric source; the release goes on by itself when it answers.",
    Reason.BOUND_NOT_A_BUCKET: "Name one of the histogram's buckets as histogram.bound; the release then goes on.",
    Reason.BUCKETS_CHANGED: "Give both versions the same buckets, or make the metric advisory while they change.",
    Reason.QUERY_INVALID: "Mend the template's query; the release goes on by itself then.",
}
"""What to do next, by the reason that decided."""


@dataclass(frozen=True, slots=True)
class Report:
    """A verdict as text."""

    outcome: Outcome
    suspicious: bool
    headline: str
    """A sentence without the figures."""
    brief: str
    """One line with the deciding figures, of at most `BRIEF_LENGTH` characters."""
    lines: tuple[str, ...]
    """One block for each metric, the deciding one first."""
    next_step: str

    @property
    def text(self) -> str:
        """The whole, for `canary why` and a commit's message."""
        return "\n".join([f"{self.outcome}: {self.headline}.", "", *self.lines, "", f"Next: {self.next_step}"])


def report(verdict: Verdict) -> Report:
    """Tell a verdict."""
    readings = sorted(verdict.readings, key=lambda r: (r.outcome is not verdict.outcome, not r.critical, r.metric))
    headline = HEADLINES[verdict.outcome]
    if verdict.suspicious and verdict.outcome is not Outcome.FAIL:
        headline += ", but there is evidence against the canary: its weight is not raised"
    brief = f"{verdict.outcome}: {verdict.message}"
    lines = tuple(line for reading in readings for line in lines_of(reading)) or (verdict.message,)
    return Report(verdict.outcome, verdict.suspicious, headline, _cut(brief), lines, NEXT[verdict.reason])


def lines_of(reading: MetricReading) -> tuple[str, ...]:
    """Tell one metric: what was measured on both sides, how strong the evidence is, why now, what would change it."""
    advisory = "" if reading.critical else ", advisory"
    lines = [f"{reading.metric}: {reading.outcome} ({reading.reason}{advisory})"]
    if reading.judge == "compare":
        lines += [f"  canary  {_side(reading.canary)}", f"  stable  {_side(reading.stable)}", f"  {_evidence(reading)}"]
        if (ratio := _ratio(reading)) is not None:
            lines.append(f"  the canary's bad share is {ratio:.2g} times stable's")
        if reading.dispersion is not None and reading.dispersion >= WILD:
            lines.append(
                f"  stable's bad requests vary {reading.dispersion:.1f} times more than by chance: "
                "evidence counts that much less"
            )
        if reading.warming.count > 0:
            lines.append(
                f"  of the canary's, {_side(reading.warming)} came while its pods warmed up: "
                "they count only against a tenfold share"
            )
    lines.append(f"  {reading.message}")
    return tuple(lines)


def _evidence(reading: MetricReading) -> str:
    fails, blocks, passes = odds(reading.evidence_limit), odds(SUSPICION), odds(PASS_EVIDENCE)
    return (
        f"evidence against it {odds(reading.evidence_against)} (no raise from {blocks}, fails from {fails}), "
        f"for it {odds(reading.evidence_for)} (passes from {passes})"
    )


def _ratio(reading: MetricReading) -> float | None:
    canary, stable = reading.canary.ratio, reading.stable.ratio
    return canary / stable if canary is not None and stable else None


def _side(side: SideSummary) -> str:
    if side.ratio is None:
        return "no requests"
    return f"{side.bad:,.0f} bad of {side.count:,.0f} requests ({side.ratio:.2%})"


def _cut(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= BRIEF_LENGTH else f"{one_line[: BRIEF_LENGTH - 1]}…"
