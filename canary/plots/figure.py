"""What every picture has in common: its look, its size, and how it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

CANARY: Final = "#d1495b"
STABLE: Final = "#30638e"
GOOD: Final = "#3a7d44"
FAINT: Final = "#8a8f98"
INK: Final = "#22262b"
BEHIND: Final = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.0}
"""Of a text that may lie on a line."""


def new(height: float = 4.2, width: float = 8.4) -> Figure:
    """Return an empty figure, in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def title(figure: Figure, message: str, beneath: str = "") -> None:
    """Say the picture's message, and in small what it was made of."""
    figure.suptitle(message, x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK)
    if beneath:
        figure.supxlabel(beneath, x=0.01, ha="left", fontsize=8, color=FAINT)


def plain(axes: Axes) -> None:
    """Take away what says nothing."""
    axes.spines[["top", "right"]].set_visible(b=False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(colors=INK, which="both", labelsize=9)
    axes.tick_params(which="minor", length=0)


def save(figure: Figure, path: Path) -> None:
    """Write the figure in the format that the file's name ends in.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    form = path.suffix.removeprefix(".").lower()
    metadata = {"Date": None} if form == "svg" else None
    # Text stays text, and the same picture is the same file.
    with rc_context({"svg.hashsalt": "canary", "svg.fonttype": "none"}):
        figure.savefig(path, format=form, dpi=150, facecolor="white", metadata=metadata)
