"""`canary get`: the Rollouts of a namespace, as `kubectl get` lists them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from canary.cli.cluster import Seen
from canary.cli.completion import complete_rollouts
from canary.cli.data import document, emit, listing
from canary.cli.lookup import find
from canary.cli.marks import style
from canary.cli.options import Context, DataFormat, Kubeconfig, ListFormat, Namespace, one_of
from canary.cli.session import console, place
from canary.cli.wording import SHORT_COMMIT, phase, since, version
from canary.core.phases import Phase

QUIET = frozenset({None, Phase.PENDING, Phase.STABLE})
"""Phases without a candidate."""


def get(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Rollouts (default: all).", autocompletion=complete_rollouts),
    ] = None,
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Those of all namespaces.")] = False,  # noqa: FBT002 -- typer's way to declare a flag
    output: Annotated[
        ListFormat | None,
        typer.Option("--output", "-o", metavar=one_of(ListFormat), help="More columns, or data for programs."),
    ] = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List Rollouts, each with its phase and weight."""
    if names and everywhere:
        raise typer.BadParameter("names belong to one namespace: give -n, or no names")
    here = place(ctx, namespace, context, kubeconfig)
    if names:
        found = tuple(find(here, name) for name in names)
    else:
        found = here.cluster.list_rollouts(None if everywhere else here.namespace)
    match output:
        case ListFormat.JSON | ListFormat.YAML:
            one = names is not None and len(names) == 1
            emit(document(found[0]) if one else listing(found), DataFormat(output.value))
        case ListFormat.NAME:
            for seen in found:
                typer.echo(f"rollout.canary.delivery/{seen.name}")
        case _ if not found:
            typer.echo("No Rollouts found" + ("." if everywhere else f" in namespace {here.namespace}."), err=True)
        case _:
            show(found, here.session.clock.now(), console(), namespaces=everywhere, wide=output is ListFormat.WIDE)


def show(found: tuple[Seen, ...], now: datetime, to: Console, *, namespaces: bool, wide: bool) -> None:
    """Print the list as columns without lines, so that `awk` and people can both read it."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    if namespaces:
        table.add_column("NAMESPACE", no_wrap=True)
    table.add_column("NAME", no_wrap=True)
    table.add_column("PHASE", no_wrap=True)
    table.add_column("WEIGHT", no_wrap=True, justify="right")
    table.add_column("STABLE", no_wrap=True)
    table.add_column("CANDIDATE", no_wrap=True)
    if wide:
        for title in ("COMMIT", "VERDICT"):
            table.add_column(title, no_wrap=True)
    table.add_column("REASON", no_wrap=True)
    table.add_column("AGE", no_wrap=True)
    for seen in found:
        status = seen.status
        candidate = None if seen.phase in QUIET else status.candidate
        row: list[str | Text] = [
            *([seen.namespace] if namespaces else []),
            seen.name,
            Text(phase(seen), style(seen)),
            "-" if seen.phase in QUIET else f"{status.weight}%",
            version(status.stable, candidate),
            version(candidate, status.stable),
        ]
        if wide:
            newest = candidate or status.stable
            row += [
                (newest.commit[:SHORT_COMMIT] if newest else "") or "-",
                status.report.verdict if status.report else "-",
            ]
        ready = seen.condition("Ready")
        table.add_row(*row, ready.reason if ready else "-", since(seen.created_at, now))
    to.print(table)
