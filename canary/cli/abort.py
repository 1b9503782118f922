"""`canary abort`: a release is rolled back, as if it had been judged bad."""

from __future__ import annotations

import typer

from canary.api.names import ANNOTATION_ABORT
from canary.cli.asking import Wish, ask
from canary.cli.cluster import Seen
from canary.cli.exits import Refused
from canary.cli.options import Context, Kubeconfig, Name, Namespace, Yes
from canary.cli.session import place
from canary.cli.state import may_be_taken_back, where
from canary.cli.wording import version
from canary.core.phases import REPLACED, Phase


def abort(
    ctx: typer.Context,
    name: Name,
    yes: Yes = False,  # noqa: FBT002 -- typer's way to declare a flag
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Roll the running release back.

    Its traffic goes to zero at once; then its commit is reverted in Git, as after a bad verdict. While the Deployment
    is being replaced, the stable version is brought back to full size before.
    """
    ask(place(ctx, namespace, context, kubeconfig), name, wish, yes=yes)


def wish(seen: Seen) -> Wish:
    """Roll back the release that runs now, and no later one."""
    release = seen.status.release
    if seen.phase is Phase.PROMOTING and seen.stage in REPLACED:
        raise Refused(
            f"{seen.name} cannot be aborted any more: its Deployment has been replaced; revert the commit in Git"
        )
    if release is None or not may_be_taken_back(seen):
        raise Refused(f"{seen.name} has nothing to abort: {where(seen)}")
    if seen.annotations.get(ANNOTATION_ABORT) == release.id:
        return Wish(f"{seen.name}: release {release.id} is being aborted already.", {})
    what = version(seen.status.candidate, seen.status.stable)
    then = " and revert its commit in Git" if _reverts(seen) else ""
    return Wish(
        f"{seen.name}: aborting release {release.id} ({what}); `canary watch {seen.name}` shows it.",
        {ANNOTATION_ABORT: release.id},
        question=f"Roll back {what}{then}?",
    )


def _reverts(seen: Seen) -> bool:
    return seen.spec is None or seen.spec.rollback.git.mode.value != "off"
