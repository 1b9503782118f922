"""What analysis says: a reading for each metric, and the verdict that they make together.

Four outcomes, because "not bad" is not "good" and "no answer" is neither:

========= =============================================================================================
PASS      enough was seen to say that the candidate is no worse than is tolerated
FAIL      enough was seen to say that it is worse; final for this attempt
INCONCLUSIVE  data came, and do not decide yet
ERROR     no data came that may be believed: empty, stale, partial, not a number, or no answer at all
========= =============================================================================================

Evidence is the value of an e-process, given as its decimal logarithm: 0 says nothing, 1 is "ten to one", 2 is "a
hundred to one". The chance that evidence against a healthy candidate *ever* reaches x is at most 10^-x, however often
one looks (Ville's inequality), so these numbers may be read at every tick.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from canary.analysis.course import Course

SUSPICION: Final = 1.0
"""log10 of E at which a raise is blocked: ten to one. Under a healthy candidate at most one release in ten sees it."""


class Outcome(StrEnum):
    """What one metric, or all of them together, say."""

    PASS = "Pass"  # noqa: S105 -- an outcome, not a secret
    FAIL = "Fail"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"


class Reason(StrEnum):
    """Why an outcome was reached: CamelCase, for conditions, Events and metrics' labels."""

    EVIDENCE_AGAINST = "EvidenceAgainst"
    """FAIL: the candidate is worse than tolerated, with at most the chance alpha of a false alarm."""
    BOUND_BROKEN = "BoundBroken"
    """FAIL: a threshold's consecutive or total limit was reached."""
    BUDGET_BURNING = "BudgetBurning"
    """FAIL: the canary spends the error budget too fast, in a long window and in its short one."""
    JUDGED_BAD = "JudgedBad"
    """FAIL: a team's own judge says so."""
    JUDGED_GOOD = "JudgedGood"
    """PASS: a team's own judge says so."""
    EVIDENCE_FOR = "EvidenceFor"
    """PASS: the candidate is not worse than tolerated."""
    WITHIN_BOUNDS = "WithinBounds"
    """PASS: a threshold was measured often enough and holds."""
    WITHIN_BUDGET = "WithinBudget"
    """PASS: the canary was measured for the shortest window, and spends no budget too fast."""
    NOT_ENOUGH_EVIDENCE = "NotEnoughEvidence"
    """INCONCLUSIVE: both sides were measured; neither evidence suffices yet."""
    NOT_ENOUGH_DATA = "NotEnoughData"
    """INCONCLUSIVE: the series are there, but with too few requests or measurements."""
    NOTHING_TO_COMPARE = "NothingToCompare"
    """INCONCLUSIVE: one side has no traffic, as at 100 %."""
    NO_METRICS = "NoMetrics"
    """INCONCLUSIVE: no template is named, so nothing was measured."""
    NO_DATA = "NoData"
    """ERROR: the query answers, and is empty: the series do not exist."""
    NO_CANDIDATE_DATA = "NoCandidateData"
    """ERROR: stable's series are there and the candidate's are missing."""
    STALE = "Stale"
    """ERROR: the newest sample is too old to judge by."""
    NOT_A_NUMBER = "NotANumber"
    """ERROR: the query answers NaN."""
    PARTIAL = "PartialAnswer"
    """ERROR: the source says that parts of its answer are missing."""
    UNAVAILABLE = "MetricsUnavailable"
    """ERROR: the source did not answer in time, or answered with an error."""
    BOUND_NOT_A_BUCKET = "BoundNotABucket"
    """ERROR: a histogram's objective is none of its buckets, on one of the tracks."""
    BUCKETS_CHANGED = "BucketsChanged"
    """ERROR: a histogram's buckets are others than when the judging began."""
    JUDGE_BROKEN = "JudgeBroken"
    """ERROR: a team's own judge failed, took too long, or is not installed."""
    QUERY_INVALID = "QueryInvalid"
    """ERROR: the source refuses the query; somebody has to mend the template."""


@dataclass(frozen=True, slots=True)
class SideSummary:
    """What was counted on one side since the judging began (or within a threshold's window)."""

    count: float = 0.0
    """Requests."""
    bad: float = 0.0
    """Those of them that were bad."""

    @property
    def ratio(self) -> float | None:
        """Share of bad requests, 0 to 1; None without requests."""
        return self.bad / self.count if self.count > 0 else None


