from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from canary.analysis.counted import CounterState, skip
from canary.analysis.metric import Compare, Threshold, ValueMetric
from canary.analysis.samples import Series
from canary.analysis.verdict import Outcome, Reason, Verdict
from canary.errors import SpecInvalid
from canary.metrics.planner import Need, ValueNeed
from canary.metrics.session import AnalysisSession
from canary.metrics.source import Answer, NoData, Partial, Refused, Sample, Unavailable
from tests.unit.metrics.world import CANARY, STABLE, World, constant, errors

START = 900.0


def release(
    canary_bad: float, *, seed: int = 1, stable_bad: float = 0.01, rps: float = 200, interval: float = 15.0
) -> World:
    world = World(seed, lasts=3000, interval=interval)
    world.serve(STABLE, 6, constant(rps * 0.9), constant(stable_bad))
    world.serve(CANARY, 2, constant(rps * 0.1), constant(canary_bad), born=START - 5)
    return world


def run(session: AnalysisSession, world: World, until: float, every: float = 10.0) -> tuple[AnalysisSession, float]:
    """Look until a fail; the session, and when that was."""
    now = session.at
    while now < until:
        now += every
        session = session.ingest(now, world.reply(session.needs(now)))
        if session.verdict is not None and session.verdict.outcome is Outcome.FAIL:
            break
    return session, now


def verdict_of(session: AnalysisSession) -> Verdict:
    assert session.verdict is not None
    return session.verdict


def evidence_of(session: AnalysisSession) -> float:
    return verdict_of(session).readings[0].evidence_against


@pytest.mark.parametrize("interval", [1.0, 15.0, 30.0])
def test_a_canary_with_five_times_the_errors_fails_within_the_time_that_the_design_gives(interval: float):
    session, at = run(
        AnalysisSession.start([errors()], started_at=START), release(0.05, interval=interval), START + 600
    )
    assert verdict_of(session).outcome is Outcome.FAIL
    assert verdict_of(session).reason is Reason.EVIDENCE_AGAINST
    assert at - START <= 130 + 2 * interval


@pytest.mark.parametrize("interval", [1.0, 15.0])
def test_a_healthy_canary_never_fails_and_its_evidence_grows(interval: float):
    session, _ = run(
        AnalysisSession.start([errors()], started_at=START), release(0.01, interval=interval), START + 1200, every=30
    )
    reading = verdict_of(session).readings[0]
    assert reading.outcome in (Outcome.PASS, Outcome.INCONCLUSIVE)
    assert reading.evidence_for > 0.3
    assert reading.evidence_against < 1


def test_counts_are_those_that_were_served():
    world = release(0.01)
    session, _ = run(AnalysisSession.start([errors()], started_at=START), world, START + 600)
    reading = verdict_of(session).readings[0]
    until = session.judged[0].counters.edge - world.begins
    for side, track in ((reading.canary, CANARY), (reading.stable, STABLE)):
        served = [p.good + p.bad for p in world.pods if p.track == track]
        expected = sum(np.interp(until, range(world.lasts + 1), s) - np.interp(START, range(3001), s) for s in served)
        # Interpolation between scrapes is off by what Poisson counts vary within one, and each floor by one.
        assert side.count == pytest.approx(expected, rel=0.02)


def test_how_often_one_looks_does_not_change_the_evidence():
    world = release(0.015)
    often, _ = run(AnalysisSession.start([errors()], started_at=START), world, START + 300, every=5)
    rarely, _ = run(AnalysisSession.start([errors()], started_at=START), world, START + 300, every=60)
    assert evidence_of(often) == pytest.approx(evidence_of(rarely), abs=0.02)


