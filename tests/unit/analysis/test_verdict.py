from __future__ import annotations

import itertools
from typing import Any

import pytest

from canary.analysis.verdict import MetricReading, Outcome, Reason, Verdict, combine


def reading(outcome: Outcome, name: str = "http/errors", **more: Any) -> MetricReading:
    return MetricReading(name, outcome, Reason.NOT_ENOUGH_EVIDENCE, "compare", **more)


@pytest.mark.parametrize("others", list(itertools.product(Outcome, repeat=2)))
def test_one_failed_metric_fails_the_release_whatever_the_others_say(others: tuple[Outcome, ...]) -> None:
    for position in range(3):
        metrics = [reading(o) for o in others]
        metrics.insert(position, reading(Outcome.FAIL))
        assert combine(metrics, 0.0).outcome is Outcome.FAIL


@pytest.mark.parametrize("other", [Outcome.ERROR, Outcome.INCONCLUSIVE])
def test_nothing_passes_until_every_metric_passes(other: Outcome) -> None:
    assert combine([reading(Outcome.PASS), reading(other)], 0.0).outcome is other
    assert combine([reading(Outcome.PASS), reading(Outcome.PASS)], 0.0).outcome is Outcome.PASS


def test_an_error_is_told_apart_from_an_undecided_metric() -> None:
    assert combine([reading(Outcome.INCONCLUSIVE), reading(Outcome.ERROR)], 0.0).outcome is Outcome.ERROR


def test_no_metric_at_all_is_not_a_pass() -> None:
    verdict = combine([], 7.0)
    assert verdict == Verdict(Outcome.INCONCLUSIVE, False, (), Reason.NO_METRICS, "No analysis template is named.", 7.0)


def test_suspicion_of_one_metric_is_suspicion_of_the_release() -> None:
    assert combine([reading(Outcome.PASS), reading(Outcome.ERROR, suspicious=True)], 0.0).suspicious
    assert not combine([reading(Outcome.PASS), reading(Outcome.ERROR)], 0.0).suspicious


def test_the_verdict_speaks_of_the_metric_that_decided() -> None:
    verdict = combine(
        [
            reading(Outcome.FAIL, "http/errors", evidence_against=2.4, evidence_limit=2.3, message="weaker"),
            reading(Outcome.FAIL, "grpc/errors", evidence_against=9.0, evidence_limit=2.3, message="stronger"),
            reading(Outcome.PASS, "x/y", evidence_against=50.0, message="not failed"),
        ],
        0.0,
    )
    assert verdict.message == "grpc/errors: stronger"


def test_no_data_counts_from_the_metric_that_is_longest_without() -> None:
    verdict = combine(
        [reading(Outcome.ERROR, no_data_since=30.0), reading(Outcome.ERROR, no_data_since=10.0), reading(Outcome.PASS)],
        60.0,
    )
    assert verdict.no_data_since == 10.0
    assert combine([reading(Outcome.PASS)], 60.0).no_data_since is None