@dataclass(frozen=True, slots=True)
class MetricReading:
    """What one metric says at one time."""

    metric: str
    """`template/metric`."""
    outcome: Outcome
    reason: Reason
    judge: str
    """`compare`, `threshold`, `burnRate` or `custom`."""
    evidence_against: float = 0.0
    """log10 of E against the candidate."""
    evidence_for: float = 0.0
    """log10 of E for the candidate."""
    suspicious: bool = False
    """Whether this metric alone blocks a raise: failed, or evidence against of ten to one and more."""
    canary: SideSummary = SideSummary()
    stable: SideSummary = SideSummary()
    critical: bool = True
    """False: an advisory metric, which is reported and decides nothing."""
    no_data_since: float | None = None
    """Unix seconds since when nothing usable came; None while data come. A hold-and-alert limit counts from here."""
    message: str = ""
    """One sentence for people: what was measured, and against what."""
    value: float | None = None
    """What a threshold measured last, in the metric's own unit; None for other judges, or before the first one."""
    evidence_limit: float = 2.0
    """log10 of E at which this metric fails: -log10 of its share of alpha."""
    dispersion: float | None = None
    """How many times wilder than chance stable's bad requests vary; None: not measured, taken as 1."""
    warming: SideSummary = SideSummary()
    """The canary's requests while its pods warmed up: they count only against a tenfold share of bad ones."""
    why: str = ""
    """The part of the message that says why, without what was measured; empty: the whole message does."""
    tolerated: float | None = None
    """How many times stable's bad share the candidate's may be; None for other judges than `compare`."""
    swing: int | None = None
    """The candidate's bad requests that would change it: so many fewer if it failed, so many more if it did not; None:
    no number of them would, or the judge does not count."""
    course: Course = field(default_factory=Course)
    """How evidence against the candidate went; without values for judges that have none."""
    notes: tuple[str, ...] = ()
    """Sentences on what the data are like, where that changes how far the evidence is to be believed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What all metrics say together at one time."""

    outcome: Outcome
    suspicious: bool
    """Whether any critical metric blocks a raise of the weight."""
    readings: tuple[MetricReading, ...]
    reason: Reason
    message: str
    at: float
    """Unix seconds up to which samples were judged."""

    @property
    def no_data_since(self) -> float | None:
        """Since when, in Unix seconds, some critical metric has had no data; None if all have."""
        since = (r.no_data_since for r in self.readings if r.critical and r.no_data_since is not None)
        return min(since, default=None)


def combine(readings: Iterable[MetricReading], at: float) -> Verdict:
    """Make one verdict of all metrics.

    Any failed critical metric fails: each has its own share of alpha, so the chance that any of them fails a healthy
    candidate is at most alpha. All critical ones have to pass. One without data neither fails nor passes, and keeps the
    others from passing. Advisory metrics decide nothing.

    >>> combine([], at=0.0).reason
    <Reason.NO_METRICS: 'NoMetrics'>
    """
    known = tuple(readings)
    deciding = tuple(reading for reading in known if reading.critical)
    if not deciding:
        said = "Every metric is advisory." if known else "No analysis template is named."
        return Verdict(Outcome.INCONCLUSIVE, False, known, Reason.NO_METRICS, said, at)
    outcomes = {reading.outcome for reading in deciding}
    if Outcome.FAIL in outcomes:
        outcome = Outcome.FAIL
    elif Outcome.ERROR in outcomes:
        outcome = Outcome.ERROR
    elif outcomes == {Outcome.PASS}:
        outcome = Outcome.PASS
    else:
        outcome = Outcome.INCONCLUSIVE
    suspicious = any(reading.suspicious for reading in deciding)
    strong = strongest(deciding, outcome) or deciding[0]
    return Verdict(outcome, suspicious, known, strong.reason, f"{strong.metric}: {strong.message}", at)


def strongest(readings: Iterable[MetricReading], outcome: Outcome) -> MetricReading | None:
    """The reading that a verdict of `outcome` rests on: the one nearest to, or furthest beyond, its limit."""
    same = (reading for reading in readings if reading.outcome is outcome)
    return max(same, key=lambda r: r.evidence_against - r.evidence_limit, default=None)
