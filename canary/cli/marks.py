"""Colours and signs: one meaning, one look."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from canary.cli.cluster import Seen
from canary.cli.state import paused_by
from canary.core.phases import Phase

STYLES = {
    Phase.PENDING: "yellow",
    Phase.STABLE: "green",
    Phase.HELD: "cyan",
    Phase.STARTING: "cyan",
    Phase.STEP: "bold cyan",
    Phase.PROMOTING: "bold green",
    Phase.ROLLING_BACK: "bold red",
    Phase.REVERTING: "bold red",
    Phase.AWAITING_GIT: "red",
    Phase.PAUSED: "yellow",
}
VERDICTS = {"pass": "green", "fail": "bold red", "inconclusive": "yellow", "nodata": "yellow", "error": "magenta"}


@dataclass(frozen=True, slots=True)
class Marks:
    """Signs in front of lines."""

    done: str
    here: str
    ahead: str
    bad: str
    unknown: str
    full: str
    empty: str


UNICODE = Marks(done="✓", here="▶", ahead="·", bad="✗", unknown="?", full="█", empty="░")
ASCII = Marks(done="+", here=">", ahead=".", bad="x", unknown="?", full="#", empty="-")


def marks(console: Console) -> Marks:
    """Return the signs that the terminal can show."""
    return ASCII if console.options.ascii_only else UNICODE


def style(seen: Seen) -> str:
    """Return the colour of a Rollout's phase; yellow when it waits for a person."""
    if seen.stalled or paused_by(seen):
        return "yellow"
    return STYLES[seen.phase] if seen.phase else "dim"


def verdict_style(verdict: str) -> str:
    """Return the colour of a verdict."""
    return VERDICTS.get(verdict.lower(), "")


def verdict_mark(verdict: str, signs: Marks) -> str:
    """Return the sign of a verdict."""
    return {"pass": signs.done, "fail": signs.bad}.get(verdict.lower(), signs.unknown)
