"""The readings of judges that look at the candidate alone: fixed bounds, and burn rates."""

from __future__ import annotations

from canary.analysis import burn, threshold
from canary.analysis.counted import CounterState
from canary.analysis.metric import BurnRate, EventMetric, Metric, Threshold
from canary.analysis.verdict import MetricReading, Outcome, Reason, SideSummary
from canary.analysis.wording import Trouble, span_text, unless_troubled


def read_bounds(
    metric: Metric,
    judge: Threshold,
    bounds: threshold.ThresholdState,
    trouble: Trouble | None,
    sides: tuple[SideSummary, SideSummary],
) -> MetricReading:
    """Read a metric that is judged by fixed bounds; `sides` are what was counted of the candidate and of stable."""
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
    outcome, reason, why = unless_troubled((outcome, reason, why), trouble)
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


def read_burn(metric: EventMetric, judge: BurnRate, state: CounterState, trouble: Trouble | None) -> MetricReading:
    """Read a metric that is judged by how fast the candidate spends an error budget."""
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
    outcome, reason, why = unless_troubled((outcome, reason, why), trouble)
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


def _bounds(judge: Threshold) -> str:
    texts = []
    if judge.minimum is not None:
        texts.append(f"at least {judge.minimum:g}")
    if judge.maximum is not None:
        texts.append(f"at most {judge.maximum:g}")
    return " and ".join(texts)
