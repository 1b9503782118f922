"""The comparison beside the peers' rules, on the same simulated releases: `make bench NAME=judge`.

All make at most 1 % of false alarms in an hour with the candidate at 1.5 times stable's bad share. Twice:

(a) every peer's rule at its own best setting for that very cell, found by simulation; ours untuned;
(b) every rule in one setting for the whole grid, as users have it.

And how near ours is to Wald's bound, and what a tick of 10,000 rows costs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.figures import Figure
from benchmarks.judge_rules import Rule, Seen, bound, rules, seconds
from benchmarks.judge_speed import speed
from canary.analysis.compare import TOLERATED_RATIO
from canary.analysis.power import MIXTURE_COST, seconds_to_find
from canary.analysis.simulation import Draws, FloatArray, Judging, World, watch

ALPHA, HOUR = 0.01, 3600.0
RATIOS = (2.0, 5.0, 10.0)
PEERS = ("flagger", "argo", "kayenta")


@dataclass(frozen=True, slots=True)
class Cell:
    """What service it is."""

    rps: float
    weight: float
    base: float
    phi: float

    def world(self, ratio: float) -> World:
        return World(self.rps, self.base, ratio, weight=lambda _t: self.weight, phi=self.phi)

    @property
    def name(self) -> str:
        return f"{self.rps:>5g} rps {self.weight:>4.0%} {self.base:>5.1%} phi {self.phi:g}"


CELLS = [Cell(*each) for each in itertools.product((10, 100, 1000), (0.01, 0.1), (0.001, 0.03), (1.0, 5.0))]


class Recorded:
    """Drawn releases, kept for every rule: a `Source`."""

    def __init__(self, world: World, releases: int, seed: int) -> None:
        drawn = Draws(world, 10.0, releases, np.random.default_rng(seed))
        self.releases = releases
        self._history = drawn.history()
        self._ticks = [drawn.interval(t * 10.0) for t in range(round(HOUR / 10))]

    def history(self) -> tuple[FloatArray, FloatArray]:
        return self._history

    def interval(self, t: float) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        return self._ticks[round(t / 10)]

    @property
    def seen(self) -> Seen:
        stable = [(bad.sum(axis=1), total.sum(axis=1)) for bad, total, _, _ in self._ticks]
        return Seen(
            np.stack([tick[2] for tick in self._ticks], axis=1),
            np.stack([tick[3] for tick in self._ticks], axis=1),
            np.stack([bad for bad, _ in stable], axis=1),
            np.stack([total for _, total in stable], axis=1),
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """One cell and ratio."""

    cell: Cell
    ratio: float
    ours: FloatArray
    """Seconds of each release."""
    tuned: dict[str, float]
    """By peer: the median at its best setting for this very cell."""
    wald: float
    """Seconds that no test with these false alarms and without knowledge of stable's share can beat on average."""

    @property
    def median(self) -> float:
        return float(np.quantile(self.ours, 0.5, method="higher"))

    @property
    def near(self) -> float | None:
        """Our mean over the bound; None unless nearly all were found, as the mean is not known then."""
        if np.isfinite(self.ours).mean() < 0.99:
            return None
        return float(self.ours[np.isfinite(self.ours)].mean()) / self.wald


def wald(cell: Cell, ratio: float) -> float:
    """The bound, of whole looks: what one look says cannot be known before it."""
    plain = seconds_to_find(
        requests_per_second=cell.rps,
        weight=cell.weight,
        bad_share=cell.base,
        ratio=ratio,
        alpha=ALPHA / math.exp(-MIXTURE_COST),
        divisor=cell.phi,
    )
    return max(10.0, plain)


def measure(releases: int) -> tuple[list[Measured], dict[tuple[int, Cell, float], float], dict[Cell, float]]:
    """Every cell: the tuned medians, the medians of the best single setting, and our false alarms."""
    tried = list(rules())
    limits: dict[Cell, list[float]] = {}
    alarms: dict[Cell, float] = {}
    for cell in CELLS:
        null = Recorded(cell.world(TOLERATED_RATIO), 2 * releases, 1)
        alarms[cell] = float(np.isfinite(watch(null, Judging(), HOUR)).mean())
        seen = null.seen
        limits[cell] = [bound(rule, rule.values(seen), ALPHA) for rule in tried]
    everywhere = [max(limits[cell][index] for cell in CELLS) for index in range(len(tried))]
    measured, single = [], {}
    for cell, ratio in itertools.product(CELLS, RATIOS):
        drawn = Recorded(cell.world(ratio), releases, 2)
        ours, seen = watch(drawn, Judging(), HOUR), drawn.seen
        tuned = dict.fromkeys(PEERS, math.inf)
        for index, rule in enumerate(tried):
            values = rule.values(seen)
            tuned[rule.peer] = min(tuned[rule.peer], _median(rule, values, limits[cell][index]))
            single[index, cell, ratio] = _median(rule, values, everywhere[index])
        measured.append(Measured(cell, ratio, ours, tuned, wald(cell, ratio)))
        print(".", end="", flush=True)
    print()
    return measured, single, alarms


