"""What the terminal shows while the demo runs."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lab.demo.timeline import Look

_BAR = 30


class Show:
    """A live table on a terminal; elsewhere a line for each change."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self._live: Live | None = None
        self._said = ""
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        """One line that stays."""
        self.console.print(f"[dim]{time.monotonic() - self._began:6.1f} s[/]  {text}")

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live = Live(console=self.console, refresh_per_second=8, transient=True)
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)
            self._live = None

    def look(self, look: Look) -> None:
        """Show one moment."""
        status = look.status
        line = f"{look.phase:22} canary {look.weight or 0:3} %  {evidence(status)}"
        if self._live is not None:
            self._live.update(_table(look))
        key = f"{look.phase} {look.weight}"
        if key != self._said:
            self._said = key
            self.say(line)


def evidence(status: dict[str, Any]) -> str:
    """What the judges say of the release under way; before they have looked, what is going on."""
    report, release = status.get("report") or {}, status.get("release") or {}
    judged = release.get("analysisSince") and str(report.get("at", "")) >= str(release["analysisSince"])
    return str(report["message"] if judged else status.get("message") or "")


def _table(look: Look) -> Group:
    weight, counts = look.weight or 0, look.counts
    table = Table(box=None, padding=(0, 2), show_header=True, header_style="dim")
    for title in ("version", "traffic", "requests", "errors of the app", "failed"):
        table.add_column(title, justify="left" if title in ("version", "traffic") else "right")
    for version, seen in sorted(counts.versions.items()):
        share = ""
        if version:
            share = f"{seen['requests']:>9}"
        injected = seen["injected"]
        ratio = f"{injected} ({100 * injected / max(1, seen['requests']):.1f} %)"
        table.add_row(version or "no answer", "", share, ratio, str(seen["failed"]))
    bar = "█" * round(_BAR * weight / 100) + "░" * (_BAR - round(_BAR * weight / 100))
    head = Text.assemble(
        (f"{look.phase}", "bold"), "   canary ", (bar, "cyan"), f" {weight} %", "   held" if look.held else ""
    )
    return Group(head, table, Text(evidence(look.status), style="dim"))
