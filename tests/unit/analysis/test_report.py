from __future__ import annotations

import json
from dataclasses import replace

import pytest

from canary.analysis.course import Course
from canary.analysis.report import BRIEF_LENGTH, HEADLINES, NEXT, TEXT_LENGTH, report
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
    message="canary 6.00% bad, stable 1.00% bad: the canary's bad share is above 1.5 times stable's",
    why="the canary's bad share is above 1.5 times stable's",
    dispersion=2.0,
    warming=SideSummary(200, 4),
    tolerated=1.5,
    swing=7,
    course=Course(100.0, 10.0, (0.0, 0.1, 0.4, 1.1, 2.4)),
)
QUIET = MetricReading(
    "grpc/errors",
    Outcome.PASS,
    Reason.EVIDENCE_FOR,
    "compare",
    evidence_for=1.4,
    message="fine",
    canary=SideSummary(400, 0),
    stable=SideSummary(4000, 0),
    tolerated=1.5,
)
SLOW = MetricReading(
    "jvm/heap",
    Outcome.INCONCLUSIVE,
    Reason.NOT_ENOUGH_DATA,
    "threshold",
    critical=False,
    message="0.83, must be at most 0.9: 1 of 3 good measurements in a row",
    value=0.83,
)

FAILURE = """\
Fail: the canary is worse than stable.

http/errors: Fail (EvidenceAgainst)
  canary    6.00% bad   60 of 1,000 requests   (4.23% to 8.44%)
  stable    1.00% bad   90 of 9,000 requests   (0.75% to 1.34%)
  ratio     6 times stable's (3.8 to 9.4; tolerated: 1.5)
  evidence  251 to 1 against it (fails from 100 to 1, no raise from 10 to 1)
            1 to 1,000 for it (passes from 20 to 1)
  course    ▁▁▂▄█   against it, 10 s a bar, 50 s in all
  why       the canary's bad share is above 1.5 times stable's
  else      With about 7 bad requests fewer (it had 60) it would have gone on.
  note      stable's bad requests vary 2.0 times more than by chance: evidence counts that much less
  note      4 bad of 200 of the canary's requests came while its pods warmed up: they count only against a tenfold share
grpc/errors: Pass (EvidenceFor)
  canary    0.00% bad   0 of 400 requests   (0.00% to 0.95%)
  stable    0.00% bad   0 of 4,000 requests   (0.00% to 0.10%)
  evidence  1 to 1 against it (fails from 100 to 1, no raise from 10 to 1)
            25 to 1 for it (passes from 20 to 1)
  why       fine
jvm/heap: Inconclusive (NotEnoughData, advisory)
  why       0.83, must be at most 0.9: 1 of 3 good measurements in a row

Next: Look at the canary's bad requests in its logs and traces, mend it and commit again."""


def test_a_failure_is_told_with_both_sides_the_evidence_its_course_and_what_would_have_changed_it():
    assert report(combine([QUIET, SLOW, FAILED], 7.0)).text == FAILURE


def test_an_open_verdict_says_how_near_it_is_to_a_fail():
    near = replace(FAILED, outcome=Outcome.INCONCLUSIVE, reason=Reason.NOT_ENOUGH_EVIDENCE, evidence_against=0.7)
    assert "  else      About 7 bad requests more, at once, would fail it." in report(combine([near], 7.0)).lines
    assert "  else      About 1 bad request more," in report(combine([replace(near, swing=1)], 7.0)).text


def test_without_requests_no_share_is_made_up():
    silent = replace(QUIET, outcome=Outcome.ERROR, reason=Reason.NO_DATA, canary=SideSummary(), stable=SideSummary())
    told = report(combine([replace(silent, message="the query is empty")], 7.0))
    assert "  canary    no requests" in told.lines
    assert "  why       the query is empty" in told.lines
    assert not [line for line in told.lines if "ratio" in line or "else" in line]


def test_the_same_verdict_is_told_in_the_same_words_at_another_time():
    first, second = (report(combine([QUIET, FAILED], at)) for at in (7.0, 7e9))
    assert (first.text, first.brief) == (second.text, second.brief)


def test_suspicion_is_said_although_the_verdict_is_open():
    suspect = MetricReading("a/b", Outcome.INCONCLUSIVE, Reason.NOT_ENOUGH_EVIDENCE, "compare", 1.2, suspicious=True)
    assert "its weight is not raised" in report(combine([suspect], 0.0)).headline


def test_the_brief_text_is_one_short_line():
    long = MetricReading("a/b", Outcome.ERROR, Reason.UNAVAILABLE, "compare", message="word\n" * 500)
    brief = report(combine([long], 0.0)).brief
    assert len(brief) == BRIEF_LENGTH
    assert "\n" not in brief


def test_the_whole_text_is_bounded_keeps_what_decided_and_counts_what_it_leaves_out():
    many = [replace(QUIET, metric=f"m{index}/errors") for index in range(60)]
    text = report(combine([*many, FAILED], 0.0)).text
    assert len(text) <= TEXT_LENGTH
    assert text.splitlines()[2].startswith("http/errors: Fail")
    told = text.count("/errors: ")
    assert f"... and {61 - told} more metrics" in text
    assert "Next: " in text


def test_one_metric_that_is_too_long_alone_is_told_in_brief():
    long = MetricReading("a/b", Outcome.ERROR, Reason.UNAVAILABLE, "compare", message="word " * 900)
    text = report(combine([long], 0.0)).text
    assert len(text) <= TEXT_LENGTH
    assert "a/b: Error (MetricsUnavailable)" in text


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_says_what_to_do_next(reason: Reason):
    assert NEXT[reason].endswith(".")


def test_every_outcome_has_a_headline_and_no_metrics_are_told_too():
    assert HEADLINES.keys() == set(Outcome)
    assert "No analysis template is named." in report(combine([], 0.0)).text


def test_programs_get_what_people_read():
    told = json.loads(json.dumps(report(combine([QUIET, FAILED, SLOW], 7.0)).data()))
    assert [(each["name"], each["verdict"]) for each in told["metrics"]] == [
        ("http/errors", "Fail"),
        ("grpc/errors", "Pass"),
        ("jvm/heap", "Inconclusive"),
    ]
    failed, _, heap = told["metrics"]
    assert failed["canary"] == {
        "requests": 1000,
        "bad": 60,
        "share": {"value": 0.06, "low": 0.0423484, "high": 0.0843611},
    }
    assert failed["evidence"]["course"] == {"since": 100, "everySeconds": 10, "against": [0, 0.1, 0.4, 1.1, 2.4]}
    assert heap["value"] == 0.83
    assert "evidence" not in heap
