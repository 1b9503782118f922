"""Completion of names in the shell.

A shell shows nothing of an error, so every failure here only means that nothing is offered.
"""

from __future__ import annotations

from pathlib import Path

import typer

from canary.cli.cluster import Target
from canary.cli.session import Session
from canary.errors import CanaryError


def _target(ctx: typer.Context) -> Target:
    options = {**(ctx.parent.params if ctx.parent else {}), **{k: v for k, v in ctx.params.items() if v}}
    kubeconfig = options.get("kubeconfig")
    return Target(Path(kubeconfig) if kubeconfig else None, options.get("context"), options.get("namespace"))


def complete_rollouts(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer the Rollouts of the namespace, each with its phase."""
    try:
        cluster = Session.of(ctx).open(_target(ctx))
        return [
            (seen.name, seen.phase or "not seen yet")
            for seen in cluster.list_rollouts(cluster.namespace)
            if seen.name.startswith(incomplete)
        ]
    except CanaryError:
        return []


def complete_namespaces(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the namespaces that have Rollouts."""
    try:
        found = Session.of(ctx).open(_target(ctx)).list_rollouts(None)
    except CanaryError:
        return []
    return sorted({seen.namespace for seen in found if seen.namespace.startswith(incomplete)})
