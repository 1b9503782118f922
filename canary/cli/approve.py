"""`canary approve`: an approval step goes on."""

from __future__ import annotations

import typer

from canary.api.names import ANNOTATION_APPROVED
from canary.cli.asking import Wish, ask
from canary.cli.cluster import Seen
from canary.cli.exits import Refused
from canary.cli.options import Context, Kubeconfig, Name, Namespace
from canary.cli.session import place
from canary.cli.state import awaits_approval, where


def approve(
    ctx: typer.Context,
    name: Name,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Let a release go on that waits for an approval."""
    ask(place(ctx, namespace, context, kubeconfig), name, wish)


def wish(seen: Seen) -> Wish:
    """Approve the step that waits now, of the release that runs now, and no other."""
    release, step = seen.status.release, seen.status.step
    if release is None or step is None or not awaits_approval(seen):
        raise Refused(f"{seen.name} does not wait for an approval: {where(seen)}")
    of = f"step {step + 1} of {seen.status.steps or len(seen.steps)}"
    value = f"{release.id}/{step}"
    if seen.annotations.get(ANNOTATION_APPROVED) == value:
        return Wish(f"{seen.name}: {of} is approved already.", {})
    return Wish(f"{seen.name}: approved {of} of release {release.id}.", {ANNOTATION_APPROVED: value})
