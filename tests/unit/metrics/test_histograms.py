"""Latency by a classic histogram, from scraped buckets to the verdict."""

from __future__ import annotations

import pytest

from canary.analysis.metric import Compare, Threshold
from canary.analysis.verdict import MetricReading, Outcome, Reason
from canary.metrics.session import AnalysisSession
from tests.unit.metrics.latencies import BOUNDS, Latencies, durations
from tests.unit.metrics.world import CANARY, STABLE, constant

START = 700.0
LASTS = 1400


def world(canary: float, *, stable: float = 0.08, seed: int = 1, bounds: tuple[str, ...] = BOUNDS) -> Latencies:
    made = Latencies(seed, lasts=LASTS)
    made.answer(STABLE, 4, 180, constant(stable))
    made.answer(CANARY, 1, 20, constant(canary), born=START - 5, bounds=bounds)
    return made


def judged(
    made: Latencies, judge: Compare | Threshold | None = None, *, bound: float = 0.25, until: float = START + 600
) -> tuple[MetricReading, float]:
    """The reading at the first fail, or at the end; and the seconds until then."""
    session, now = AnalysisSession.start([durations(judge, bound)], started_at=START), START
    while now < until:
        now += 20
        session = session.ingest(now, made.reply(session.needs(now)))
        if session.judged[0].reading().outcome is Outcome.FAIL:
            break
    return session.judged[0].reading(), now - START


def test_a_canary_that_is_twice_as_slow_fails_within_two_minutes():
    reading, seconds = judged(world(0.16))
    assert (reading.outcome, reading.reason) == (Outcome.FAIL, Reason.EVIDENCE_AGAINST)
    assert seconds <= 120
    assert "the canary's share above 0.25 is above 1.5 times stable's" in reading.message


def test_equal_latencies_pass_on_the_objective_and_count_what_is_slower_than_it():
    reading, _ = judged(world(0.08))
    assert (reading.outcome, reading.reason) == (Outcome.PASS, Reason.EVIDENCE_FOR)
    assert reading.stable.ratio == pytest.approx(0.0772, rel=0.05)  # of a lognormal around 0.08 s, above 0.25 s
    assert reading.canary.count == pytest.approx(20 * 600, rel=0.1)
    assert reading.dispersion is not None


def test_an_incident_that_slows_both_tracks_is_no_alarm():
    made = Latencies(3, lasts=LASTS)
    made.answer(STABLE, 4, 180, lambda t: 0.4 if t > START + 100 else 0.08)
    made.answer(CANARY, 1, 20, lambda t: 0.4 if t > START + 100 else 0.08, born=START - 5)
    assert judged(made)[0].outcome is not Outcome.FAIL


def test_a_tail_that_grows_beside_the_objective_is_found_by_the_average_and_named():
    made = Latencies(1, lasts=LASTS)
    tail = ("0.05", "0.1", "0.25", "5", "10")
    made.answer(STABLE, 4, 180, constant(0.08), bounds=tail)
    made.answer(CANARY, 1, 20, constant(0.16), born=START - 5, bounds=tail)
    reading, _ = judged(made, bound=10)
    assert reading.outcome is Outcome.FAIL
    assert "most of it above 0.25 (" in reading.message


def test_bounds_are_numbers_however_they_are_written_also_when_the_writing_changes_in_mid_release():
    made = Latencies(1, lasts=LASTS)
    made.answer(STABLE, 4, 180, constant(0.08), bounds=("5e-02", "0.1", "0.250", "0.5", "1"), relabelled_at=START + 200)
    made.answer(CANARY, 1, 20, constant(0.08), born=START - 5, relabelled_at=START + 200)
    reading, _ = judged(made)
    assert reading.outcome is Outcome.PASS
    assert reading.stable.ratio == pytest.approx(0.0772, rel=0.05)


def test_a_bound_that_is_no_bucket_is_an_error_that_names_the_metric_and_the_mend():
    reading, _ = judged(world(0.8), bound=0.3, until=START + 60)
    assert (reading.outcome, reading.reason) == (Outcome.ERROR, Reason.BOUND_NOT_A_BUCKET)
    assert reading.metric == "http/latency"
    assert (
        "0.3 is no bucket of the canary's (its buckets: 0.05, 0.1, 0.25, 0.5, 1); set histogram.bound"
        in reading.message
    )
    assert not reading.suspicious


def test_a_version_with_other_buckets_is_judged_on_those_that_both_have():
    assert judged(world(0.16, bounds=("0.1", "0.25", "0.3", "1")))[0].outcome is Outcome.FAIL
    assert judged(world(0.08, bounds=("0.1", "0.25", "0.3", "1")))[0].outcome is Outcome.PASS


def test_buckets_that_change_in_mid_release_are_an_error_and_neither_pass_nor_fail():
    made = world(0.08)
    made.answer(CANARY, 1, 20, constant(0.08), born=START + 200, bounds=("0.1", "0.3", "1"))
    before, _ = judged(made, until=START + 180)
    after, _ = judged(made, until=START + 400)
    assert (after.outcome, after.reason) == (Outcome.ERROR, Reason.BUCKETS_CHANGED)
    assert "the canary's buckets changed in mid-release: 0.05 is missing now (there are: 0.1, 1)" in after.message
    assert after.no_data_since is not None
    # What the new buckets say is not taken for slow requests.
    assert after.evidence_against == pytest.approx(before.evidence_against, abs=0.5)
    assert not after.suspicious


def test_judging_goes_on_when_the_buckets_are_the_old_ones_again():
    made = world(0.08)
    made.answer(CANARY, 1, 20, constant(0.08), born=START + 100, dies=START + 160, bounds=("0.1", "0.3", "1"))
    reading, _ = judged(made, until=START + 600)
    assert reading.outcome is Outcome.PASS


def test_a_restarted_operator_reaches_the_same_evidence():
    made = world(0.09)
    live, _ = judged(made, until=START + 400)
    session = AnalysisSession.start([durations()], started_at=START)
    while session.verdict is None:
        session = session.ingest(START + 400, made.reply(session.needs(START + 400)))
    assert session.judged[0].reading().evidence_against == pytest.approx(live.evidence_against, abs=0.02)


def test_a_threshold_bounds_the_share_of_slow_requests():
    bound = Threshold(maximum=0.2, window_seconds=30, consecutive=2, fewest=2)
    slow, _ = judged(world(0.2), bound)
    assert (slow.outcome, slow.reason) == (Outcome.FAIL, Reason.BOUND_BROKEN)
    fine, _ = judged(world(0.08), bound, until=START + 120)
    assert fine.outcome is Outcome.PASS
    assert fine.value == pytest.approx(0.0772, abs=0.03)


def test_a_canary_that_stops_being_scraped_is_stale_and_no_verdict():
    made = Latencies(1, lasts=LASTS)
    made.answer(STABLE, 4, 180, constant(0.08))
    made.answer(CANARY, 1, 20, constant(0.08), born=START - 5, dies=START + 100)
    assert judged(made, until=START + 300)[0].outcome is Outcome.ERROR


def test_a_pod_that_restarts_and_counts_from_nothing_adds_no_slow_requests():
    made = Latencies(1, lasts=LASTS)
    made.answer(STABLE, 3, 150, constant(0.08))
    made.answer(CANARY, 1, 20, constant(0.08), born=START - 5)
    restarting = made.slow[0]
    at = int(START + 200)
    restarting.counted[at:] -= restarting.counted[at]
    reading, _ = judged(made)
    assert reading.outcome is Outcome.PASS
    assert reading.stable.ratio == pytest.approx(0.0772, rel=0.05)
