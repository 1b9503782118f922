"""A source's past, read in large pieces and handed out in small ones.

Judging an hour as it would have been judged then takes hundreds of looks, each with its queries. Here the source is
asked once for each selector and hour, and every look gets just those samples that it would have got: those in its own
window, up to its own instant. So the judges, the planner and the session are the operator's own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Final

import numpy as np

from canary.analysis.metric import Metric, ValueMetric
from canary.analysis.samples import Labels, Series
from canary.errors import SpecInvalid
from canary.metrics.source import Kind, MetricSource, NoData, Partial, Query, Sample

PIECE_SECONDS: Final = 3600
"""What one query reads. Prometheus allows 50 million samples a query; a thousand series scraped every 15 s are 240
thousand in an hour."""
MOST_PIECES: Final = 64
"""Pieces that are kept: looks go forward, so the oldest is not needed again."""
_RANGE: Final = re.compile(r"(.*)\[(\d+)s\]", re.DOTALL)


class PastSource:
    """A `MetricSource` for instants up to `until`, that asks another one seldom. For one thread."""

    def __init__(self, source: MetricSource, *, until: float, steps: Mapping[str, float]) -> None:
        """Read through `source`.

        Parameters
        ----------
        until
            Unix seconds: nothing later is asked for.
        steps
            By expression, the distance of the instants at which it is looked at, seconds: its values are read with it.
        """
        self.language = source.language
        self._source = source
        self._until = until
        self._steps = steps
        self._pieces: dict[tuple[str, int], Sample | NoData | Partial] = {}
        self._values: dict[tuple[str, int, float], Sample | NoData | Partial] = {}

    def ask(self, query: Query) -> Sample | NoData | Partial:
        """Answer one query; see `MetricSource.ask`."""
        if query.kind is Kind.SAMPLES:
            return self._samples(query)
        step = self._steps.get(query.expression)
        if query.kind is Kind.VALUE and step is not None:
            return self._value(query, step)
        return self._source.ask(query)

    def _samples(self, query: Query) -> Sample | NoData | Partial:
        found = _RANGE.fullmatch(query.expression)
        if found is None:
            raise SpecInvalid(f"not a selector with a literal range: {query.expression[:200]}")
        selector, window = found[1], int(found[2])
        start = query.at - window
        pieces: list[Sample | NoData] = []
        # A window (start, at] touches the pieces (k * size, (k + 1) * size] that hold something of it.
        for index in range(math.floor(start / PIECE_SECONDS), math.ceil(query.at / PIECE_SECONDS)):
            piece = self._piece(query.source, selector, index)
            if isinstance(piece, Partial):
                return piece
            pieces.append(piece)
        return _cut(pieces, start, query.at)

    def _piece(self, source: str, selector: str, index: int) -> Sample | NoData | Partial:
        key = (selector, index)
        if key not in self._pieces:
            at = min((index + 1) * PIECE_SECONDS, math.ceil(self._until))
            length = max(1, at - index * PIECE_SECONDS)
            got = self._source.ask(Query(source, f"{selector}[{length}s]", Kind.SAMPLES, float(at)))
            # Prometheus 2 gives the sample at the very beginning of a range too, which is the piece before's.
            self._pieces[key] = _cut([got], at - length, at) if isinstance(got, Sample) else got
            while len(self._pieces) > MOST_PIECES:
                del self._pieces[next(iter(self._pieces))]
        return self._pieces[key]

    def _value(self, query: Query, step: float) -> Sample | NoData | Partial:
        """From a range query over the piece, on the very instants of the looks."""
        index, phase = math.floor(query.at / PIECE_SECONDS), round(query.at % step, 3)
        key = (query.expression, index, phase)
        if key not in self._values:
            first = index * PIECE_SECONDS + (phase - index * PIECE_SECONDS) % step
            count = int((min((index + 1) * PIECE_SECONDS - 0.001, self._until) - first) // step)
            last = first + count * step
            wide = replace(query, kind=Kind.VALUES, at=last, start=first, step_seconds=step)
            self._values[key] = self._source.ask(wide)
        got = self._values[key]
        if not isinstance(got, Sample):
            return got
        near = [_pick(series, query.at - step / 2, query.at + step / 2) for series in got.series]
        kept = tuple(series for series in near if len(series.times))
        return Sample(kept) if kept else NoData()


def _pick(series: Series, after: float, until: float) -> Series:
    low, high = np.searchsorted(series.times, [after, until], side="right")
    return series.between(int(low), int(high))


def _cut(pieces: Sequence[Sample | NoData], start: float, at: float) -> Sample | NoData:
    """Join pieces that follow each other, and keep what lies in (start, at]."""
    joined: dict[tuple[Labels, type[Series]], list[Series]] = {}
    for piece in pieces:
        for series in piece.series if isinstance(piece, Sample) else ():
            part = _pick(series, start, at)
            if len(part.times):
                joined.setdefault((part.labels, type(part)), []).append(part)
    kept = tuple(reduce(lambda earlier, later: earlier.followed_by(later), parts) for parts in joined.values())
    return Sample(kept) if kept else NoData()


def steps_of(metrics: Iterable[Metric]) -> dict[str, float]:
    """Return the distance of looks at each expression, for `PastSource`."""
    return {
        expression: metric.interval_seconds
        for metric in metrics
        if isinstance(metric, ValueMetric)
        for expression in (metric.expression, metric.stable_expression)
    }
