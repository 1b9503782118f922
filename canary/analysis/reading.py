"""From a metric's state to its reading: the one place that says pass, fail, inconclusive or error, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from canary.analysis import threshold
from canary.analysis.compare import divisor, evidence
from canary.analysis.counters import CounterState
from canary.analysis.metric import Compare, CounterMetric, Metric, Threshold
from canary.analysis.verdict import SUSPICION, MetricReading, Outcome, Reason, SideSummary

PASS_EVIDENCE: Final = math.log10(20)
"""log10 of E for the candidate at which it passes early: twenty to one. Less than failing takes, because a wrong pass
goes on being watched, and a wrong fail reverts somebody's commit."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a metric has no data that count at present."""

    reason: Reason
    message: str
    since: float
    """Unix seconds of the last time that data came (or of the start)."""


def read_counter(
    metric: CounterMetric, state: CounterState, alpha: float, trouble: Trouble | None, failed: MetricReading | None
) -> MetricReading:
    """Read a counter's metric.

    Parameters
    ----------
    alpha
        This metric's own share.
    trouble
        Why nothing counts at present, or None.
    failed
        The reading by which the metric failed before, or None: a fail is final, whatever comes after.
    """
    if failed is not None:
        return failed
    if isinstance(metric.judge, Threshold):
        return _read_bounds(metric, metric.judge, state.bounds, trouble, (state.candidate, state.stable))
    found = evidence(state.compare, divisor([state.phi]))
    against, favour = float(found.against[0]), float(found.favour[0])
    limit = -math.log10(alpha)
    outcome, reason, why = _compare(metric.judge, state, against, favour, limit)
    if trouble is not None and outcome is not Outcome.FAIL:
        outcome, reason, why = Outcome.ERROR, trouble.reason, trouble.message
    sides = f"canary {_side(state.candidate)}, stable {_side(state.stable)}"
    return MetricReading(
        metric.name,
        outcome,
        reason,
        "compare",
        against,
        favour,
        suspicious=outcome is Outcome.FAIL or against >= SUSPICION,
        canary=state.candidate,
        stable=state.stable,
        critical=metric.critical,
        no_data_since=trouble.since if trouble else None,
        message=f"{sides}: {why}",
        evidence_limit=limit,
        dispersion=None if math.isnan(state.phi) else state.phi,
        warming=state.cold,
    )


def read_value(
    metric: Metric, bounds: threshold.ThresholdState, trouble: Trouble | None, failed: MetricReading | None
) -> MetricReading:
    """Read a metric that is judged by bounds alone."""
    if failed is not None:
        return failed
    if not isinstance(metric.judge, Threshold):
        raise TypeError(f"{metric.name} is judged by comparison")
    return _read_bounds(metric, metric.judge, bounds, trouble, (SideSummary(), SideSummary()))


def odds(evidence_log10: float) -> str:
    """Evidence as people say it.

    >>> odds(2.31), odds(-1.0), odds(40.0)
    ('204 to 1', '1 to 10', 'more than a million to 1')
    """
    if evidence_log10 > 6:
        return "more than a million to 1"
    if evidence_log10 < -6:
        return "1 to more than a million"
    return f"{10**evidence_log10:,.0f} to 1" if evidence_log10 >= 0 else f"1 to {10**-evidence_log10:,.0f}"


def _compare(
    judge: Compare, state: CounterState, against: float, favour: float, limit: float
) -> tuple[Outcome, Reason, str]:
    tolerated = f"{judge.tolerated_ratio:g} times stable's"
    if against >= limit:
        return (
            Outcome.FAIL,
            Reason.EVIDENCE_AGAINST,
            f"the canary's bad share is above {tolerated}: {odds(against)} (fails at {odds(limit)})",
        )
    warm = state.candidate.count - state.cold.count
    if warm < judge.fewest_requests:
        need = f"{warm:,.0f} of {judge.fewest_requests:,.0f} canary requests so far"
        beside = f", beside {state.cold.count:,.0f} while its pods warmed up" if state.cold.count > 0 else ""
        return Outcome.INCONCLUSIVE, Reason.NOT_ENOUGH_DATA, f"too few to say: {need}{beside}"
    if state.stable.count <= 0:
        return Outcome.INCONCLUSIVE, Reason.NOTHING_TO_COMPARE, "stable has no traffic to compare with"
    if favour >= PASS_EVIDENCE:
        return (
            Outcome.PASS,
            Reason.EVIDENCE_FOR,
            f"the canary's bad share is within {tolerated}: {odds(favour)} (passes at {odds(PASS_EVIDENCE)})",
        )
    said = f"{odds(against)} against the canary (fails at {odds(limit)}), {odds(favour)} for it"
    return Outcome.INCONCLUSIVE, Reason.NOT_ENOUGH_EVIDENCE, f"undecided: {said}"


def _read_bounds(
    metric: Metric,
    judge: Threshold,
    bounds: threshold.ThresholdState,
    trouble: Trouble | None,
    sides: tuple[SideSummary, SideSummary],
) -> MetricReading:
    said = _bounds(judge)
    value = "nothing measured yet" if bounds.last is None else f"{bounds.last:.4g}"
    standing = threshold.standing(bounds, judge)
    if standing is threshold.Standing.BROKEN:
        outcome, reason = Outcome.FAIL, Reason.BOUND_BROKEN
        why = f"{value}, must be {said}: broken {bounds.row} times in a row, {bounds.broken} in all"
    elif standing is threshold.Standing.HOLDS:
        outcome, reason = Outcome.PASS, Reason.WITHIN_BOUNDS
        why = f"{value}, must be {said}: held {bounds.good_row} times in a row"
    else:
        outcome, reason = Outcome.INCONCLUSIVE, Reason.NOT_ENOUGH_DATA
        why = f"{value}, must be {said}: {bounds.good_row} of {judge.fewest} good measurements in a row"
    if trouble is not None and outcome is not Outcome.FAIL:
        outcome, reason, why = Outcome.ERROR, trouble.reason, trouble.message
    return MetricReading(
        metric.name,
        outcome,
        reason,
        "threshold",
        # One break of a bound blocks a raise, as ten to one against does: it may be the first of the row that fails.
        suspicious=outcome is Outcome.FAIL or bounds.row > 0,
        canary=sides[0],
        stable=sides[1],
        critical=metric.critical,
        no_data_since=trouble.since if trouble else None,
        message=why,
        value=bounds.last,
    )


def _bounds(judge: Threshold) -> str:
    texts = []
    if judge.minimum is not None:
        texts.append(f"at least {judge.minimum:g}")
    if judge.maximum is not None:
        texts.append(f"at most {judge.maximum:g}")
    return " and ".join(texts)


def _side(side: SideSummary) -> str:
    if side.ratio is None:
        return "no requests"
    return f"{side.ratio:.2%} bad ({side.bad:,.0f} of {side.count:,.0f})"
