"""Which changes brought the rejected version: the smallest set whose undoing gives stable's template again.

A change is one file in one commit. Of the files, only those that the Deployment is rendered from can matter; of their
changes, each is left out if the template is stable's without undoing it. So a commit that only raised an HPA's limits
stays out, also when it touched the very file, and so do the other files of a commit that brought the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from canary.git.history import History, Range
from canary.git.objects import Commit, Conflict, Entry
from canary.git.outcome import NeedsPullRequest
from canary.git.provenance import NotFromGit
from canary.git.render import Rendered, Renderer
from canary.git.template import same_template

_MAX_CHANGES: Final = 40
"""Each is tried by merging and rendering; beyond this many a person is quicker. Arbitrary."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one commit did to one file."""

    commit: Commit
    path: str
    before: Entry | None
    """What the commit's first parent has there."""


@dataclass(frozen=True, slots=True)
class Clash:
    """Why changes cannot be undone by merging."""

    commit: str
    paths: tuple[str, ...]


def find_culprits(
    history: History, renderer: Renderer, span: Range
) -> tuple[Change, ...] | NotFromGit | NeedsPullRequest:
    """Return the changes to undo, newest first, or why a person must look."""
    sources = span.rejected.sources | span.wanted.sources
    changes: list[Change] = []
    for commit in span.between:
        if commit.parents:
            before = history.changed(commit.parents[0], commit.sha)
            changes += [Change(commit, path, entry) for path, entry in sorted(before.items()) if path in sources]
    names = tuple(dict.fromkeys(change.commit.sha for change in changes))
    if len(changes) > _MAX_CHANGES:
        return NeedsPullRequest(
            f"{len(changes)} changes since stable's commit {span.stable.sha[:10]} touch its files: too many to try",
            names,
        )
    if not _gives_stable(history, renderer, span, changes):
        return NeedsPullRequest(
            f"undoing every change since {span.stable.sha[:10]} to the files that this Deployment is rendered from "
            "does not give stable's template",
            names,
        )
    # Oldest first, so that of two sets of the same size the one with the newer commits remains.
    for change in reversed(changes.copy()):
        fewer = [other for other in changes if other is not change]
        if _gives_stable(history, renderer, span, fewer):
            changes = fewer
    if not changes:
        return NotFromGit(f"no commit since {span.stable.sha[:10]} changes what this Deployment renders to")
    outside = [change for change in changes if not _is_inside(change.path, renderer.provenance.path)]
    if outside:
        return NeedsPullRequest(
            f"the change came by {outside[0].path} (commit {outside[0].commit.sha[:10]}), outside the app's own folder "
            f"{renderer.provenance.path}: others may depend on it",
            tuple(dict.fromkeys(change.commit.sha for change in changes)),
        )
    return tuple(changes)


def undo(history: History, tip: str, changes: Sequence[Change]) -> str | Clash:
    """Return the tree of `tip` without the changes, by three-way merges.

    They come newest first, each commit in the past of `tip`. For each commit, "theirs" is a child of it that has its
    files as they were before; so the commit itself is the merge's base.
    """
    current = tip
    tree = f"{tip}^{{tree}}"
    for commit, group in groupby(changes, key=lambda change: change.commit):
        before = {change.path: change.before for change in group}
        theirs = history.commit(history.with_files(commit.sha, before), [commit.sha], "undo", 0)
        merged = history.merge(current, theirs)
        if isinstance(merged, Conflict):
            return Clash(commit.sha, merged.paths)
        tree, current = merged, history.commit(merged, [current], "undone", 0)
    return tree


def _gives_stable(history: History, renderer: Renderer, span: Range, changes: Sequence[Change]) -> bool:
    tree = undo(history, span.bad.sha, changes)
    if isinstance(tree, Clash):
        return False
    render = renderer.render(tree)
    return isinstance(render, Rendered) and same_template(render.template, span.wanted.template)


def _is_inside(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")
