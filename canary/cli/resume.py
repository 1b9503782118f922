"""`canary resume`: a paused release goes on."""

from __future__ import annotations

import typer

from canary.api.names import ANNOTATION_PAUSED
from canary.cli.asking import Wish, ask
from canary.cli.cluster import Seen
from canary.cli.options import Context, Kubeconfig, Name, Namespace
from canary.cli.session import place


def resume(
    ctx: typer.Context,
    name: Name,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Let a paused release go on."""
    ask(place(ctx, namespace, context, kubeconfig), name, wish)


def wish(seen: Seen) -> Wish:
    """Take the pause away."""
    earlier = seen.annotations.get(ANNOTATION_PAUSED)
    if earlier is None:
        return Wish(f"{seen.name} is not paused.", {})
    return Wish(f"{seen.name}: resumed; it was paused by {earlier}.", {ANNOTATION_PAUSED: None})
