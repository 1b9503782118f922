"""From a metric's state to its reading: the one place that says pass, fail, inconclusive or error, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, assert_never

import numpy as np
from numpy.typing import NDArray

from canary.analysis import burn, threshold, values
from canary.analysis.compare import divisor, evidence
from canary.analysis.counted import CounterState
from canary.analysis.dispersion import FEWEST_BAD, allowance
from canary.analysis.histograms import average
from canary.analysis.metric import BurnRate, Compare, Custom, Direction, EventMetric, Metric, Threshold, ValueMetric
from canary.analysis.swing import swing
from canary.analysis.values import ValueState
from canary.analysis.verdict import SUSPICION, MetricReading, Outcome, Reason, SideSummary

FloatArray = NDArray[np.float64]

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


def read_events(
    metric: EventMetric, state: CounterState, alpha: float, trouble: Trouble | None, failed: MetricReading | None
) -> MetricReading:
    """Read the metric of a counter or a histogram.

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
    if isinstance(metric.judge, Custom):
        raise TypeError(f"{metric.name} has a judge of its own")
    if isinstance(metric.judge, BurnRate):
        return _read_burn(metric, metric.judge, state, trouble)
    allowed = allowance(state.wild.spread, state.candidate_parts, chance=alpha / 2)
    against, favour, strong = _evidence(metric.judge, state, allowed)
    limit = -math.log10(alpha)
    outcome, reason, why = _compare(metric.judge, state, (against, favour), limit, strong)
    phi = float(state.wild.phi[state.pin])
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
        dispersion=None if math.isnan(phi) else phi,
        warming=state.cold,
        why=why,
        tolerated=metric.judge.tolerated_ratio if metric.judge.direction is Direction.INCREASE else None,
        swing=_swing(metric.judge, state, limit, allowed),
        notes=_notes(state, float(allowed[state.pin])),
    )


def _swing(judge: Compare, state: CounterState, limit: float, allowed: FloatArray) -> int | None:
    """How many bad requests would change it; None if it has not that many, or where one moves several rows at once."""
    both = state.candidate.count + state.stable.count
    if both <= 0 or len(state.wild.phi) != 1 or judge.direction is not Direction.INCREASE:
        return None
    d, pi = divisor(state.wild.phi), state.candidate.count / both
    found = swing(state.compare, float(d[0]), pi, judge.tolerated_ratio, limit, float(allowed[0]))
    failed = float(evidence(state.compare, d, allowance=allowed).against[0]) >= limit
    return None if found is None or (failed and found > state.candidate.bad) else found


def read_value(
    metric: ValueMetric,
    state: tuple[threshold.ThresholdState, ValueState],
    alpha: float,
    trouble: Trouble | None,
    failed: MetricReading | None,
) -> MetricReading:
    """Read the metric of an expression; `state` is what its judges know, parameters as of `read_events`."""
    if failed is not None:
        return failed
    if isinstance(metric.judge, Threshold):
        return _read_bounds(metric, metric.judge, state[0], trouble, (SideSummary(), SideSummary()))
    if isinstance(metric.judge, Custom):
        raise TypeError(f"{metric.name} has a judge of its own")
    return _read_values(metric, metric.judge, state[1], alpha, trouble)


def _read_values(
    metric: ValueMetric, judge: Compare, state: ValueState, alpha: float, trouble: Trouble | None
) -> MetricReading:
    against, favour = _of_values(judge, state, metric.interval_seconds)
    limit, batches = -math.log10(alpha), state.batches(metric.interval_seconds)
    candidate, stable = state.means
    sides = f"canary {candidate:.4g}, stable {stable:.4g} on average" if batches else "too few values"
    if against >= limit:
        outcome, reason = Outcome.FAIL, Reason.EVIDENCE_AGAINST
        why = f"the canary's value is {_beyond(judge)}: {odds(against)} (fails at {odds(limit)})"
    elif batches < values.FEWEST_BATCHES:
        outcome, reason = Outcome.INCONCLUSIVE, Reason.NOT_ENOUGH_DATA
        why = f"{batches} of {values.FEWEST_BATCHES} minutes' values so far"
    elif favour >= PASS_EVIDENCE and against < SUSPICION:
        outcome, reason = Outcome.PASS, Reason.EVIDENCE_FOR
        why = f"the canary's value is {_within(judge)}: {odds(favour)} (passes at {odds(PASS_EVIDENCE)})"
    else:
        outcome, reason = Outcome.INCONCLUSIVE, Reason.NOT_ENOUGH_EVIDENCE
        why = f"undecided: {odds(against)} against the canary (fails at {odds(limit)}), {odds(favour)} for it"
    if trouble is not None and outcome is not Outcome.FAIL:
        # Stable without a value is nothing to compare with, as stable without traffic is; all else is an error.
        lonely = trouble.reason is Reason.NOTHING_TO_COMPARE
        outcome = Outcome.INCONCLUSIVE if lonely else Outcome.ERROR
        reason, why = trouble.reason, trouble.message
    return MetricReading(
        metric.name,
        outcome,
        reason,
        "compare",
        against,
        favour,
        suspicious=outcome is Outcome.FAIL or against >= SUSPICION,
        critical=metric.critical,
        no_data_since=trouble.since if trouble and outcome is Outcome.ERROR else None,
        message=f"{sides}: {why}",
        value=None if math.isnan(candidate) else candidate,
        evidence_limit=limit,
        why=f"{sides}: {why}",
    )


