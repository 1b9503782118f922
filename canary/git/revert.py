"""Take back, in Git, what brought a rejected version: planned, checked by rendering, pushed once.

Exactly once: the commit follows from the branch's tip, the culprits and the stored verdict, byte for byte. Two
operators, or one after a crash, make the same commit or see each other's after the fetch; the server compares the tip
when it takes the push.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from canary.errors import GitUnavailable, RevertRefused
from canary.git.culprit import Change, Clash, find_culprits, undo
from canary.git.history import Range, Seen, find_range
from canary.git.message import revert_message
from canary.git.objects import Commit, Raced
from canary.git.outcome import (
    AlreadyReverted,
    BroughtBack,
    NeedsPullRequest,
    NoPush,
    Outcome,
    RevertDone,
    RevertPlan,
    Superseded,
)
from canary.git.provenance import NotFromGit
from canary.git.render import NotRendered, Rendered, Renderer
from canary.git.repository import Repository
from canary.git.template import Template, beyond, same_version

_ATTEMPTS: Final = 6
_PAUSE_SECONDS: Final = 0.2
"""Before the second try, doubled for each further one, times a random factor up to 1."""
_SINCE_LIMIT: Final = 2_000
"""Commits since the bad one that are searched for the trailer; arbitrary."""


@dataclass(frozen=True, slots=True)
class RevertRequest:
    """What is to be taken back and why; all of it stored in status, so that each try says the same."""

    rollout: str
    """`namespace/name`."""
    seen: Seen
    verdict_at: int
    """Seconds since the epoch, UTC: the commit's dates."""
    report: str
    """As it is told in the commit's message; several lines."""
    pushed: str = ""
    """The revert that an earlier try pushed for this verdict, if status has one."""


def plan_revert(repository: Repository, renderer: Renderer, request: RevertRequest) -> RevertPlan | NoPush:
    """Fetch, look whether anything is left to do, and if so write the reverting commit into the clone.

    Raises
    ------
    GitUnavailable, Forbidden, NotFound
        By what the server said; nothing was changed.
    """
    branch = repository.branch(renderer.provenance.branch)
    head = repository.fetch(branch)
    span = find_range(repository, renderer, request.seen)
    if isinstance(span, NotFromGit):
        return span
    now = renderer.render(head)
    if isinstance(now, NotRendered):
        if now.absent:
            return Superseded(head, f"{branch} no longer has this Deployment")
        return NeedsPullRequest(now.reason)
    if isinstance(span, NeedsPullRequest):
        if beyond(now.template, request.seen.rejected_live) is None:
            return Superseded(head, f"{branch} no longer brings the rejected version")
        return span
    reverts = _reverts_since(repository, request, span, head)
    settled = _settled(repository, renderer, request, span, (head, now), reverts)
    if settled is not None:
        return settled
    changes = find_culprits(repository, renderer, span)
    if not isinstance(changes, tuple):
        return changes
    before = _done_before(repository, changes, reverts)
    if before is not None:
        return before
    return _write(repository, renderer, request, span, changes, (branch, head))


def push_revert(
    repository: Repository,
    renderer: Renderer,
    request: RevertRequest,
    plan: RevertPlan,
    *,
    pause: Callable[[float], None] = time.sleep,
    jitter: Callable[[], float] = random.random,
) -> Outcome:
    """Push a plan; when somebody was faster, look and plan again, a bounded number of times.

    Raises
    ------
    GitUnavailable
        When the race was lost each time, or the server did not answer. The push may have happened: `plan_revert` will
        see it.
    Forbidden
        When the identity may not push.
    """
    for attempt in range(_ATTEMPTS):
        try:
            answer = repository.push(plan.branch, plan.commit, plan.base)
        except RevertRefused as refusal:
            return NeedsPullRequest(str(refusal), plan.culprits, refused=True)
        if not isinstance(answer, Raced):
            names = ", ".join(name[:10] for name in plan.culprits)
            return RevertDone(
                plan.commit, plan.culprits, plan.paths, f"Reverted {names} by {plan.commit[:10]} on {plan.branch}."
            )
        pause(_PAUSE_SECONDS * 2**attempt * jitter())
        again = plan_revert(repository, renderer, request)
        if not isinstance(again, RevertPlan):
            return again
        plan = again
    raise GitUnavailable(f"{plan.branch} of {repository.shown} moved {_ATTEMPTS} times while the revert was pushed")


def revert(repository: Repository, renderer: Renderer, request: RevertRequest) -> Outcome:
    """Plan and push."""
    plan = plan_revert(repository, renderer, request)
    return push_revert(repository, renderer, request, plan) if isinstance(plan, RevertPlan) else plan


