"""`canary pause`: a release keeps its weight until `canary resume`."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from canary.api.names import ANNOTATION_PAUSED
from canary.cli.asking import Wish, ask
from canary.cli.cluster import Seen
from canary.cli.exits import Refused
from canary.cli.options import Context, Kubeconfig, Name, Namespace
from canary.cli.session import place
from canary.core.phases import POINT_OF_NO_RETURN


def pause(
    ctx: typer.Context,
    name: Name,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Keep a release at its weight.

    A bad verdict still rolls it back. Without a release, the next one waits before it starts.
    """
    here = place(ctx, namespace, context, kubeconfig)
    ask(here, name, lambda seen: wish(seen, here.cluster.whoami(), here.session.clock.now()))


def wish(seen: Seen, who: str, now: datetime) -> Wish:
    """Pause, and write down who and when."""
    if earlier := seen.annotations.get(ANNOTATION_PAUSED):
        return Wish(f"{seen.name} is paused already, by {earlier}.", {})
    if seen.stage in POINT_OF_NO_RETURN:
        raise Refused(
            f"{seen.name} can no longer be paused: its Deployment is being replaced, and stopping half-way helps nobody"
        )
    value = f"{who} at {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if seen.status.release is None:
        done = f"{seen.name}: paused; no release runs now, and the next one will wait for `canary resume {seen.name}`."
    else:
        done = f"{seen.name}: paused at {seen.status.weight} %; `canary resume {seen.name}` goes on."
    return Wish(done, {ANNOTATION_PAUSED: value})
