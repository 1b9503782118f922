"""A release that is compared with an earlier time, through a real Prometheus."""

from __future__ import annotations

from dataclasses import replace

import pytest

from canary.analysis.metric import Compare
from canary.analysis.verdict import MetricReading, Outcome
from canary.metrics.planner import plan
from canary.metrics.prometheus import PrometheusSource
from canary.metrics.session import AnalysisSession
from canary.metrics.source import SourceConfig, answers
from tests.contract.past.conftest import GOOD, NEAR, track
from tests.unit.metrics.world import errors


def read(url: str, canary: str, stable: str, *, started_at: float, ago: float, seconds: float = 600.0) -> MetricReading:
    metric = replace(errors(Compare(ago_seconds=ago)), candidate=track(canary), stable=track(stable))
    source = PrometheusSource(SourceConfig("main", url))
    session, now = AnalysisSession.start([metric], started_at=started_at), started_at
    while now < started_at + seconds:
        now += 30
        planned = plan(session.needs(now))
        session = session.ingest(now, planned.replies(answers({"main": source}, planned.queries)))
    return session.judged[0].reading()


def test_what_is_worse_than_stable_was_then_fails(past: str):
    reading = read(past, "now", "good", started_at=NEAR + 30, ago=NEAR - GOOD[0] - 60)
    assert reading.outcome is Outcome.FAIL
    assert reading.stable.ratio == pytest.approx(0.01, rel=0.5)


def test_what_is_like_stable_was_then_does_not_fail(past: str):
    reading = read(past, "good", "old", started_at=GOOD[0] + 60, ago=3000.0)
    assert reading.outcome is not Outcome.FAIL
    assert reading.stable.count == pytest.approx(60 * 600, rel=0.1)
