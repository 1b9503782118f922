"""What an answer says before anything is made of it: whether it may be used, and which of its samples are numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

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
