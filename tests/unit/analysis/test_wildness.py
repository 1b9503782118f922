"""What stable's own pods say about how far a difference between versions is to be believed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from canary.analysis import blocks, dispersion
from canary.analysis.account import Account
from canary.analysis.blocks import Wildness
from canary.analysis.compare import WORSE, CompareState, Interval, Mixture, advance, evidence
from canary.analysis.counted import CounterState
from canary.analysis.metric import Compare, CounterMetric
from canary.analysis.reading import read_events
from canary.analysis.samples import TrackLabel
from canary.analysis.simulation import Judging, World, first_alarms
from canary.analysis.verdict import MetricReading, Outcome, SideSummary

PODS, MINUTES = 10, 10
Table = NDArray[np.float64]

METRIC = CounterMetric(
    "http/errors",
    "prometheus",
    "bad",
    "total",
    (TrackLabel("hash", "new"),),
    (TrackLabel("hash", "old"),),
    Compare(),
)


def drawn(share: Table | float, *, requests: float = 6000.0, seed: int = 1) -> Table:
    """Bad requests of each minute and pod, shape (1, minutes, pods), independent but for their shares."""
    mean = np.broadcast_to(np.asarray(share) * requests, (1, MINUTES, PODS))
    return np.random.default_rng(seed).poisson(mean).astype(np.float64)


def measured(bad: Table, candidate: Table | None = None, requests: float = 6000.0) -> Wildness:
    """Stable's minutes, and the candidate's of the same time, as the operator keeps them."""
    stable = {m: {f"pod-{p}": np.array([bad[0, m, p], requests]) for p in range(PODS)} for m in range(MINUTES)}
    other = {} if candidate is None else {m: {"": np.array([x, requests])} for m, x in enumerate(candidate)}
    return blocks.measure(Wildness(), stable, other, MINUTES, pin=0)


def reading(wild: Wildness, interval: Interval) -> MetricReading:
    state = replace(
        CounterState.start(0.0),
        wild=wild,
        compare=advance(CompareState.fresh(1), interval, 1.5),
        candidate=SideSummary(float(interval.candidate_total[0]), float(interval.candidate_bad[0])),
        stable=SideSummary(float(interval.stable_total[0]), float(interval.stable_bad[0])),
    )
    return read_events(METRIC, state, 0.01, None, None)


DIFFERENT = np.exp(np.linspace(-0.4, 0.4, PODS)) * 0.01
SLOW = np.exp(0.8 * np.sin(np.arange(MINUTES) / 2))[:, np.newaxis] * 0.01


def test_pods_that_differ_for_good_are_a_spread_and_no_dispersion():
    found = measured(drawn(DIFFERENT))
    assert found.spread.sd[0] == pytest.approx(np.std(np.log(DIFFERENT), ddof=1), rel=0.25)
    assert found.phi[0] < 1.5


def test_pods_that_are_alike_have_no_spread():
    spreads = [measured(drawn(0.01, seed=seed)).spread.sd[0] for seed in range(200)]
    # Refused at 1 %: 200 of them see two on average.
    assert np.count_nonzero(spreads) <= 2 + 3 * np.sqrt(2)


def test_the_spread_is_learned_from_all_minutes_though_only_ten_are_kept():
    slightly = np.exp(np.linspace(-0.12, 0.12, PODS)) * 0.01
    wild, kept = Wildness(), {}
    for minute in range(60):
        bad = drawn(slightly, requests=3000.0, seed=minute)[0, 0]
        kept[minute] = {f"pod-{p}": np.array([bad[p], 3000.0]) for p in range(PODS)}
        wild = blocks.measure(wild, kept, {}, minute + 1, pin=0)
        kept = blocks.recent(kept, minute + 1)
    assert len(kept) == 10
    assert wild.spread.sd[0] == pytest.approx(np.std(np.log(slightly), ddof=1), rel=0.4)


def test_what_one_pod_may_be_worse_grows_with_the_spread_and_shrinks_with_the_canarys_pods():
    def allowed(sd: float, candidates: int) -> float:
        return float(dispersion.allowance(dispersion.Spread(np.array([sd]), np.array([9.0])), candidates)[0])

    assert allowed(0.0, 1) == 1.0
    assert 1.0 < allowed(0.1, 1) < allowed(0.3, 1)
    assert allowed(0.3, 10) < allowed(0.3, 1)
    # Student's 0.995 quantile at 9 degrees of freedom is 3.2498; one new pod against the mean of ten.
    assert np.log(allowed(0.1, 1)) == pytest.approx(0.1 * 3.2498 * np.sqrt(1.1), rel=0.01)


def test_an_allowance_moves_the_tolerated_ratio_and_halves_the_evidence():
    multiple = float(WORSE.multiples[10])
    interval = Interval.of(60, 1000, 100, 9000)
    moved = evidence(advance(CompareState.fresh(1), interval, 1.5), 1.25, allowance=multiple)
    left = Mixture(WORSE.multiples[11:] / multiple, np.full(37, -np.log(37)))
    fresh = CompareState(np.zeros((1, 37)), np.zeros((1, 37)), np.zeros((1, 48)))
    direct = evidence(advance(fresh, interval, 1.5 * multiple, worse=left), 1.25, worse=left)
    # Nine parts of ten are the main process; the rest is the warm-up's, which has seen nothing.
    main = (10 ** direct.against[0] - 0.1) / 2 + 0.1
    assert 10 ** moved.against[0] == pytest.approx(main, rel=1e-9)


def test_one_row_is_allowed_more_without_changing_the_others():
    interval = Interval.of([60, 60], 1000, 100, 9000)
    state = advance(CompareState.fresh(2), interval, 1.5)
    both = evidence(state, 1.25, allowance=[1.0, 3.0]).against
    assert both[0] == evidence(state, 1.25).against[0]
    assert both[1] < both[0]


def test_minutes_that_follow_each_other_count_for_more_than_the_same_ones_in_any_order():
    rng = np.random.default_rng(2)
    slow = rng.normal(0, 0.5, (1, MINUTES, PODS))
    for minute in range(1, MINUTES):
        slow[:, minute] = 0.8 * slow[:, minute - 1] + 0.6 * slow[:, minute]
    bad = rng.poisson(60 * np.exp(slow)).astype(np.float64)
    total = np.full(bad.shape, 6000.0)
    shuffled = np.stack([bad[:, rng.permutation(MINUTES), p] for p in range(PODS)], axis=-1)
    used, mixed = (dispersion.of_stable(each, total).used[0] for each in (bad, shuffled))
    assert used > 1.5 * mixed


def test_a_stable_that_wanders_as_a_whole_is_told_until_the_canary_is_seen_to_go_with_it():
    bad = drawn(SLOW)
    assert measured(bad).wanders
    rng = np.random.default_rng(4)
    assert not measured(bad, rng.poisson(SLOW[:, 0] * 6000.0).astype(np.float64)).wanders
    assert measured(bad, rng.poisson(np.full(MINUTES, 60.0)).astype(np.float64)).wanders


def test_a_steady_stable_does_not_wander():
    told = [measured(drawn(0.01, seed=seed)).wanders for seed in range(200)]
    assert sum(told) <= 2 + 3 * np.sqrt(2)


@pytest.mark.parametrize(
    ("share", "said"),
    [
        pytest.param(DIFFERENT, "pods differ by", id="pods that differ"),
        pytest.param(SLOW, "all pods at once", id="slow noise of all of stable"),
    ],
)
def test_the_report_warns_when_the_data_look_like_what_the_guarantee_does_not_cover(share: Table, said: str):
    told = "\n".join(Account.of(reading(measured(drawn(share)), Interval.of(10, 1000, 90, 9000))).lines)
    quiet = "\n".join(Account.of(reading(measured(drawn(0.01, seed=3)), Interval.of(10, 1000, 90, 9000))).lines)
    assert said in told
    assert said not in quiet


def test_the_report_says_when_stables_pods_cannot_be_told_apart():
    found = reading(Wildness(), Interval.of(10, 1000, 90, 9000))
    assert any("is not known" in note for note in found.notes)


def test_the_report_says_when_bursts_cannot_be_told_from_few_errors():
    found = reading(Wildness(), Interval.of(4, 1000, 1, 9000))
    assert any("too few bad requests to tell" in note for note in found.notes)
    assert reading(Wildness(), Interval.of(0, 1000, 1, 9000)).notes == ()


def test_a_difference_that_stables_own_pods_show_condemns_no_canary_and_a_disaster_does():
    twice = Interval.of(60, 2000, 180, 18_000)
    assert reading(measured(drawn(0.01, seed=3)), twice).outcome is Outcome.FAIL
    spread = measured(drawn(DIFFERENT))
    assert reading(spread, twice).outcome is Outcome.INCONCLUSIVE
    assert reading(spread, Interval.of(400, 2000, 180, 18_000)).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(World(1000, pod_sd=0.2), id="pods that differ by 20 %"),
        pytest.param(World(1000, autocorrelation=0.9), id="slow noise of each pod"),
    ],
)
def test_at_the_tolerated_ratio_wild_pods_make_few_false_alarms_and_many_when_they_are_not_measured(world: World):
    def rate(judging: Judging) -> float:
        found = first_alarms(world, judging, releases=200, seconds=1800, rng=np.random.default_rng(1))
        return float(np.isfinite(found).mean())

    assert rate(Judging()) <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / 200)
    assert rate(Judging(measured=False)) > 0.15
