"""`canary retry`: a version that was rejected is tried again."""

from __future__ import annotations

import typer

from canary.api.names import ANNOTATION_RETRY
from canary.cli.asking import Wish, ask
from canary.cli.cluster import Seen
from canary.cli.exits import Refused
from canary.cli.options import Context, Kubeconfig, Name, Namespace
from canary.cli.session import place
from canary.cli.state import is_refused, where
from canary.cli.wording import version
from canary.core.phases import Phase


def retry(
    ctx: typer.Context,
    name: Name,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Try a rejected version again that Git still asks for.

    The new attempt has a risk of a false alarm of its own.
    """
    ask(place(ctx, namespace, context, kubeconfig), name, wish)


def wish(seen: Seen) -> Wish:
    """Try the release again that was rolled back or is refused now, and no other."""
    release = seen.status.release
    if release is None or not (seen.phase is Phase.AWAITING_GIT or is_refused(seen)):
        hint = "; bring a rejected version back in Git first" if seen.phase is Phase.STABLE else ""
        raise Refused(f"{seen.name} has nothing to try again: {where(seen)}{hint}")
    if seen.annotations.get(ANNOTATION_RETRY) == release.id:
        return Wish(f"{seen.name}: a new attempt is asked for already.", {})
    what = version(seen.status.candidate, seen.status.stable)
    return Wish(
        f"{seen.name}: trying {what} again, with a new risk of a false alarm; `canary watch {seen.name}` shows it.",
        {ANNOTATION_RETRY: release.id},
    )
