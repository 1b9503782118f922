"""The canary against stable, and how the evidence went until the moment of decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, PercentFormatter

from canary.analysis.share import share_interval
from canary.analysis.verdict import SUSPICION
from canary.analysis.wording import odds
from canary.plots.figure import BEHIND, CANARY, FAINT, GOOD, INK, STABLE, new, plain, title

MOST = 6
"""Metrics in one picture; the deciding ones come first."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One metric that compares."""

    name: str
    verdict: str
    """Pass, Fail, Inconclusive or Error, in any case."""
    canary: tuple[float, float]
    """Bad requests, and all."""
    stable: tuple[float, float]
    every_seconds: float
    course: tuple[float, ...]
    """log10 of E against the canary, one value each `every_seconds`."""
    fails_at: float
    """log10 of E."""
    tolerated: float | None = None
    dispersion: float = 1.0


def draw(name: str, metrics: Sequence[Drawn]) -> Figure:
    """Draw a row for each metric: shares with intervals on the left, evidence over time on the right.

    Parameters
    ----------
    name
        What was judged, for the title.
    metrics
        At least one; the first one's verdict makes the title.
    """
    shown = metrics[:MOST]
    figure = new(height=1.1 + 2.6 * len(shown))
    grid = figure.subplots(len(shown), 2, squeeze=False, width_ratios=[2, 3])
    for index, metric in enumerate(shown):
        _shares(grid[index, 0], metric)
        _course(grid[index, 1], metric)
    more = f"; {len(metrics) - MOST} more metrics are not shown" if len(metrics) > MOST else ""
    title(figure, f"{name}: {_message(metrics[0])}", f"Bars: 95 % intervals of what was counted{more}.")
    return figure


def _message(metric: Drawn) -> str:
    (bad, requests), (stable_bad, stable_requests) = metric.canary, metric.stable
    after = f" after {time_text(metric.every_seconds * len(metric.course))}" if metric.course else ""
    said = f"{metric.verdict.capitalize()}{after}"
    if requests > 0 and stable_requests > 0 and stable_bad > 0:
        said += f", {(bad / requests) / (stable_bad / stable_requests):.2g} times stable's bad share"
    return said


def _shares(axes: Axes, metric: Drawn) -> None:
    ends = [0.0]
    for height, (word, side, colour) in enumerate(
        (("stable", metric.stable, STABLE), ("canary", metric.canary, CANARY))
    ):
        bad, requests = side
        if requests <= 0:
            axes.text(0, height, "no requests were counted", va="center", color=FAINT)
            continue
        low, high = share_interval(bad, requests, metric.dispersion)
        share = bad / requests
        ends.append(high)
        axes.plot([low, high], [height, height], color=colour, linewidth=4, alpha=0.35, solid_capstyle="butt")
        axes.plot(share, height, "o", color=colour, markersize=8)
        said = f"{word} {share:.2%}  ({bad:,.0f} of {requests:,.0f})"
        axes.text(0, height + 0.2, said, va="bottom", color=colour, fontsize=9, bbox=BEHIND)
    if metric.tolerated is not None and metric.stable[1] > 0 and metric.stable[0] > 0:
        edge = metric.tolerated * metric.stable[0] / metric.stable[1]
        ends.append(edge)
        axes.axvline(edge, ymax=0.86, color=FAINT, linestyle=":", linewidth=1.2)
        axes.text(edge, 1.92, f" tolerated: {metric.tolerated:g} x stable", va="top", color=FAINT, fontsize=8)
    axes.set_xlim(0, max(ends) * 1.25 or 1.0)
    axes.set_ylim(-0.4, 1.95)
    axes.set_yticks([])
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=None))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlabel("bad requests, of all", color=INK, fontsize=9)
    axes.set_title(metric.name, loc="left", fontsize=10, color=INK)
    plain(axes)
    axes.spines["left"].set_visible(b=False)


def _course(axes: Axes, metric: Drawn) -> None:
    times = [0.0, *(metric.every_seconds * (index + 1) for index in range(len(metric.course)))]
    values = [0.0, *metric.course]
    # Far below even odds nothing more is to be seen, and far above the limit neither.
    low, high = -1.0, max(metric.fails_at * 1.35, min(max(values), metric.fails_at * 2) * 1.1)
    shown = [min(max(value, low), high) for value in values]
    axes.plot(times, shown, color=CANARY, linewidth=2)
    end = max(times[-1], metric.every_seconds)
    for at, word, style in (
        (metric.fails_at, f"fails at {odds(metric.fails_at)}", "-"),
        (SUSPICION, f"no raise from {odds(SUSPICION)}", "--"),
    ):
        axes.axhline(at, color=FAINT, linestyle=style, linewidth=1)
        axes.text(0, at, word, va="bottom", ha="left", color=FAINT, fontsize=8)
    colour = {"fail": CANARY, "pass": GOOD}.get(metric.verdict.lower(), INK)
    axes.plot(times[-1], shown[-1], "o", color=colour, markersize=8, clip_on=False, zorder=5)
    decided = metric.verdict.lower() in {"fail", "pass"}
    if decided:
        axes.axvline(times[-1], color=colour, linewidth=1, alpha=0.6)
    axes.annotate(
        f"{metric.verdict.capitalize()} at {time_text(times[-1])}" if decided else metric.verdict.capitalize(),
        (times[-1], shown[-1]),
        xytext=(-8, -4 if shown[-1] >= metric.fails_at else 12),
        textcoords="offset points",
        ha="right",
        va="center",
        color=colour,
        fontsize=9,
        fontweight="bold",
        bbox=BEHIND,
    )
    axes.set_xlim(0, end * 1.06)
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(FixedLocator([tick for tick in range(-1, 8) if tick <= high]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: odds(value)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: time_text(value)))
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 1.5, 2, 3, 6, 10]))
    axes.set_xlabel("time since the canary had traffic", color=INK, fontsize=9)
    axes.set_title("evidence against the canary (odds)", loc="left", fontsize=10, color=INK)
    plain(axes)


def time_text(seconds: float) -> str:
    """Say a time as an axis does.

    >>> time_text(0), time_text(90), time_text(340), time_text(2658), time_text(5400)
    ('0', '90 s', '5 min 40 s', '44 min', '1.5 h')
    """
    if seconds == 0:
        return "0"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 10 and rest:
        return f"{minutes} min {rest} s"
    return f"{seconds / 60:.0f} min" if minutes < 90 else f"{seconds / 3600:.2g} h"
