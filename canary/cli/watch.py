"""`canary watch`: a Rollout as it changes, until an end that a script can wait for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Annotated, TypeAlias

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from canary.cli.awaited import Awaited, Until
from canary.cli.changes import changes
from canary.cli.cluster import Seen
from canary.cli.exits import EndedOtherwise, TimedOut
from canary.cli.marks import style
from canary.cli.options import Context, Kubeconfig, Name, Namespace, one_of
from canary.cli.overview import overview
from canary.cli.session import Clock, Place, place, screen
from canary.cli.state import where
from canary.cli.wording import phase

LINES = 6
"""Latest changes kept below the live view: enough for a step's story, few enough for 24 lines. Arbitrary."""

Show: TypeAlias = Callable[[Seen | str], None]
"""Takes each change, and each trouble with the API server (empty when it is over)."""


def _seconds(text: str) -> float:
    from canary.api.duration import Duration  # noqa: PLC0415 -- the models are not needed for help

    try:
        return float(Duration(text).seconds)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def watch(
    ctx: typer.Context,
    name: Name,
    until: Annotated[
        Until | None,
        typer.Option(
            "--until", metavar=one_of(Until), help="End when the release has come to this; other ends exit with 5."
        ),
    ] = None,
    commit: Annotated[
        str,
        typer.Option("--commit", metavar="SHA", help="With --until: the release that this Git commit brought."),
    ] = "",
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="DURATION", parser=_seconds, help="Give up after 90s, 10m, 1h... with 6."),
    ] = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show a Rollout live; with --until, wait for an end of its release.

    That is the release that runs when the command starts, else the next one; with --commit the one that this Git
    commit brought, also if it has ended already.
    """
    if commit and until is None:
        raise typer.BadParameter("--commit belongs to --until")
    here = place(ctx, namespace, context, kubeconfig)
    to = screen()
    with _view(here.session.clock, to) as show:
        said = _follow(here, name, until, commit, timeout, show)
    if said:
        to.print(said, markup=False)


def _follow(here: Place, name: str, until: Until | None, commit: str, timeout: float | None, show: Show) -> str:
    """Show the changes until the end that is waited for; returns how to say it."""
    awaited: Awaited | None = None
    seen: Seen | None = None
    for seen in changes(here, name, timeout, show):
        show(seen)
        if until is None:
            continue
        awaited = awaited.followed(seen) if awaited else Awaited.begin(until, seen, commit)
        ended = awaited.ended(seen)
        if ended is None:
            continue
        if not ended.well:
            raise EndedOtherwise(ended.sentence)
        return ended.sentence
    if until is not None and seen is not None:
        raise TimedOut(f"{seen.name} is not {until} in time: {where(seen)}")
    return ""


def _view(clock: Clock, to: Console) -> AbstractContextManager[Show]:
    return _live(clock, to) if to.is_terminal else _lines(clock, to)


@contextmanager
def _live(clock: Clock, to: Console) -> Iterator[Show]:
    """Keep one screen up to date, its times running, with the latest changes below."""
    latest: deque[Text] = deque(maxlen=LINES)
    shown: list[Seen | str] = ["Waiting for the API server.", ""]  # the Rollout, and the trouble if there is any

    def render() -> RenderableType:
        seen, trouble = shown
        if isinstance(seen, str):
            return Text(seen, "dim")
        parts: list[RenderableType] = [overview(seen, clock.now(), to)]
        if len(latest) > 1:
            parts += [Text(), *latest]
        if trouble:
            parts += [Text(), Text(str(trouble), "yellow")]
        return Group(*parts)

    def show(change: Seen | str) -> None:
        if isinstance(change, str):
            shown[1] = change
        else:
            if isinstance(shown[0], str) or _line(shown[0]) != _line(change):
                when = (f" {clock.now().astimezone():%H:%M:%S}  ", "dim")
                latest.append(Text.assemble(when, _line(change), no_wrap=True, overflow="ellipsis"))
            shown[:] = [change, ""]
        live.refresh()

    with Live(console=to, get_renderable=render, refresh_per_second=2, vertical_overflow="crop") as live:
        yield show


@contextmanager
def _lines(clock: Clock, to: Console) -> Iterator[Show]:
    """Without a terminal: one line for each change that somebody would call one."""
    before: list[Text] = []

    def show(change: Seen | str) -> None:
        line = Text(change) if isinstance(change, str) else _line(change)
        if line.plain and line not in before:
            to.print(Text.assemble(f"{clock.now():%Y-%m-%dT%H:%M:%SZ}  ", line), soft_wrap=True)
            before[:] = [line]

    yield show


def _line(seen: Seen) -> Text:
    """Say the state in one line, without times: equal for two states that look the same."""
    return Text.assemble(
        (f"{phase(seen):<20}", style(seen)),
        f" {seen.status.weight:>3} %  ",
        seen.status.message,
    )
