"""What a command runs with: how to reach the cluster, the time, and where text goes.

The tests give their own Session as the context's object; nothing is patched.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.console import Console

from canary.cli.cluster import Cluster, Target

UNBOUNDED_COLUMNS = 4096
"""Width for output into a pipe or a file: nothing is cut there. Arbitrary."""


def _connect(target: Target) -> Cluster:
    from canary.cli.apiserver import connect  # noqa: PLC0415 -- the client takes 0.3 s to import: not for help

    return connect(target)


@dataclass(frozen=True, slots=True)
class Clock:
    """The times that commands read, and how they wait."""

    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(slots=True)
class Session:
    """One run of the command."""

    connect: Callable[[Target], Cluster] = _connect
    clock: Clock = field(default_factory=Clock)
    target: Target = field(default_factory=Target)
    """From the options before the command's name."""
    interactive: Callable[[], bool] = field(default=lambda: sys.stdin.isatty() and sys.stdout.isatty())
    """Whether a person is there to answer a question."""

    @staticmethod
    def of(ctx: typer.Context) -> Session:
        """Return the session of this run."""
        found = ctx.find_object(Session)
        return found if found is not None else Session()

    def resolved(self, target: Target) -> Target:
        """Fill in what `target` leaves open from the options before the command's name."""
        return Target(
            kubeconfig=target.kubeconfig or self.target.kubeconfig,
            context=target.context or self.target.context,
            namespace=target.namespace or self.target.namespace,
        )

    def open(self, target: Target) -> Cluster:
        """Reach the cluster that is meant."""
        return self.connect(self.resolved(target))


@dataclass(frozen=True, slots=True)
class Place:
    """A cluster, and the namespace that is meant in it."""

    session: Session
    cluster: Cluster
    namespace: str


def place(
    ctx: typer.Context, namespace: str | None = None, context: str | None = None, kubeconfig: Path | None = None
) -> Place:
    """Reach the cluster that a command's options name."""
    session = Session.of(ctx)
    cluster = session.open(Target(kubeconfig, context, namespace))
    return Place(session, cluster, cluster.namespace)


def console() -> Console:
    """Return a console on standard output; as wide as the terminal, or without bound when there is none."""
    width = None if sys.stdout.isatty() else UNBOUNDED_COLUMNS
    return Console(highlight=False, width=width, soft_wrap=width is not None)


def screen() -> Console:
    """Return a console for texts that are laid out in two dimensions: 80 columns when there is no terminal."""
    return Console(highlight=False, width=min(shutil.get_terminal_size((80, 24)).columns, 120))
