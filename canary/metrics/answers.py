"""What an answer says before anything is made of it: whether it may be used, and which of its samples are numbers.

For expressions, whose answers are values at given instants, also which of the two tracks' values belong together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from canary.analysis.samples import Series
from canary.analysis.verdict import Reason
from canary.metrics.source import Answer, Partial, Refused, Sample, Unavailable

Problem = tuple[Reason, str]
"""Why nothing can be judged by at present: the kind, and a sentence for people."""


def refusal(answer: Answer) -> Problem | None:
    """Why an answer may not be used at all; None if it may."""
    match answer:
        case Unavailable(message):
            return Reason.UNAVAILABLE, message
        case Refused(message):
            return Reason.QUERY_INVALID, message
        case Partial(warnings):
            return Reason.PARTIAL, f"the source says that its answer is partial: {'; '.join(warnings)[:300]}"
        case _:
            return None


def finite(answer: Answer) -> tuple[Series, ...]:
    """The series with what is no number left out; a series of nothing else is left out whole."""
    if not isinstance(answer, Sample):
        return ()
    kept = []
    for series in answer.series:
        good = np.isfinite(series.values)
        if good.all():
            kept.append(series)
        elif good.any():
            kept.append(replace(series, times=series.times[good], values=series.values[good]))
    return tuple(kept)


def has_nan(answer: Answer) -> bool:
    """Whether some series' newest value is no number."""
    return isinstance(answer, Sample) and any(
        len(series.values) > 0 and not np.isfinite(series.values[-1]) for series in answer.series
    )


def value_problem(answer: Answer) -> Problem | None:
    """Why an expression's answer gives no value at present; None if it does."""
    if not isinstance(answer, Sample):
        return Reason.NO_DATA, "the query answers, and is empty"
    if len(answer.series) > 1:
        return Reason.QUERY_INVALID, f"the query must give one value, and gave {len(answer.series)} series"
    values = answer.series[0].values
    if len(values) == 0 or np.isnan(values[-1]):
        return Reason.NOT_A_NUMBER, "the query answers NaN"
    return None


def stable_problem(answer: Answer, candidate: Problem | None, values: Mapping[float, float]) -> Problem | None:
    """Why there is nothing to compare the candidate's value with; `values` are stable's."""
    if isinstance(answer, Sample) and len(answer.series) > 1:
        return Reason.QUERY_INVALID, f"stable's query must give one value, and gave {len(answer.series)} series"
    if not values:
        return Reason.NOTHING_TO_COMPARE, "stable has no value to compare with"
    return candidate


def numbers(answer: Answer) -> dict[float, float]:
    """An expression's values by instant, Unix seconds; without what is no number, and of one series alone."""
    if not isinstance(answer, Sample) or len(answer.series) != 1:
        return {}
    series = answer.series[0]
    pairs = zip(series.times.tolist(), series.values.tolist(), strict=True)
    return {round(at, 3): value for at, value in pairs if np.isfinite(value)}


def paired(
    candidate: Mapping[float, float],
    stable: Mapping[float, float],
    warm_up_seconds: float,
    ready_at: Mapping[str, float],
) -> NDArray[np.float64]:
    """The values of both at the same instants, shape (n, 2), in the order of time; without a pod's warm-up."""
    times = sorted(
        at
        for at in candidate.keys() & stable.keys()
        if not any(ready <= at < ready + warm_up_seconds for ready in ready_at.values())
    )
    return np.array([[candidate[at], stable[at]] for at in times]).reshape(-1, 2)
