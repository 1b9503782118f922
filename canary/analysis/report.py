"""One report of a verdict, for everybody who tells it: status, Events, `canary why`, the revert's commit message.

Built from the verdict alone, so that it says the same everywhere and, stored in status, stays the same when a revert is
made again: the text is part of a commit that has to have one SHA. No times of day, no colours, no names of people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from canary.analysis.account import Account, data
from canary.analysis.verdict import Outcome, Reason, Verdict

BRIEF_LENGTH: Final = 240
"""Characters of the brief text: a condition's message is read in a table, and an Event's note ends at 1,024."""
TEXT_LENGTH: Final = 1700
"""Characters of the whole text. With the brief sentence before it, it has to fit into the 2,048 that status keeps: what
was cut there would be another commit's message after a restart."""

HEADLINES: Final = {
    Outcome.FAIL: "the canary is worse than stable",
    Outcome.PASS: "the canary is no worse than is tolerated",
    Outcome.INCONCLUSIVE: "no verdict yet",
    Outcome.ERROR: "no data to judge by",
}

NEXT: Final = {
    Reason.EVIDENCE_AGAINST: "Look at the canary's bad requests in its logs and traces, mend it and commit again.",
    Reason.BOUND_BROKEN: "Look at what the metric measures on the canary, mend it and commit again.",
    Reason.BUDGET_BURNING: "Look at the canary's bad requests; if stable has as many, the cause is not this version.",
    Reason.JUDGED_BAD: "Look at what the judge says of the canary, mend it and commit again.",
    Reason.JUDGED_GOOD: "Nothing to do.",
    Reason.JUDGE_BROKEN: "Mend the judge, or install it beside the operator; the release goes on by itself then.",
    Reason.EVIDENCE_FOR: "Nothing to do.",
    Reason.WITHIN_BOUNDS: "Nothing to do.",
    Reason.WITHIN_BUDGET: "Nothing to do.",
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
    """A verdict as text and as data."""

    outcome: Outcome
    suspicious: bool
    headline: str
    """A sentence without the figures."""
    brief: str
    """One line with the deciding figures, of at most `BRIEF_LENGTH` characters."""
    metrics: tuple[Account, ...]
    """The deciding one first."""
    next_step: str
    at: float
    """Unix seconds of the verdict; not part of the text."""

    @property
    def lines(self) -> tuple[str, ...]:
        """One block for each metric."""
        return tuple(line for account in self.metrics for line in account.lines)

    @property
    def text(self) -> str:
        """The whole, of at most `TEXT_LENGTH` characters."""
        return f"{self.outcome}: {self.headline}.\n\n{self.details}"

    @property
    def details(self) -> str:
        """The text without its headline: each metric, and what to do."""
        foot = f"Next: {self.next_step}"
        blocks = ["\n".join(account.lines) for account in self.metrics] or [self.brief]
        kept: list[str] = []
        room = TEXT_LENGTH - len(foot) - 200  # for the headline, and to say what was left out
        for block in blocks:
            room -= len(block) + 1
            if room < 0:
                break
            kept.append(block)
        left = len(blocks) - len(kept)
        if not kept:
            kept.append(_cut(blocks[0]))
            left -= 1
        if left > 0:
            kept.append(f"... and {left} more metric{'s' if left > 1 else ''}")
        return "\n".join([*kept, "", foot])

    def data(self) -> dict[str, object]:
        """Return the same for programs, as `-o json` prints it."""
        return {
            "verdict": self.outcome.value,
            "suspicious": self.suspicious,
            "headline": self.headline,
            "message": self.brief,
            "at": self.at,
            "next": self.next_step,
            "metrics": [data(account) for account in self.metrics],
        }


def report(verdict: Verdict) -> Report:
    """Tell a verdict."""
    readings = sorted(verdict.readings, key=lambda r: (r.outcome is not verdict.outcome, not r.critical, r.metric))
    headline = HEADLINES[verdict.outcome]
    if verdict.suspicious and verdict.outcome is not Outcome.FAIL:
        headline += ", but there is evidence against the canary: its weight is not raised"
    brief = _cut(f"{verdict.outcome}: {verdict.message}")
    accounts = tuple(Account.of(reading) for reading in readings)
    return Report(verdict.outcome, verdict.suspicious, headline, brief, accounts, NEXT[verdict.reason], verdict.at)


def record(verdict: Verdict) -> str:
    """Tell a verdict for a release's own record and for its revert: a sentence with the figures, then the details."""
    return f"{_cut(verdict.message)}\n\n{report(verdict).details}"


def _cut(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= BRIEF_LENGTH else f"{one_line[: BRIEF_LENGTH - 1]}…"