def _of_values(judge: Compare, state: ValueState, interval_seconds: float) -> tuple[float, float]:
    """log10 of E against the candidate and for it, over the directions."""
    swapped = ValueState(state.pairs[:, ::-1])
    found = [
        values.evidence(each, judge.tolerated_ratio, interval_seconds)
        for each, asked in (
            (state, judge.direction is not Direction.DECREASE),
            (swapped, judge.direction is not Direction.INCREASE),
        )
        if asked
    ]
    against = np.logaddexp.reduce([each[0] * math.log(10) for each in found]) / math.log(10) - math.log10(len(found))
    return float(against), min(each[1] for each in found)


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


def _evidence(judge: Compare, state: CounterState, allowed: FloatArray) -> tuple[float, float, int]:
    """log10 of E against the candidate and for it, over all rows and directions; and the row with most against it.

    In either direction: evidence against is the average of the two processes', and evidence for it, that it is neither
    above nor below what is tolerated, the smaller one of the two.
    """
    d = divisor(state.wild.phi)
    found = [
        evidence(each, d, allowance=allowed)
        for each, asked in (
            (state.compare, judge.direction is not Direction.DECREASE),
            (state.lower, judge.direction is not Direction.INCREASE),
        )
        if asked
    ]
    rows = np.logaddexp.reduce([each.against * math.log(10) for each in found]) / math.log(10) - math.log10(len(found))
    favour = min(float(each.favour[state.pin]) for each in found)
    return average(rows, state.pin), favour, int(np.argmax(rows))


def _notes(state: CounterState, allowed: float) -> tuple[str, ...]:
    """What a reader has to know of the data to believe the evidence as far as it goes."""
    notes = []
    if allowed > 1.0:
        few = "the one of the canary" if state.candidate_parts == 1 else f"the {state.candidate_parts} of the canary"
        notes.append(
            f"stable's pods differ by {float(state.wild.spread.sd[state.pin]):.0%} for good, so {few} may, too: only "
            f"what is {allowed:.2g} times worse than is tolerated counts; more canary pods lower that"
        )
    if state.wild.wanders:
        notes.append(
            "stable's bad share changes from minute to minute, all pods at once, and the canary was not seen to change "
            "with it: if it does not, false alarms are more frequent than alpha"
        )
    if math.isnan(state.wild.phi[state.pin]) and state.stable.bad >= FEWEST_BAD:
        notes.append(
            "how much stable's pods vary is not known (there are fewer than two, or the series have no label that "
            "tells them apart): if errors come in bursts, false alarms are more frequent than alpha"
        )
    elif math.isnan(state.wild.phi[state.pin]) and state.candidate.bad > 0:
        notes.append(
            "stable has too few bad requests to tell whether they come in bursts: if they do, false alarms are more "
            "frequent than alpha"
        )
    return tuple(notes)


