"""How soon worse canaries are condemned, in simulated releases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator, PercentFormatter
from numpy.typing import NDArray

from canary.plots.evidence import time_text
from canary.plots.figure import BEHIND, FAINT, INK, new, plain, title

TICKS: Final = (1, 3, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 28_800, 86_400, 259_200, 604_800)
"""Seconds at which the axis of time may have a tick."""


@dataclass(frozen=True, slots=True)
class Curve:
    """All simulated releases at one ratio."""

    ratio: float
    """The canary's bad share over stable's."""
    tolerated: bool
    """Whether to condemn it is a false alarm."""
    first: NDArray[np.float64]
    """Seconds until each was condemned; infinity where it was not."""


def draw(metric: str, curves: Sequence[Curve], lasts: float, world: str) -> Figure:
    """Draw the share that is condemned by then, a line for each ratio.

    Parameters
    ----------
    lasts
        Seconds that each release is watched.
    world
        What was simulated, in a line.
    """
    figure = new(height=4.4)
    axes = figure.subplots()
    worse = [curve for curve in curves if not curve.tolerated]
    shades = colormaps["plasma"](np.linspace(0.1, 0.8, max(1, len(worse))))
    for curve in curves:
        times = np.sort(curve.first[np.isfinite(curve.first)])
        x = np.concatenate([[1e-3], times, [lasts]])
        y = np.concatenate([[0.0], np.arange(1, len(times) + 1), [len(times)]]) / len(curve.first)
        colour = FAINT if curve.tolerated else tuple(shades[worse.index(curve)])
        axes.step(x, y, where="post", color=colour, linewidth=2, linestyle=":" if curve.tolerated else "-")
        if curve.tolerated:
            continue
        if len(times) * 2 >= len(curve.first):
            half = float(np.quantile(curve.first, 0.5, method="higher"))
            axes.plot(half, 0.5, "o", color=colour, markersize=6)
            axes.plot([half, half], [0.5, 1.03], color=colour, linewidth=0.8, alpha=0.5, clip_on=False)
            said = f"{curve.ratio:g} times worse\n{time_text(half)}"
            axes.text(half, 1.04, said, ha="center", va="bottom", color=colour, fontsize=9)
        else:
            said = f"{curve.ratio:g} times worse: {y[-1]:.0%} in {time_text(lasts)}"
            at = (lasts, float(y[-1]))
            axes.annotate(
                said, at, xytext=(-4, 6), textcoords="offset points", ha="right", color=colour, fontsize=9, bbox=BEHIND
            )
    alarms = max((float(np.isfinite(c.first).mean()) for c in curves if c.tolerated), default=None)
    dotted = f"\nDotted: within what is tolerated; {alarms:.1%} false alarms." if alarms is not None else ""
    found = [float(curve.first.min()) for curve in curves if np.isfinite(curve.first).any()]
    first = max(1.0, min([*found, lasts / 4]) / 1.5)
    axes.set_xscale("log")
    axes.set_xlim(first, lasts * 1.05)
    axes.set_ylim(0, 1.02)
    axes.set_xticks([t for t in TICKS if first <= t <= lasts])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: time_text(value)))
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    axes.set_xlabel("time since the canary had traffic", color=INK)
    axes.set_ylabel("releases condemned by then", color=INK)
    axes.grid(axis="y", color=FAINT, alpha=0.2)
    plain(axes)
    title(figure, f"{metric}: when half of the worse canaries are found", world + dotted)
    return figure
