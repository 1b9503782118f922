"""From what a team's own judge says to a reading."""

from __future__ import annotations

from canary.analysis.custom import OUTCOMES, Judgement
from canary.analysis.metric import Metric
from canary.analysis.verdict import MetricReading, Outcome, Reason
from canary.analysis.wording import Trouble, unless_troubled

_REASONS = {
    Outcome.PASS: Reason.JUDGED_GOOD,
    Outcome.FAIL: Reason.JUDGED_BAD,
    Outcome.INCONCLUSIVE: Reason.NOT_ENOUGH_EVIDENCE,
}


def read_custom(
    metric: Metric, said: Judgement | None, trouble: Trouble | None, failed: MetricReading | None
) -> MetricReading:
    """Read a metric that a team judges itself; parameters as of `canary.analysis.reading.read_events`."""
    if failed is not None:
        return failed
    outcome, reason, message = Outcome.INCONCLUSIVE, Reason.NOT_ENOUGH_DATA, "the judge was not asked yet"
    if said is not None:
        outcome = OUTCOMES[said.opinion]
        reason, message = _REASONS[outcome], said.message
    outcome, reason, message = unless_troubled((outcome, reason, message), trouble)
    return MetricReading(
        metric.name,
        outcome,
        reason,
        "custom",
        suspicious=outcome is Outcome.FAIL or (said is not None and said.suspicious),
        critical=metric.critical,
        no_data_since=trouble.since if trouble else None,
        message=message,
    )
