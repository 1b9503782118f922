"""From a metric's state to its reading: the one place that says pass, fail, inconclusive or error, and why."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from canary.analysis import threshold
from canary.analysis.compare import divisor, evidence
from canary.analysis.counted import CounterState
from canary.analysis.dispersion import FEWEST_BAD, allowance
from canary.analysis.histograms import average
from canary.analysis.metric import BurnRate, Compare, Custom, Direction, EventMetric, Threshold, ValueMetric
from canary.analysis.reading_bounds import read_bounds, read_burn
from canary.analysis.reading_values import read_values
from canary.analysis.swing import swing
from canary.analysis.values import ValueState
from canary.analysis.verdict import SUSPICION, MetricReading, Outcome, Reason, SideSummary
from canary.analysis.wording import PASS_EVIDENCE, Trouble, beyond, odds, unless_troubled, within

FloatArray = NDArray[np.float64]


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
        return read_bounds(metric, metric.judge, state.bounds, trouble, (state.candidate, state.stable))
    if isinstance(metric.judge, Custom):
        raise TypeError(f"{metric.name} has a judge of its own")
    if isinstance(metric.judge, BurnRate):
        return read_burn(metric, metric.judge, state, trouble)
    allowed = allowance(state.wild.spread, state.candidate_parts, chance=alpha / 2)
    against, favour, strong = _evidence(metric.judge, state, allowed)
    limit = -math.log10(alpha)
    said = _compare(metric.judge, state, (against, favour), limit, strong)
    outcome, reason, why = unless_troubled(said, trouble)
    phi = float(state.wild.phi[state.pin])
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
        return read_bounds(metric, metric.judge, state[0], trouble, (SideSummary(), SideSummary()))
    if isinstance(metric.judge, Custom):
        raise TypeError(f"{metric.name} has a judge of its own")
    return read_values(metric, metric.judge, state[1], alpha, trouble)


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
        said = f"the canary's {what} is {beyond(judge)}: {odds(against)} (fails at {odds(limit)})"
        return Outcome.FAIL, Reason.EVIDENCE_AGAINST, said + _where(state, strong)
    warm = state.candidate.count - state.cold.count
    if warm < judge.fewest_requests:
        need = f"{warm:,.0f} of {judge.fewest_requests:,.0f} canary requests so far"
        beside = f", beside {state.cold.count:,.0f} while its pods warmed up" if state.cold.count > 0 else ""
        return Outcome.INCONCLUSIVE, Reason.NOT_ENOUGH_DATA, f"too few to say: {need}{beside}"
    if state.stable.count <= 0:
        return Outcome.INCONCLUSIVE, Reason.NOTHING_TO_COMPARE, "stable has no traffic to compare with"
    if favour >= PASS_EVIDENCE and against < SUSPICION:
        said = f"the canary's {what} is {within(judge)}: {odds(favour)} (passes at {odds(PASS_EVIDENCE)})"
        return Outcome.PASS, Reason.EVIDENCE_FOR, said
    said = f"{odds(against)} against the canary (fails at {odds(limit)}), {odds(favour)} for it"
    return Outcome.INCONCLUSIVE, Reason.NOT_ENOUGH_EVIDENCE, f"undecided: {said}"


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


def _side(side: SideSummary) -> str:
    if side.ratio is None:
        return "no requests"
    return f"{side.ratio:.2%} bad ({side.bad:,.0f} of {side.count:,.0f})"
