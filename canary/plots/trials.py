"""Trials in the past: how far evidence went against what was stable, and against the releases that were."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

from canary.analysis.wording import odds
from canary.plots.figure import CANARY, FAINT, GOOD, INK, STABLE, new, plain, title

STEPS: Final = (60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_419_200)
"""Seconds between the ticks of the time axis, the shortest that is not too many."""


@dataclass(frozen=True, slots=True)
class Point:
    """One trial."""

    at: float
    """Unix seconds of its beginning."""
    strongest: float
    """Highest evidence against it, log10 of E, over the metrics; relative to `fails_at` of the same one."""
    failed: bool
    release: str = ""
    """Name of the release; empty: stable against itself."""


def draw(name: str, points: Sequence[Point], fails_at: float) -> Figure:
    """Draw each trial's strongest evidence at its time."""
    figure = new(height=4.2)
    axes = figure.subplots()
    top = fails_at * 1.6
    splits = [point for point in points if not point.release]
    releases = [point for point in points if point.release]
    for point in points:
        height = min(max(point.strongest, -0.5), top - 0.1)
        colour = CANARY if point.failed else GOOD if point.release else STABLE
        marker = "D" if point.release else "o"
        axes.plot(
            point.at,
            height,
            marker,
            color=colour,
            alpha=1.0 if point.release or point.failed else 0.45,
            markersize=9 if point.release else 6,
            zorder=4 if point.release else 3,
        )
        if point.release:
            axes.annotate(
                point.release,
                (point.at, height),
                xytext=(8, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
                color=colour,
            )
    axes.axhline(fails_at, color=FAINT, linewidth=1)
    axes.annotate(
        f"fails at {odds(fails_at)}",
        (0, fails_at),
        xycoords=("axes fraction", "data"),
        xytext=(2, 3),
        textcoords="offset points",
        fontsize=8,
        color=FAINT,
    )
    axes.set_ylim(-0.7, top)
    axes.margins(x=0.08)
    axes.yaxis.set_major_locator(FixedLocator([tick for tick in range(8) if tick < top]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: odds(value)))
    first, last = (end([point.at for point in points]) for end in (min, max))
    step = next((each for each in STEPS if (last - first) / each <= 7), STEPS[-1])
    ticks: list[float] = [step * number for number in range(math.ceil(first / step), math.floor(last / step) + 1)] or [
        first
    ]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    form = "%d %b" if step >= 86_400 else "%d %b\n%H:%M"
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: datetime.fromtimestamp(value, UTC).strftime(form)))
    axes.set_ylabel("strongest evidence against it (odds)", color=INK)
    axes.set_xlabel("beginning of the trial (UTC)", color=INK)
    plain(axes)
    alarms, caught = sum(point.failed for point in splits), sum(point.failed for point in releases)
    parts = [f"{alarms} of {len(splits)} false alarms"] if splits else []
    parts += [f"{caught} of {len(releases)} releases caught"] if releases else []
    legend = "Round: stable's pods against its own. Diamonds: releases; red: it would have been rolled back."
    title(figure, f"{name}: {', '.join(parts) or 'nothing was tried'}", legend)
    return figure
