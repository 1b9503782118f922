"""Stable's last ten minutes in blocks of a minute and by part: what is known of how wild it is.

Dispersion is that of the last ten minutes. By how much pods differ for good is told by everything that was counted of
them, so each pod's sums are kept when its blocks are dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from canary.analysis import dispersion

FloatArray = NDArray[np.float64]

Parts = Mapping[str, tuple[FloatArray, FloatArray]]
"""By part of stable (a pod), what it counted: bad requests of shape (rows, intervals), all of shape (intervals,)."""
Blocks = Mapping[int, Mapping[str, FloatArray]]
"""By block since the start and by part: the bad requests of each row, then all of them; shape (rows + 1,)."""


@dataclass(frozen=True, slots=True)
class Wildness:
    """How stable's bad requests vary."""

    phi: FloatArray = field(default_factory=lambda: np.full(1, np.nan))
    """Dispersion in use by row, shape (rows,); NaN until it can be measured."""
    spread: dispersion.Spread = field(default_factory=lambda: dispersion.Spread(np.zeros(1), np.zeros(1)))
    """By how much its parts differ for good, of as many rows."""
    wanders: bool = False
    """Its bad share changes as a whole, and the candidate was not seen to change with it; of the row that was asked."""
    sums: Mapping[str, FloatArray] = field(default_factory=dict)
    """By part: bad requests and how many were expected, were all alike; shape (2, rows). Of all full blocks so far."""
    until: int | None = None
    """The first block that is not in the sums; None: none is."""

    @classmethod
    def unknown(cls, rows: int) -> Self:
        """Nothing measured."""
        return cls(np.full(rows, np.nan), dispersion.Spread(np.zeros(rows), np.zeros(rows)))

    def of_rows(self, columns: list[int]) -> Self:
        """Take up some of the rows only."""
        return replace(
            self,
            phi=self.phi[columns],
            spread=dispersion.Spread(self.spread.sd[columns], self.spread.degrees[columns]),
            sums={part: counted[:, columns] for part, counted in self.sums.items()},
        )


def filled(blocks: Blocks, parts: Parts, since_start: FloatArray) -> dict[int, dict[str, FloatArray]]:
    """Add increments to their blocks.

    Parameters
    ----------
    since_start
        Seconds from the start to each interval's beginning, shape (intervals,); negative before it.
    """
    full = {index: dict(block) for index, block in blocks.items()}
    indices = (since_start // dispersion.BLOCK_SECONDS).astype(int)
    for part, (bad, every) in parts.items():
        for index, column in zip(indices.tolist(), np.vstack([bad, every]).T, strict=True):
            block = full.setdefault(index, {})
            block[part] = block[part] + column if part in block else column
    return dict(sorted(full.items()))


def recent(blocks: Blocks, present: int) -> dict[int, dict[str, FloatArray]]:
    """Drop blocks that are older than the window, now that `present` is being filled."""
    keep = int(dispersion.WINDOW_SECONDS // dispersion.BLOCK_SECONDS)
    return {index: dict(block) for index, block in blocks.items() if index >= present - keep}


def measure(before: Wildness, blocks: Blocks, candidate: Blocks, present: int, pin: int) -> Wildness:
    """Estimate how wild stable is from the blocks before `present`.

    Dispersion and spread need at least two parts, and a full block.

    Parameters
    ----------
    blocks
        Stable's, with every one that is not in the sums yet.
    candidate
        The same of the candidate, of one part.
    pin
        The row of which it is told whether the candidate changes with stable.
    """
    fresh = [block for i, block in blocks.items() if i < present and (before.until is None or i >= before.until)]
    if not fresh:
        return before
    sums = dict(before.sums)
    for block in fresh:
        counted = np.stack(list(block.values()))  # parts, rows + 1
        bad = counted[:, :-1].T
        expected = dispersion.expectation(bad, np.broadcast_to(counted[:, -1], bad.shape))
        for part, column in zip(block, np.stack([bad, expected]).transpose(2, 0, 1), strict=True):
            sums[part] = sums[part] + column if part in sums else column
    now = replace(before, sums=sums, until=present)
    full = {index: block for index, block in recent(blocks, present).items() if index < present}
    parts = sorted({part for block in full.values() for part in block})
    if len(parts) < 2:
        return now
    nothing = np.zeros(max(len(column) for block in full.values() for column in block.values()))
    table = np.array([[block.get(part, nothing) for part in parts] for block in full.values()])
    bad = np.moveaxis(table[:, :, :-1], -1, 0)
    total = np.broadcast_to(table[:, :, -1], bad.shape)  # blocks, parts, rows + 1
    found = dispersion.of_stable(bad, total)
    margins = np.stack([sums[part] for part in sorted(sums)], axis=-1)
    wanders = dispersion.wanders(bad, total, found)
    followed = wanders.any() and _followed(full, candidate, found, pin)
    return replace(
        now,
        phi=found.used,
        spread=dispersion.spread(margins[0], margins[1], found.estimate),
        wanders=bool(wanders[pin]) and not followed,
    )


def _followed(stable: Blocks, candidate: Blocks, found: dispersion.Dispersion, pin: int) -> bool:
    """Whether the candidate was seen to change with stable, in the blocks that both have."""
    both = [index for index in stable if index in candidate]
    if not both:
        return False
    sides = [
        np.array([np.sum(list(side[index].values()), axis=0)[[pin, -1]] for index in both])[np.newaxis]
        for side in (candidate, stable)
    ]
    first, second = ((side[..., 0], side[..., 1]) for side in sides)
    return bool(dispersion.follows(first, second, found)[pin])
