"""`canary promote`: the remaining steps of a release are skipped."""

from __future__ import annotations

import typer

from canary.api.names import ANNOTATION_PROMOTE
from canary.cli.asking import Wish, ask
from canary.cli.cluster import Seen
from canary.cli.exits import Refused
from canary.cli.options import Context, Kubeconfig, Name, Namespace, Yes
from canary.cli.session import place
from canary.cli.state import is_refused, where
from canary.cli.wording import version
from canary.core.phases import Phase


def promote(
    ctx: typer.Context,
    name: Name,
    yes: Yes = False,  # noqa: FBT002 -- typer's way to declare a flag
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Promote the running release, skipping its remaining steps.

    A bad verdict still rolls it back, until the Deployment is replaced.
    """
    ask(place(ctx, namespace, context, kubeconfig), name, wish, yes=yes)


def wish(seen: Seen) -> Wish:
    """Promote the release that runs now, and no later one."""
    release = seen.status.release
    if release is None or is_refused(seen) or seen.phase not in {Phase.HELD, Phase.STARTING, Phase.STEP}:
        raise Refused(f"{seen.name} has no steps to skip: {where(seen)}")
    if seen.annotations.get(ANNOTATION_PROMOTE) == release.id:
        return Wish(f"{seen.name}: release {release.id} is being promoted already.", {})
    what = version(seen.status.candidate, seen.status.stable)
    return Wish(
        f"{seen.name}: promoting release {release.id} ({what}); `canary watch {seen.name}` shows it.",
        {ANNOTATION_PROMOTE: release.id},
        question=f"Promote {what} without its remaining steps (now at {seen.status.weight} %)?",
    )
