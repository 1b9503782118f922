"""Stable's side as it was earlier: asked for at that time, and moved to the present, so that intervals meet."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from canary.analysis.metric import Compare, Metric
from canary.analysis.samples import Series
from canary.metrics.source import Answer, NoData, Sample

A = TypeVar("A", bound=Answer)


def ago(metric: Metric) -> float:
    """Give by how many seconds stable's side is older than the candidate's."""
    return metric.judge.ago_seconds if isinstance(metric.judge, Compare) else 0.0


def moved(answer: A, seconds: float) -> A | Sample:
    """Give an answer for an earlier time as if it were so many seconds later."""
    if not isinstance(answer, Sample):
        return answer
    return Sample(tuple(_later(series, seconds) for series in answer.series))


def joined(candidate: Answer, stable: Answer) -> Answer:
    """Give both sides' answers as one; what is wrong with one is wrong with both."""
    for side in (candidate, stable):
        if not isinstance(side, Sample | NoData):
            return side
    series = tuple(each for side in (candidate, stable) if isinstance(side, Sample) for each in side.series)
    return Sample(series) if series else NoData()


def _later(series: Series, seconds: float) -> Series:
    return replace(series, times=series.times + seconds)