def _compare(
    judge: Compare,
    state: CounterState,
    found: tuple[float, float],
    limit: float,
    strong: int,
) -> tuple[Outcome, Reason, str]:
    against, favour = found
    what = f"share above {state.above[state.pin]:g}" if state.above else "bad share"
    if against >= limit:
        said = f"the canary's {what} is {_beyond(judge)}: {odds(against)} (fails at {odds(limit)})"
        return Outcome.FAIL, Reason.EVIDENCE_AGAINST, said + _where(state, strong)
    warm = state.candidate.count - state.cold.count
    if warm < judge.fewest_requests:
        need = f"{warm:,.0f} of {judge.fewest_requests:,.0f} canary requests so far"
        beside = f", beside {state.cold.count:,.0f} while its pods warmed up" if state.cold.count > 0 else ""
        return Outcome.INCONCLUSIVE, Reason.NOT_ENOUGH_DATA, f"too few to say: {need}{beside}"
    if state.stable.count <= 0:
        return Outcome.INCONCLUSIVE, Reason.NOTHING_TO_COMPARE, "stable has no traffic to compare with"
    if favour >= PASS_EVIDENCE and against < SUSPICION:
        said = f"the canary's {what} is {_within(judge)}: {odds(favour)} (passes at {odds(PASS_EVIDENCE)})"
        return Outcome.PASS, Reason.EVIDENCE_FOR, said
    said = f"{odds(against)} against the canary (fails at {odds(limit)}), {odds(favour)} for it"
    return Outcome.INCONCLUSIVE, Reason.NOT_ENOUGH_EVIDENCE, f"undecided: {said}"


def _beyond(judge: Compare) -> str:
    above, below = f"above {judge.tolerated_ratio:g} times stable's", f"below stable's over {judge.tolerated_ratio:g}"
    match judge.direction:
        case Direction.INCREASE:
            return above
        case Direction.DECREASE:
            return below
        case Direction.EITHER:
            return f"{above} or {below}"
        case _:
            assert_never(judge.direction)


def _within(judge: Compare) -> str:
    match judge.direction:
        case Direction.INCREASE:
            return f"within {judge.tolerated_ratio:g} times stable's"
        case Direction.DECREASE:
            return f"no less than stable's over {judge.tolerated_ratio:g}"
        case Direction.EITHER:
            return f"between stable's over {judge.tolerated_ratio:g} and {judge.tolerated_ratio:g} times stable's"
        case _:
            assert_never(judge.direction)


def _where(state: CounterState, row: int) -> str:
    """A histogram's bound at which the difference shows most, where it is not the objective's."""
    if not state.above or row == state.pin:
        return ""
    sides = (
        SideSummary(state.candidate.count, float(state.candidate_bad[row])),
        SideSummary(state.stable.count, float(state.stable_bad[row])),
    )
    shares = " against ".join("none" if side.ratio is None else f"{side.ratio:.2%}" for side in sides)
    return f"; most of it above {state.above[row]:g} ({shares} of stable's)"


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


def _read_burn(metric: EventMetric, judge: BurnRate, state: CounterState, trouble: Trouble | None) -> MetricReading:
    worst = burn.worst(state.burn)
    high = any(each.high for each in state.burn.burns)
    said = "nothing measured yet" if worst is None else _burn(worst)
    if state.burn.fired:
        outcome, reason, why = Outcome.FAIL, Reason.BUDGET_BURNING, f"{said}: both windows burn too fast"
    elif not burn.enough(state.burn, judge):
        outcome, reason, why = Outcome.INCONCLUSIVE, Reason.NOT_ENOUGH_DATA, f"{said}: too short, or too few requests"
    elif high:
        outcome, reason, why = Outcome.INCONCLUSIVE, Reason.NOT_ENOUGH_EVIDENCE, f"{said}: one window burns too fast"
    else:
        outcome, reason, why = Outcome.PASS, Reason.WITHIN_BUDGET, said
    if trouble is not None and outcome is not Outcome.FAIL:
        outcome, reason, why = Outcome.ERROR, trouble.reason, trouble.message
    return MetricReading(
        metric.name,
        outcome,
        reason,
        "burnRate",
        suspicious=outcome is Outcome.FAIL or high,
        canary=state.candidate,
        stable=state.stable,
        critical=metric.critical,
        no_data_since=trouble.since if trouble else None,
        message=why,
        value=None if worst is None else worst.long,
    )


def _burn(found: burn.Burn) -> str:
    rates = [
        f"{'no requests' if rate is None else f'{rate:.3g} times'} over {span_text(seconds)}"
        for rate, seconds in ((found.long, found.window.long_seconds), (found.short, found.window.short_seconds))
    ]
    return f"the canary's budget burns {' and '.join(rates)} (at most {found.window.factor:g})"


def span_text(seconds: float) -> str:
    """A window as it is written in a template.

    >>> span_text(3600), span_text(300), span_text(45)
    ('1h', '5m', '45s')
    """
    for size, unit in ((3600, "h"), (60, "m")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


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
