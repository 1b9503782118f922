"""`canary status`: one Rollout on one screen."""

from __future__ import annotations

import typer

from canary.cli.data import document, emit
from canary.cli.lookup import find
from canary.cli.options import Context, Data, Kubeconfig, Name, Namespace
from canary.cli.outlook import outlook
from canary.cli.overview import overview
from canary.cli.session import place, screen


def status(
    ctx: typer.Context,
    name: Name,
    output: Data = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show where a Rollout is, why, and what happens next."""
    here = place(ctx, namespace, context, kubeconfig)
    seen = find(here, name)
    now = here.session.clock.now()
    if output is None:
        to = screen()
        to.print(overview(seen, now, to))
        return
    said = document(seen).get("status") or {}
    emit({"name": seen.name, "namespace": seen.namespace, "status": said, "next": outlook(seen, now)}, output)
