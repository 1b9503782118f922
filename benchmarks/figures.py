"""A figure with its goal: what every benchmark gives back, prints and writes."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path("build/bench")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number."""

    figure: str
    """What was measured."""
    value: float
    unit: str
    goal: str
    """As it is read: `<= 2`, `= 0`; empty when the number only explains another."""
    met: bool

    @classmethod
    def at_most(cls, figure: str, value: float, unit: str, bound: float) -> Figure:
        """A number that is to be no greater than the bound."""
        return cls(figure, round(value, 3), unit, f"<= {bound:g}", value <= bound)

    @classmethod
    def exactly(cls, figure: str, value: float, unit: str, wanted: float) -> Figure:
        """A number, mostly a count, that is to be this one."""
        return cls(figure, value, unit, f"= {wanted:g}", value == wanted)

    @classmethod
    def seen(cls, figure: str, value: float, unit: str) -> Figure:
        """A number without a goal, which explains another."""
        return cls(figure, round(value, 3), unit, "", met=True)


def show(name: str, figures: Sequence[Figure]) -> None:
    """Print the table, with the load of the machine: times on a busy one are upper bounds."""
    width = max((len(figure.figure) for figure in figures), default=0)
    print(f"\n{name}")
    for figure in figures:
        said = "" if not figure.goal else "met" if figure.met else "MISSED"
        print(f"  {figure.figure:<{width}}  {figure.value:>10g} {figure.unit:<9} {figure.goal:>9}  {said}".rstrip())
    with_goal = [figure for figure in figures if figure.goal]
    print(f"  {sum(figure.met for figure in with_goal)} of {len(with_goal)} goals met; {machine()}")


def machine() -> str:
    """How busy the machine is."""
    one, five, _ = os.getloadavg()
    return f"load average {one:.1f} (1 min), {five:.1f} (5 min) on {os.cpu_count()} processors"


def write(name: str, figures: Sequence[Figure]) -> Path:
    """Write `build/bench/NAME.json` and give its path."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / f"{name}.json"
    file.write_text(json.dumps([asdict(figure) for figure in figures], indent=1) + "\n")
    return file
