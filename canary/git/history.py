"""Which commit brought the rejected version, and which was the last to render stable's.

Only rendered templates are compared with each other. The live ones, which have defaults and admission's additions, are
used once, to recognise the two commits; see `template.beyond`.

*Stable's commit* is the newest one before the bad commit that renders stable's template. Whether the engine ever
applied that very commit does not matter: it says the same about this Deployment, and nothing else of it is used. The
newest, because healthy commits since the last promotion then stay out of the revert without any merging.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from canary.git.objects import Commit, Conflict, Entry
from canary.git.outcome import NeedsPullRequest
from canary.git.provenance import NotFromGit
from canary.git.render import NotRendered, Rendered, Renderer
from canary.git.template import Template, beyond, paths_of, same_template

SEARCH_LIMIT: Final = 500
"""Commits along first parents that are looked at for stable's; arbitrary."""
_BAD_LIMIT: Final = 50
"""Commits that are looked at for the bad one: the engine may have tried newer ones that it could not apply."""


class History(Protocol):
    """Read commits, and write objects that nobody sees; `Repository` is one."""

    def commits(self, tip: str, *, limit: int, without: str | None = None, first_parent: bool = True) -> list[Commit]:
        """Return commits from `tip` back, newest first."""
        ...

    def has(self, sha: str) -> bool:
        """Whether there is such a commit."""
        ...

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether `older` is `newer` or in its past."""
        ...

    def changed(self, old: str, new: str) -> dict[str, Entry | None]:
        """Return the files that differ, with what the old one has there."""
        ...

    def with_files(self, tree: str, changes: dict[str, Entry | None]) -> str:
        """Return the tree with other files."""
        ...

    def commit(self, tree: str, parents: Sequence[str], message: str, seconds: int) -> str:
        """Return a new commit's name."""
        ...

    def merge(self, ours: str, theirs: str) -> str | Conflict:
        """Return the tree of a three-way merge."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """What the operator saw in the cluster."""

    bad_commit: str
    """What the engine had applied (or tried) when the rejected template was first seen."""
    stable_commit: str
    """The same for stable's; empty when nobody knows."""
    rejected_live: Template
    """The held Deployment's pod template."""
    stable_live: Template
    """The pod template of the ReplicaSet that serves."""
    first_commit: str = ""
    """What the engine had fetched when the release began: no revert that came later is older than this. Empty when
    nobody knows."""


@dataclass(frozen=True, slots=True)
class Range:
    """The commits among which the culprits are: after `stable`, up to `bad`."""

    bad: Commit
    rejected: Rendered
    stable: Commit
    wanted: Rendered
    between: tuple[Commit, ...]
    """Along first parents, newest first; `bad` included, `stable` not."""


def find_range(history: History, renderer: Renderer, seen: Seen) -> Range | NotFromGit | NeedsPullRequest:
    """Return the range to search, or why there is none."""
    if not seen.bad_commit:
        return NotFromGit("the GitOps engine names no commit that it applied")
    if not history.has(seen.bad_commit):
        return NeedsPullRequest(f"commit {seen.bad_commit[:10]} is no longer in the branch's history: it was rewritten")
    chain = history.commits(seen.bad_commit, limit=SEARCH_LIMIT)
    found = _find_bad(chain, renderer, seen)
    if not isinstance(found, _Bad):
        return found
    likeness = _Likeness(found.render, found.extras, seen.stable_live)
    if likeness.explains_both():
        return NotFromGit(
            f"commit {found.commit.sha[:10]} says the same as stable's template: the change was made in the cluster "
            "(kubectl rollout restart, a reloader, a webhook), not in Git"
        )
    hint = _hint(history, renderer, seen.stable_commit, found.commit.sha)
    wanted = hint if hint is not None and likeness.is_stable(hint) else None
    if wanted is not None and same_template(wanted.template, found.render.template):
        return NotFromGit(
            f"stable's commit {seen.stable_commit[:10]} and {found.commit.sha[:10]} say the same about this Deployment"
        )
    for index, commit in enumerate(chain[found.index + 1 :], start=found.index + 1):
        render = renderer.render(commit.sha)
        if isinstance(render, NotRendered):
            continue
        if same_template(render.template, wanted.template) if wanted is not None else likeness.is_stable(render):
            return Range(found.commit, found.render, commit, render, tuple(chain[found.index : index]))
    return NeedsPullRequest(
        f"none of the {len(chain) - found.index - 1} commits before {found.commit.sha[:10]} renders stable's template, "
        "so there is nothing known to go back to"
    )


@dataclass(frozen=True, slots=True)
class _Bad:
    index: int
    commit: Commit
    render: Rendered
    extras: frozenset[tuple[str, ...]]


def _find_bad(chain: Sequence[Commit], renderer: Renderer, seen: Seen) -> _Bad | NotFromGit | NeedsPullRequest:
    for index, commit in enumerate(chain[:_BAD_LIMIT]):
        render = renderer.render(commit.sha)
        if isinstance(render, NotRendered):
            if index == 0 and not render.absent:
                return NeedsPullRequest(render.reason)
            continue
        extras = beyond(render.template, seen.rejected_live)
        if extras is not None:
            return _Bad(index, commit, render, extras)
    return NotFromGit(
        f"neither commit {seen.bad_commit[:10]} nor those before it render the held template: "
        "it was changed in the cluster, not in Git"
    )


@dataclass(frozen=True, slots=True)
class _Likeness:
    """How a rendered template is recognised as stable's, when only the live one is known.

    Defaults and admission act alike on both versions. So the right commit is one that the live template does not
    contradict, and beyond which it has just what the rejected live template has beyond the bad commit, wherever both
    manifests say anything.
    """

    bad: Rendered
    bad_extras: frozenset[tuple[str, ...]]
    stable_live: Template

    def explains_both(self) -> bool:
        """Whether the bad commit says all that stable has too: then the difference is not Git's."""
        extras = beyond(self.bad.template, self.stable_live)
        return extras is not None and extras <= self.bad_extras

    def is_stable(self, render: Rendered) -> bool:
        extras = beyond(render.template, self.stable_live)
        if extras is None:
            return False
        both = paths_of(render.template) & paths_of(self.bad.template)
        return {path for path in extras if path[:-1] in both} == {path for path in self.bad_extras if path[:-1] in both}


def _hint(history: History, renderer: Renderer, stable_commit: str, bad: str) -> Rendered | None:
    if not stable_commit or not history.has(stable_commit) or not history.is_ancestor(stable_commit, bad):
        return None
    render = renderer.render(stable_commit)
    return render if isinstance(render, Rendered) else None