def _median(rule: Rule, values: FloatArray, limit: float) -> float:
    return float(np.quantile(seconds(rule, values, limit), 0.5, method="higher"))


def best_single(single: dict[tuple[int, Cell, float], float], tried: Sequence[Rule]) -> dict[str, int]:
    """By peer, the one setting that is fastest over the grid: the least mean logarithm, an hour where it never sees."""

    def cost(index: int) -> float:
        return sum(math.log(min(value, 2 * HOUR)) for key, value in single.items() if key[0] == index)

    return {peer: min((index for index, rule in enumerate(tried) if rule.peer == peer), key=cost) for peer in PEERS}


def side_by_side(releases: int) -> list[Figure]:
    measured, single, alarms = measure(releases)
    tried = list(rules())
    chosen = best_single(single, tried)
    print("one setting for the whole grid (b):")
    for peer, index in chosen.items():
        print(f"  {peer}: {tried[index].setting}")
    print("\nmedian seconds; -: not half of them in an hour. (a) tuned for the cell, (b) one setting")
    head = "  ".join(f"{peer:>8} a {'b':>5}" for peer in PEERS)
    print(f"{'cell':<28} {'ratio':>5} {'ours':>6} {'bound':>6} {'mean/':>6}  {head}   our false alarms")
    for each in measured:
        said = "  ".join(
            f"{_said(each.tuned[peer]):>10} {_said(single[chosen[peer], each.cell, each.ratio]):>5}" for peer in PEERS
        )
        times = "" if each.near is None else f"{each.near:.1f}"
        print(
            f"{each.cell.name:<28} {each.ratio:>5g} {_said(each.median):>6} {each.wald:>6.0f} {times:>6}  {said}"
            f"   {alarms[each.cell]:.2%}"
        )
    figures = [Figure.at_most("our false alarms, worst cell", max(alarms.values()), "share", ALPHA)]
    for ratio in RATIOS:
        rows = [each for each in measured if each.ratio == ratio]
        for peer in PEERS:
            figures += _tuned(rows, ratio, peer)
            figures.append(
                _settled(rows, ratio, peer, {each.cell: single[chosen[peer], each.cell, ratio] for each in rows})
            )
    for phi in (1.0, 5.0):
        near = [each.near for each in measured if each.near is not None and each.cell.phi == phi]
        within = float(np.mean([value <= 2 for value in near]))
        figures.append(Figure(f"(bound) cells within 2x of Wald's, phi {phi:g}", within, "share", "= 1", within == 1))
        figures.append(Figure.seen(f"(bound) furthest from Wald's, phi {phi:g}", max(near), "times"))
    return figures


def _tuned(rows: Sequence[Measured], ratio: float, peer: str) -> list[Figure]:
    """How many times faster ours is than the peer tuned for each cell, where either sees half of them."""
    seen = [each for each in rows if math.isfinite(min(each.median, each.tuned[peer]))]
    ratios = [min(each.tuned[peer], 2 * HOUR) / min(each.median, 2 * HOUR) for each in seen]
    middle = float(np.exp(np.mean(np.log(ratios)))) if ratios else math.nan
    wins = sum(each.tuned[peer] < each.median for each in seen)
    return [
        Figure(f"(a) x{ratio:g}: ours faster than {peer} tuned", middle, "times", ">= 1", middle >= 1),
        Figure.seen(f"(a) x{ratio:g}: cells of {len(seen)} where {peer} tuned wins", wins, "cells"),
    ]


def _settled(rows: Sequence[Measured], ratio: float, peer: str, theirs: dict[Cell, float]) -> Figure:
    """In how many cells ours is five times faster than the peer in one setting, or the peer never sees it."""
    seen = [each for each in rows if math.isfinite(min(each.median, theirs[each.cell]))]
    far = sum(theirs[each.cell] >= 5 * each.median for each in seen) / max(1, len(seen))
    return Figure(f"(b) x{ratio:g}: cells where {peer} is 5x slower or never sees", far, "share", "= 1", far == 1)


def _said(value: float) -> str:
    return f"{value:.0f}" if math.isfinite(value) else "-"


def run(*, quick: bool = False) -> list[Figure]:
    """Print the tables; return the figures."""
    return [*side_by_side(50 if quick else 250), *speed()]
