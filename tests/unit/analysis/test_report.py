from __future__ import annotations

import pytest

from canary.analysis.report import BRIEF_LENGTH, HEADLINES, NEXT, report
from canary.analysis.verdict import MetricReading, Outcome, Reason, SideSummary, combine

FAILED = MetricReading(
    "http/errors",
    Outcome.FAIL,
    Reason.EVIDENCE_AGAINST,
    "compare",
    evidence_against=2.4,
    evidence_for=-3.0,
    suspicious=True,
    canary=SideSummary(1000, 60),
    stable=SideSummary(9000, 90),
    message="the canary's bad share is above 1.5 times stable's",
    dispersion=2.0,
    warming=SideSummary(200, 4),
)
QUIET = MetricReading("grpc/errors", Outcome.PASS, Reason.EVIDENCE_FOR, "compare", message="fine")


def test_a_failure_says_both_sides_the_evidence_its_limit_and_what_to_do():
    text = report(combine([QUIET, FAILED], 7.0)).text
    for part in (
        "Fail: the canary is worse than stable.",
        "60 bad of 1,000 requests (6.00%)",
        "90 bad of 9,000 requests (1.00%)",
        "6 times stable's",
        "evidence against it 251 to 1 (no raise from 10 to 1, fails from 100 to 1)",
        "vary 2.0 times more than by chance",
        "4 bad of 200 requests (2.00%) came while its pods warmed up",
        "Next: Look at the canary's bad requests",
    ):
        assert part in text
    assert text.index("http/errors") < text.index("grpc/errors")


def test_the_same_verdict_is_told_in_the_same_words_at_another_time():
    assert report(combine([QUIET, FAILED], 7.0)) == report(combine([QUIET, FAILED], 7e9))


def test_suspicion_is_said_although_the_verdict_is_open():
    suspect = MetricReading("a/b", Outcome.INCONCLUSIVE, Reason.NOT_ENOUGH_EVIDENCE, "compare", 1.2, suspicious=True)
    assert "its weight is not raised" in report(combine([suspect], 0.0)).headline


def test_the_brief_text_is_one_short_line():
    long = MetricReading("a/b", Outcome.ERROR, Reason.UNAVAILABLE, "compare", message="word\n" * 500)
    brief = report(combine([long], 0.0)).brief
    assert len(brief) == BRIEF_LENGTH
    assert "\n" not in brief


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_says_what_to_do_next(reason: Reason):
    assert NEXT[reason].endswith(".")


def test_every_outcome_has_a_headline_and_no_metrics_are_told_too():
    assert HEADLINES.keys() == set(Outcome)
    assert "No analysis template is named." in report(combine([], 0.0)).text
