"""The reading of a value that is compared with stable's."""

from __future__ import annotations

import math

import numpy as np

from canary.analysis import values
from canary.analysis.metric import Compare, Direction, ValueMetric
from canary.analysis.values import ValueState
from canary.analysis.verdict import SUSPICION, MetricReading, Outcome, Reason
from canary.analysis.wording import PASS_EVIDENCE, Trouble, beyond, odds, within


def read_values(
    metric: ValueMetric, judge: Compare, state: ValueState, alpha: float, trouble: Trouble | None
) -> MetricReading:
    """Read a value that is compared; parameters as of `canary.analysis.reading.read_events`."""
    against, favour = _of_values(judge, state, metric.interval_seconds)
    limit, batches = -math.log10(alpha), state.batches(metric.interval_seconds)
    candidate, stable = state.means
    sides = f"canary {candidate:.4g}, stable {stable:.4g} on average" if batches else "too few values"
    if against >= limit:
        outcome, reason = Outcome.FAIL, Reason.EVIDENCE_AGAINST
        why = f"the canary's value is {beyond(judge)}: {odds(against)} (fails at {odds(limit)})"
    elif batches < values.FEWEST_BATCHES:
        outcome, reason = Outcome.INCONCLUSIVE, Reason.NOT_ENOUGH_DATA
        why = f"{batches} of {values.FEWEST_BATCHES} minutes' values so far"
    elif favour >= PASS_EVIDENCE and against < SUSPICION:
        outcome, reason = Outcome.PASS, Reason.EVIDENCE_FOR
        why = f"the canary's value is {within(judge)}: {odds(favour)} (passes at {odds(PASS_EVIDENCE)})"
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