def test_a_session_made_anew_after_a_restart_reaches_the_same_evidence():
    world = release(0.015)
    live, _ = run(AnalysisSession.start([errors()], started_at=START), world, START + 1800)
    anew = AnalysisSession.start([errors()], started_at=START)
    looks = 0
    while anew.verdict is None:
        anew = anew.ingest(START + 1800, world.reply(anew.needs(START + 1800)))
        looks += 1
    assert looks <= 3
    assert evidence_of(anew) == pytest.approx(evidence_of(live), abs=0.02)
    assert anew.judged[0].counters.edge == live.judged[0].counters.edge


def test_after_a_restart_no_data_counts_from_the_restart():
    anew = AnalysisSession.start([errors()], started_at=START, resumed_at=START + 1800)
    anew = anew.ingest(START + 1805, dict.fromkeys(anew.needs(START + 1805), Unavailable("down")))
    assert verdict_of(anew).no_data_since == START + 1800


def test_nothing_is_said_while_the_past_is_still_being_read():
    world = release(0.015)
    anew = AnalysisSession.start([errors()], started_at=START)
    anew = anew.ingest(START + 1800, world.reply(anew.needs(START + 1800)))
    assert anew.verdict is None
    assert anew.due_again_seconds <= 1


def test_an_incident_on_both_tracks_at_the_very_moment_of_a_raise_is_no_alarm():
    alarms = 0
    for seed in range(10):
        world = World(seed, lasts=2400)
        incident = START + 300

        def bad(t: float, incident: float = incident) -> float:
            return 0.05 if t >= incident else 0.01

        def weight(t: float, incident: float = incident) -> float:
            return 0.2 if t >= incident else 0.02

        def on_canary(t: float) -> float:
            return 500 * weight(t)

        def on_stable(t: float) -> float:
            return 500 * (1 - weight(t))

        world.serve(STABLE, 6, on_stable, bad)
        world.serve(CANARY, 1, on_canary, bad, born=START - 5)
        session, _ = run(AnalysisSession.start([errors()], started_at=START), world, START + 1200)
        alarms += verdict_of(session).outcome is Outcome.FAIL
    assert alarms == 0


def test_a_failed_metric_stays_failed_when_the_canary_gets_better():
    world = World(lasts=3000)
    world.serve(STABLE, 6, constant(180), constant(0.01))
    world.serve(CANARY, 2, constant(20), lambda t: 0.2 if t < START + 60 else 0.0, born=START - 5)
    session, failed_at = run(AnalysisSession.start([errors()], started_at=START), world, START + 300)
    for now in np.arange(failed_at + 10, START + 1500, 60.0):
        session = session.ingest(float(now), world.reply(session.needs(float(now))))
        assert verdict_of(session).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(NoData(), Reason.NO_DATA, id="empty"),
        pytest.param(Partial(("store gone",)), Reason.PARTIAL, id="partial"),
        pytest.param(Unavailable("timeout"), Reason.UNAVAILABLE, id="timeout"),
        pytest.param(Refused("parse error"), Reason.QUERY_INVALID, id="refused"),
    ],
)
def test_an_answer_without_data_is_an_error_of_its_own_kind_and_neither_pass_nor_fail(answer: Answer, reason: Reason):
    world = release(0.01)
    session, now = run(AnalysisSession.start([errors()], started_at=START), world, START + 120)
    before = evidence_of(session)
    for later in (now + 20, now + 40):
        session = session.ingest(later, dict.fromkeys(session.needs(later), answer))
        verdict = verdict_of(session)
        assert (verdict.outcome, verdict.reason) == (Outcome.ERROR, reason)
        assert verdict.no_data_since == now
    assert evidence_of(session) == before

    # When the data are back, nothing of the time between is lost.
    session = session.ingest(now + 60, world.reply(session.needs(now + 60)))
    assert verdict_of(session).outcome is not Outcome.ERROR
    assert verdict_of(session).no_data_since is None
    uninterrupted, _ = run(AnalysisSession.start([errors()], started_at=START), world, now + 60)
    assert evidence_of(session) == pytest.approx(evidence_of(uninterrupted), abs=0.02)


