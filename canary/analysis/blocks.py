"""Stable's last ten minutes in blocks of a minute and by part: what its dispersion is measured on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from canary.analysis import dispersion

FloatArray = NDArray[np.float64]

Parts = Mapping[str, tuple[FloatArray, FloatArray]]
"""By part of stable (a pod), what it counted: bad requests of shape (rows, intervals), all of shape (intervals,)."""
Blocks = Mapping[int, Mapping[str, FloatArray]]
"""By block since the start and by part: the bad requests of each row, then all of them; shape (rows + 1,)."""


def filled(blocks: Blocks, parts: Parts, since_start: FloatArray) -> dict[int, dict[str, FloatArray]]:
    """Add increments to their blocks; older blocks than the window's are dropped.

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
    keep = int(dispersion.WINDOW_SECONDS // dispersion.BLOCK_SECONDS)
    newest = max(full, default=0)
    # The newest block is still being filled, so one more is kept.
    return {index: block for index, block in sorted(full.items()) if index >= newest - keep}


def phi(blocks: Blocks, present: float) -> FloatArray | None:
    """Estimate phi of each row, shape (rows,), from the blocks before `present`; None as long as nothing can be said.

    Dispersion needs at least two parts, and a full block.
    """
    full = [block for index, block in blocks.items() if index < present]
    parts = sorted({part for block in full for part in block})
    if len(parts) < 2:
        return None
    nothing = np.zeros(max(len(column) for block in full for column in block.values()))
    table = np.array([[block.get(part, nothing) for part in parts] for block in full])  # blocks, parts, rows + 1
    bad = np.moveaxis(table[:, :, :-1], -1, 0)
    return dispersion.of_stable(bad, np.broadcast_to(table[:, :, -1], bad.shape)).used