def _settled(
    repository: Repository,
    renderer: Renderer,
    request: RevertRequest,
    span: Range,
    tip: tuple[str, Rendered],
    reverts: Sequence[Commit],
) -> NoPush | None:
    """Return what says that nothing is to be pushed, or None."""
    head, now = tip
    rejected = span.rejected.template
    follows = repository.is_ancestor(span.bad.sha, head)
    taken = next((c for c in reverts if _takes_out(renderer, c, rejected)), None)
    if not same_version(now.template, rejected):
        if taken is not None:
            return AlreadyReverted(
                taken.sha, taken.reverts, f"{taken.sha[:10]} took the rejected version out of the branch"
            )
        return Superseded(head, f"{head[:10]} no longer brings the rejected version")
    if taken is not None:
        by = _returned_by(repository, renderer, head, taken.sha, rejected)
        return BroughtBack(
            taken.sha, by, f"{by[:10]} brought the rejected version back after revert {taken.sha[:10]}; it stays held"
        )
    if request.pushed and not (repository.has(request.pushed) and repository.is_ancestor(request.pushed, head)):
        return BroughtBack(
            request.pushed,
            head,
            f"revert {request.pushed[:10]} is gone from the branch: its history was rewritten; the version stays held",
        )
    if not follows:
        return NeedsPullRequest(f"the branch does not contain {span.bad.sha[:10]} any more: its history was rewritten")
    return None


def _begun(repository: Repository, request: RevertRequest, span: Range) -> str | None:
    """Return a commit whose past has no revert for this release, and those for releases before; None for no such.

    The bad commit is none such: when somebody brings the version back, the newest commit that the engine has fetched
    is theirs, and our revert is in its past. In a history that was written anew the first commit may be gone: then
    every revert counts, and rather none is made than a second one.
    """
    first = request.seen.first_commit
    if not first:
        return span.bad.sha
    return first if repository.has(first) else None


def _reverts_since(repository: Repository, request: RevertRequest, span: Range, head: str) -> tuple[Commit, ...]:
    """Return the reverts since the release began, newest first: ours, or of another Rollout."""
    if not repository.is_ancestor(span.bad.sha, head):
        return ()
    begun = _begun(repository, request, span)
    since = repository.commits(head, limit=_SINCE_LIMIT, without=begun, first_parent=False)
    return tuple(commit for commit in since if commit.reverts)


def _done_before(repository: Repository, changes: Sequence[Change], reverts: Sequence[Commit]) -> BroughtBack | None:
    """Return what says that a change was taken back before, or made by somebody who knew of a revert of the same file.

    That may have been another Rollout's revert, which did not concern this version. But a person brought back what it
    took out, and to undo that would be a second revert of the same change.
    """
    for revert in reverts:
        touched = repository.changed(revert.parents[0], revert.sha) if revert.parents else {}
        for change in changes:
            culprit = change.commit.sha
            if change.path not in touched:
                continue
            if culprit in revert.reverts or repository.is_ancestor(revert.sha, culprit):
                message = (
                    f"what {culprit[:10]} changed in {change.path} was brought back after revert {revert.sha[:10]}; "
                    "the version stays held"
                )
                return BroughtBack(revert.sha, culprit, message)
    return None


def _takes_out(renderer: Renderer, commit: Commit, rejected: Template) -> bool:
    """Whether the version was in the branch before this commit, and not after it.

    By its effect, not by its trailer alone: a revert for another Rollout with the same culprit is path-scoped and may
    leave ours in.
    """
    if not commit.parents or _brings(renderer, commit.sha, rejected):
        return False
    return _brings(renderer, commit.parents[0], rejected)


def _brings(renderer: Renderer, tree: str, rejected: Template) -> bool:
    render = renderer.render(tree)
    return isinstance(render, Rendered) and same_version(render.template, rejected)


def _returned_by(repository: Repository, renderer: Renderer, head: str, revert_sha: str, rejected: Template) -> str:
    since = repository.commits(head, limit=_SINCE_LIMIT, without=revert_sha)
    return next((commit.sha for commit in reversed(since) if _brings(renderer, commit.sha, rejected)), head)


def _write(
    repository: Repository,
    renderer: Renderer,
    request: RevertRequest,
    span: Range,
    changes: Sequence[Change],
    tip: tuple[str, str],
) -> RevertPlan | NeedsPullRequest:
    branch, head = tip
    commits = tuple(dict.fromkeys(change.commit for change in changes))
    culprits = tuple(commit.sha for commit in commits)
    tree = undo(repository, head, changes)
    if isinstance(tree, Clash):
        return NeedsPullRequest(
            f"undoing {tree.commit[:10]} conflicts with later commits in {', '.join(tree.paths)}",
            culprits,
        )
    after = renderer.render(tree)
    if isinstance(after, NotRendered):
        return NeedsPullRequest(f"after the revert the Deployment could not be rendered: {after.reason}", culprits)
    # Later commits may have changed labels or annotations, which do not make a version: the Deployment is then held
    # and judged anew.
    if not same_version(after.template, span.wanted.template):
        return NeedsPullRequest(
            "after the revert the Deployment would not run stable's version: later commits changed it too", culprits
        )
    paths = tuple(sorted(repository.changed(head, tree)))
    folder = renderer.provenance.path
    if any(folder and not path.startswith(f"{folder}/") for path in paths):
        return NeedsPullRequest(f"the revert would change files outside {folder}", culprits)
    message = revert_message(commits, paths, request.rollout, request.report)
    commit = repository.commit(tree, [head], message, request.verdict_at)
    return RevertPlan(commit, head, branch, culprits, paths, span.stable.sha, message)