def test_a_missing_canary_is_told_from_a_missing_metric():
    world = World(lasts=2000)
    world.serve(STABLE, 3, constant(100), constant(0.01))
    session, _ = run(AnalysisSession.start([errors()], started_at=START), world, START + 60)
    assert verdict_of(session).reason is Reason.NO_CANDIDATE_DATA


def test_samples_that_stopped_coming_are_stale_although_the_source_still_answers():
    world = release(0.01)
    world.outages.append((START + 120, 9999.0))
    session, _ = run(AnalysisSession.start([errors()], started_at=START), world, START + 180)
    assert verdict_of(session).reason is Reason.STALE


def test_an_outage_of_prometheus_in_mid_release_is_lived_through():
    world = release(0.01)
    world.outages.append((START + 120, START + 1500))
    session, _ = run(AnalysisSession.start([errors()], started_at=START), world, START + 1700, every=30)
    verdict = verdict_of(session)
    assert verdict.outcome in (Outcome.PASS, Outcome.INCONCLUSIVE)
    # What was served in the outage is not counted, as nobody knows at which weight.
    assert verdict.readings[0].canary.count < 20 * 400


def test_a_threshold_s_window_that_was_under_way_begins_anew_after_an_outage():
    # 40 bad seconds before the outage and 10 after it are no bad minute.
    before = replace(CounterState.start(START), edge=START + 40, window=((5.0, 5.0),) * 8)
    after = skip(before, START + 1000, 5.0)
    assert (after.edge, after.window) == (START + 1000, ())
    assert skip(before, START + 41, 5.0) is before


@pytest.mark.parametrize("ahead", [-20.0, 8.0], ids=["behind", "ahead"])
def test_an_operator_whose_clock_is_a_little_off_finds_a_bad_canary_all_the_same(ahead: float):
    world = release(0.05)
    session = AnalysisSession.start([errors()], started_at=START + ahead)
    now = START
    while now < START + 200 and (session.verdict is None or session.verdict.outcome is not Outcome.FAIL):
        now += 10
        needs = session.needs(now + ahead)
        # The source has nothing later than its own present, whatever it is asked for.
        replies: dict[Need, Answer] = {}
        for need, answer in world.reply(needs).items():
            assert isinstance(answer, Sample)
            known = [(each, int(np.searchsorted(each.times, now, side="right"))) for each in answer.series]
            replies[need] = Sample(tuple(each.between(0, count) for each, count in known if count))
        session = session.ingest(now + ahead, replies)
    assert verdict_of(session).outcome is Outcome.FAIL


def test_a_source_whose_clock_is_far_behind_is_stale_and_says_so():
    world = release(0.01)
    world.outages.append((START + 60, 9999.0))  # as it looks to an operator that is ahead
    session, _ = run(AnalysisSession.start([errors()], started_at=START), world, START + 180)
    assert verdict_of(session).reason is Reason.STALE
    assert "the source's clock is behind the operator's" in verdict_of(session).message


def test_an_advisory_metric_neither_decides_nor_spends_alpha():
    advisory = replace(errors(name="b/y"), critical=False)
    session = AnalysisSession.start([errors(name="a/x"), advisory], started_at=START, alpha=0.01)
    assert [judged.alpha for judged in session.judged] == pytest.approx([0.01, 0.01])
    own = AnalysisSession.start([errors(Compare(alpha=0.001), name="a/x"), errors(name="b/y")], started_at=START)
    assert [judged.alpha for judged in own.judged] == pytest.approx([0.001, 0.01])
    world = release(0.05)
    alone, _ = run(AnalysisSession.start([advisory], started_at=START), world, START + 200)
    assert alone.judged[0].reading().outcome is Outcome.FAIL
    assert verdict_of(alone).outcome is Outcome.INCONCLUSIVE


