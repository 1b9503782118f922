"""What was counted of one event metric since the start of a release's attempt: sums, evidence, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from canary.analysis import dispersion, threshold
from canary.analysis.blocks import Blocks, Wildness
from canary.analysis.burn import BurnState
from canary.analysis.compare import CompareState
from canary.analysis.samples import GAP_INTERVALS, Labels
from canary.analysis.verdict import SideSummary

FloatArray = NDArray[np.float64]

HISTORY_SECONDS = dispersion.WINDOW_SECONDS
"""How far before the start stable is read, so that its dispersion is known from the first look on."""
USUAL_INTERVAL = 15.0
"""Scrape interval in seconds that is assumed until two samples of a series tell."""


@dataclass(frozen=True, slots=True)
class CounterState:
    """What was counted since the start."""

    started_at: float
    """Unix seconds; the grid's origin."""
    edge: float
    """Unix seconds up to which everything is counted."""
    compare: CompareState
    """Of as many rows as the metric has: evidence that the candidate has more bad requests."""
    lower: CompareState
    """Evidence that it has fewer, of as many rows; of none where nobody asks."""
    above: tuple[float, ...] = ()
    """A histogram's: the bound of each row, ascending. Empty for a counter, and before the first look."""
    pin: int = 0
    """The row that summaries, dispersion and thresholds tell of."""
    bounds: threshold.ThresholdState = field(default_factory=threshold.ThresholdState)
    burn: BurnState = field(default_factory=BurnState)
    course: FloatArray = field(default_factory=lambda: np.zeros((0, 4)))
    """For a team's own judge: bad and all of the candidate, bad and all of stable, by interval."""
    candidate: SideSummary = field(default_factory=SideSummary)
    """Warm and cold requests together."""
    cold: SideSummary = field(default_factory=SideSummary)
    """Those of them that came while a pod warmed up."""
    stable: SideSummary = field(default_factory=SideSummary)
    candidate_bad: FloatArray = field(default_factory=lambda: np.zeros(1))
    """The candidate's bad requests by row, shape (rows,)."""
    stable_bad: FloatArray = field(default_factory=lambda: np.zeros(1))
    window: tuple[tuple[float, float], ...] = ()
    """The candidate's `(bad, total)` of the intervals in the threshold's present window."""
    blocks: Blocks = field(default_factory=dict)
    """What stable's dispersion is measured on."""
    candidate_blocks: Blocks = field(default_factory=dict)
    """The same of the candidate, all its pods as one part: whether it changes with stable."""
    candidate_parts: int = 1
    """The candidate's pods, as counted last."""
    wild: Wildness = field(default_factory=Wildness)
    """How stable varies."""
    interval: float = USUAL_INTERVAL
    """Scrape interval in seconds, as measured last."""
    read_history: bool = False
    candidate_seen: float | None = None
    """Unix seconds of the candidate's newest sample."""
    stable_seen: float | None = None
    known: frozenset[Labels] = frozenset()
    """The candidate's targets that have been counted: they are not born again when they were away."""

    @classmethod
    def start(cls, started_at: float) -> CounterState:
        """Nothing counted yet."""
        return cls(started_at, started_at, CompareState.fresh(1), CompareState.fresh(1))

    @property
    def max_gap(self) -> float:
        """Seconds without a sample after which a target counts as gone."""
        return GAP_INTERVALS * self.interval

    @property
    def read_from(self) -> float:
        """Unix seconds from which on samples are needed now: what lies before the edge and joins up with it."""
        start = self.edge if self.read_history else self.started_at - HISTORY_SECONDS
        return start - 2 * self.max_gap

    @property
    def settled(self) -> bool:
        """Whether the candidate has been counted: a histogram's rows can then no longer change."""
        return bool(self.known)

    def of_bounds(self, above: tuple[float, ...], pin: float) -> CounterState:
        """Take up a histogram's bounds, `pin` among them; those of a state that is not settled may only get fewer.

        What stable did is kept. The candidate did nothing yet, so the comparison is at its beginning.
        """
        if above == self.above:
            return self
        rows, columns = len(above), [self.above.index(bound) for bound in above if bound in self.above]
        if len(columns) < rows:  # the first look, or a bound that was not there: nothing is known of it
            blocks, stable_bad, wild = {}, np.zeros(rows), Wildness.unknown(rows)
        else:
            blocks = {
                index: {part: counted[[*columns, -1]] for part, counted in block.items()}
                for index, block in self.blocks.items()
            }
            stable_bad, wild = self.stable_bad[columns], self.wild.of_rows(columns)
        return replace(
            self,
            above=above,
            pin=above.index(pin),
            compare=CompareState.fresh(rows),
            lower=CompareState.fresh(rows),
            candidate_bad=np.zeros(rows),
            stable_bad=stable_bad,
            wild=wild,
            blocks=blocks,
            candidate_blocks={},
        )


def skip(state: CounterState, until: float, step: float) -> CounterState:
    """Give up on the time before `until`, Unix seconds, in steps of the grid: nothing is known of it, nor will be."""
    steps = int((until - state.edge) // step)
    # A threshold's window that was under way has a hole now: it begins anew.
    return replace(state, edge=state.edge + step * steps, read_history=True, window=()) if steps > 0 else state
