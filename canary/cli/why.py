"""`canary why`: the report of the last verdict in full."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from canary.cli.cluster import Seen
from canary.cli.data import emit
from canary.cli.lookup import find
from canary.cli.marks import marks, verdict_mark, verdict_style
from canary.cli.options import Context, Data, Kubeconfig, Name, Namespace
from canary.cli.outlook import outlook
from canary.cli.plot import Plot, can_plot, plot_status
from canary.cli.session import place, screen
from canary.cli.wording import since, told_alone, turned_round, version

if TYPE_CHECKING:
    from canary.api.status import ReportBrief, RevertStatus

INDENT: Final = (0, 0, 0, 2)


def why(
    ctx: typer.Context,
    name: Name,
    output: Data = None,
    plot: Plot = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show the report of the last verdict, and what became of it."""
    can_plot(plot)
    here = place(ctx, namespace, context, kubeconfig)
    seen = find(here, name)
    now = here.session.clock.now()
    if output is None:
        explain(seen, now, screen())
    else:
        emit(account(seen, now), output)
    if plot is not None:
        plot_status(seen.name, seen.status.report, plot)


def account(seen: Seen, now: datetime) -> dict[str, object]:
    """Return the same as data; a part that there is none of is null."""
    status = seen.status

    def plain(part: ReportBrief | RevertStatus | None) -> object:
        return part.model_dump(mode="json", by_alias=True, exclude_none=True) if part else None

    last = status.history[0] if status.history else None
    return {
        "name": seen.name,
        "namespace": seen.namespace,
        "phase": seen.phase,
        "release": status.release.id if status.release else last.id if last else None,
        "verdictReason": status.release.verdict_reason if status.release else None,
        "verdictReport": status.release.report if status.release else None,
        "report": plain(status.report),
        "revert": plain(status.revert),
        "lastRelease": last.model_dump(mode="json", by_alias=True, exclude_none=True) if last else None,
        "next": outlook(seen, now),
    }


def explain(seen: Seen, now: datetime, to: Console) -> None:
    """Print the report for people."""
    status, release = seen.status, seen.status.release
    decided = release is not None and release.verdict_at is not None
    if status.report is None and not decided:
        to.print(Text(_silent(seen)))
    if status.report is not None:
        _verdict(seen, status.report, now, to)
    if release is not None and release.verdict_at is not None:
        _section(to, f"Rolled back: {release.verdict_reason}" if release.verdict_reason else "Rolled back")
        brief = release.report.partition("\n\n")[0]
        known = status.report is not None and brief in status.report.message
        told = "" if known else f"\n{release.report}"
        to.print(Padding(Text(f"Decided {since(release.verdict_at, now)} ago.{told}".rstrip()), INDENT))
    if status.revert is not None:
        _section(to, "In Git")
        _revert(status.revert, now, to)
    if release is None and status.history:
        last = status.history[0]
        _section(to, "Outcome")
        to.print(Padding(Text(f"{last.outcome} {since(last.ended_at, now)} ago. {last.message}".rstrip()), INDENT))
    _section(to, "Next")
    to.print(Padding(Text(outlook(seen, now)), INDENT))


def _silent(seen: Seen) -> str:
    """Say why there is no report."""
    if seen.phase is None:
        return f"{seen.name}: no operator has seen this Rollout yet."
    if seen.status.release is not None:
        return f"{seen.name}: the judges have not looked at this release yet. {seen.status.message}".rstrip()
    return f"{seen.name}: there is no verdict: no release has been analysed yet."


def _verdict(seen: Seen, report: ReportBrief, now: datetime, to: Console) -> None:
    signs = marks(to)
    status = seen.status
    look = verdict_style(report.verdict)
    to.print(
        Text.assemble(
            (f"{verdict_mark(report.verdict, signs)} {report.verdict}", look),
            f"  {seen.name}, {since(report.at, now)} ago ",
            (f"({report.at:%Y-%m-%d %H:%M:%S} UTC)", "dim"),
        )
    )
    if sides := turned_round(seen):
        to.print(Padding(Text(sides, "dim"), INDENT))
    elif status.candidate is not None and status.release is not None:
        what = f"{version(status.candidate, status.stable)} against {version(status.stable, status.candidate)}"
        to.print(Padding(Text(what, "dim"), INDENT))
    if report.message:
        to.print()
        to.print(Padding(Text(report.message), INDENT))
    if report.details:
        to.print()
        for line in report.details.splitlines():  # its columns hang on spaces: it is left to the terminal to wrap
            to.print(Text(f"  {line}".rstrip()), soft_wrap=True)
    elif not told_alone(report):
        _section(to, "Metrics")
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for metric in report.metrics:
            look = verdict_style(metric.verdict)
            head = Text.assemble((metric.name, "bold"), "  ", (metric.verdict, look))
            table.add_row(Text(verdict_mark(metric.verdict, signs), look), head)
            if metric.message:
                table.add_row("", Text(metric.message))
        to.print(Padding(table, INDENT))


def _revert(revert: RevertStatus, now: datetime, to: Console) -> None:
    """Tell what became of the commit, in full: these are the hashes that people paste."""
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    if revert.commit:
        table.add_row("reverted by", Text(revert.commit, "green"))
    if revert.pull_request:
        table.add_row("pull request", revert.pull_request)
    for culprit in revert.culprits:
        table.add_row("culprit", culprit)
    if revert.reason:
        table.add_row("reason", Text(revert.reason, "yellow"))
    if revert.message:
        table.add_row("", Text(revert.message))
    if revert.at:
        table.add_row("when", f"{since(revert.at, now)} ago")
    to.print(Padding(table, INDENT))


def _section(to: Console, title: str) -> None:
    to.print()
    to.print(Text(title, "bold"))