def test_a_counter_that_is_not_a_number_is_reported_and_judged_around():
    world = release(0.01)
    session = AnalysisSession.start([errors()], started_at=START)
    now = START + 60
    replies = world.reply(session.needs(now))
    broken: dict[Need, Answer] = {}
    for need, answer in replies.items():
        assert isinstance(answer, Sample)
        first = answer.series[0]
        values = first.values.copy()
        values[-1] = np.nan
        broken[need] = Sample((Series(first.labels, first.times, values), *answer.series[1:]))
    session = session.ingest(now, broken)
    assert verdict_of(session).reason is Reason.NOT_A_NUMBER
    assert np.isfinite(evidence_of(session))


def test_a_pod_that_dies_does_not_hold_up_the_others():
    world = World(lasts=3000)
    world.serve(STABLE, 5, constant(150), constant(0.01))
    world.serve(STABLE, 1, constant(30), constant(0.01), dies=START + 100)
    world.serve(CANARY, 2, constant(20), constant(0.01), born=START - 5)
    session, now = run(AnalysisSession.start([errors()], started_at=START), world, START + 300)
    assert now - session.judged[0].counters.edge <= 15 + 10
    assert verdict_of(session).outcome is not Outcome.ERROR


def test_requests_of_a_warming_pod_are_counted_apart():
    world = World(lasts=3000)
    world.serve(STABLE, 6, constant(900), constant(0.01))
    world.serve(CANARY, 1, constant(100), lambda t: 0.04 if t < START + 30 else 0.01, born=START - 5)
    ready = {pod.name: START for pod in world.pods if pod.track == CANARY}
    cold = AnalysisSession.start([errors()], started_at=START)
    warm, _ = run(cold.with_ready_pods(ready), world, START + 600)
    assert verdict_of(warm).outcome is not Outcome.FAIL
    assert verdict_of(warm).readings[0].warming.count == pytest.approx(3000, rel=0.2)
    hasty, _ = run(cold, world, START + 600)
    assert verdict_of(hasty).outcome is Outcome.FAIL


def test_what_came_while_pods_warmed_up_alone_is_no_clean_look():
    world = World(lasts=3000)
    world.serve(STABLE, 6, constant(900), constant(0.01))
    world.serve(CANARY, 1, constant(100), constant(0.1), born=START - 5)
    ready = {pod.name: START for pod in world.pods if pod.track == CANARY}
    session, _ = run(AnalysisSession.start([errors()], started_at=START).with_ready_pods(ready), world, START + 40)
    reading = verdict_of(session).readings[0]
    assert reading.canary.count > 1000
    assert reading.reason is Reason.NOT_ENOUGH_DATA
    assert "while its pods warmed up" in reading.message


def test_a_template_may_give_pods_less_time_to_warm_up():
    world = World(lasts=3000)
    world.serve(STABLE, 6, constant(900), constant(0.01))
    world.serve(CANARY, 1, constant(100), constant(0.1), born=START - 5)
    ready = {pod.name: START for pod in world.pods if pod.track == CANARY}
    hurried = [errors(Compare(warm_up_seconds=5))]
    session, _ = run(AnalysisSession.start(hurried, started_at=START).with_ready_pods(ready), world, START + 60)
    assert verdict_of(session).outcome is Outcome.FAIL


def test_a_pod_that_is_added_later_does_not_make_the_past_cold():
    world = release(0.01)
    ready = {"envoy-knows-no-pods": START + 500}
    anew = AnalysisSession.start([errors()], started_at=START).with_ready_pods(ready)
    session = anew.ingest(START + 450, world.reply(anew.needs(START + 450)))
    assert verdict_of(session).readings[0].warming.count == 0
    session = session.ingest(START + 600, world.reply(session.needs(START + 600)))
    assert verdict_of(session).readings[0].warming.count == pytest.approx(60 * 20, rel=0.3)


def test_with_all_traffic_on_the_canary_compare_says_nothing_and_a_threshold_goes_on():
    world = World(lasts=3000)
    world.serve(STABLE, 3, constant(0), constant(0))
    world.serve(CANARY, 3, constant(100), constant(0.3), born=START - 5)
    bound = errors(Threshold(maximum=0.05, window_seconds=30, consecutive=2), name="http/bound")
    session, _ = run(AnalysisSession.start([errors(), bound], started_at=START), world, START + 300)
    compare, threshold = verdict_of(session).readings
    assert compare.reason is Reason.NOTHING_TO_COMPARE
    assert compare.evidence_against == pytest.approx(0.0, abs=1e-9)
    assert threshold.reason is Reason.BOUND_BROKEN
    assert verdict_of(session).outcome is Outcome.FAIL


def test_stable_dispersion_is_known_from_the_minutes_before_the_start():
    world = release(0.01)
    session = AnalysisSession.start([errors()], started_at=START)
    session = session.ingest(START + 30, world.reply(session.needs(START + 30)))
    assert verdict_of(session).readings[0].dispersion is not None


def test_too_few_requests_are_neither_a_pass_nor_a_clean_look():
    world = release(0.0, rps=2)
    session, _ = run(AnalysisSession.start([errors()], started_at=START), world, START + 60)
    assert verdict_of(session).reason is Reason.NOT_ENOUGH_DATA


def test_alpha_is_split_over_the_metrics_that_compare():
    session = AnalysisSession.start([errors(name="a/x"), errors(name="a/y")], started_at=START, alpha=0.02)
    world = release(0.01)
    session = session.ingest(START + 30, world.reply(session.needs(START + 30)))
    assert [r.evidence_limit for r in verdict_of(session).readings] == pytest.approx([2.0, 2.0])


QUEUE = ValueMetric(
    "queue/length", "main", "max(queue_length)", Threshold(maximum=10, consecutive=2), interval_seconds=60
)


def values(need: object, *numbers: float) -> Sample:
    assert isinstance(need, ValueNeed)
    return Sample((Series((), np.array(need.times), np.array(numbers)),))


def test_a_value_is_measured_once_a_window_and_missed_windows_are_made_up_for():
    session = AnalysisSession.start([QUEUE], started_at=START)
    assert session.needs(START + 59) == ()
    (need,) = session.needs(START + 185)
    assert isinstance(need, ValueNeed)
    assert need.times == (START + 60, START + 120, START + 180)
    session = session.ingest(START + 185, {need: values(need, 11.0, 4.0, 11.0)})
    assert verdict_of(session).outcome is Outcome.INCONCLUSIVE
    assert verdict_of(session).suspicious
    (need,) = session.needs(START + 245)
    session = session.ingest(START + 245, {need: values(need, 12.0)})
    assert verdict_of(session).reason is Reason.BOUND_BROKEN


def test_a_value_that_is_not_a_number_or_not_one_value_is_an_error():
    session = AnalysisSession.start([QUEUE], started_at=START)
    (need,) = session.needs(START + 60)
    assert verdict_of(session.ingest(START + 60, {need: values(need, np.nan)})).reason is Reason.NOT_A_NUMBER
    one = values(need, 1.0).series[0]
    assert verdict_of(session.ingest(START + 60, {need: Sample((one, one))})).reason is Reason.QUERY_INVALID
    assert verdict_of(session.ingest(START + 60, {need: NoData()})).reason is Reason.NO_DATA


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: AnalysisSession.start([errors()], started_at=0, alpha=1.0), "alpha must be between 0 and 1"),
        (lambda: AnalysisSession.start([errors(), errors()], started_at=0), "http/errors is named twice"),
        (lambda: AnalysisSession.start([errors(Threshold())], started_at=0), "http/errors: a threshold needs min"),
        (lambda: AnalysisSession.start([errors(Threshold(2, 1))], started_at=0), "min \\(2\\) is above max \\(1\\)"),
        (lambda: AnalysisSession.start([errors(Compare(-1))], started_at=0), "ratio must be positive"),
    ],
)
def test_what_cannot_be_judged_is_refused_with_the_metric_s_name(make, says: str):
    with pytest.raises(SpecInvalid, match=says):
        make()
