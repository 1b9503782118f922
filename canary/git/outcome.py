"""What can become of a revert, as values; each has the `reason` that status and Events show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from canary.git.provenance import NotFromGit


@dataclass(frozen=True, slots=True)
class RevertPlan:
    """A commit that is written and checked, and not yet pushed."""

    commit: str
    base: str
    """Its parent: the tip of the branch that was seen."""
    branch: str
    culprits: tuple[str, ...]
    """The commits that it takes back, newest first; with the repository and the branch, the revert's key."""
    paths: tuple[str, ...]
    """The files that it changes."""
    stable_commit: str
    """The newest commit that renders stable's template, before the culprits."""
    message: str


@dataclass(frozen=True, slots=True)
class RevertDone:
    """The branch has our commit."""

    commit: str
    culprits: tuple[str, ...]
    paths: tuple[str, ...]
    message: str
    """One sentence for people."""
    reason: ClassVar[str] = "Reverted"


@dataclass(frozen=True, slots=True)
class AlreadyReverted:
    """The branch has a commit that took this version out: ours of an earlier try, or another Rollout's."""

    commit: str
    culprits: tuple[str, ...]
    message: str
    reason: ClassVar[str] = "AlreadyReverted"


@dataclass(frozen=True, slots=True)
class Superseded:
    """The branch no longer brings the rejected version: somebody fixed, reverted or removed it."""

    head: str
    message: str
    reason: ClassVar[str] = "Superseded"


@dataclass(frozen=True, slots=True)
class BroughtBack:
    """Somebody brought the version back after our revert. It is held, and never reverted a second time."""

    revert: str
    by: str
    """The commit that brought it back, or that brought it first."""
    message: str
    reason: ClassVar[str] = "BroughtBack"


@dataclass(frozen=True, slots=True)
class NeedsPullRequest:
    """A person must look at the revert: it cannot be made or checked safely, or the server does not take a push."""

    message: str
    culprits: tuple[str, ...] = ()
    refused: bool = False
    """Whether the commit was good and the server's rules refused it: worth another try when the rules change."""
    reason: ClassVar[str] = "NeedsPullRequest"


NoPush: TypeAlias = NotFromGit | AlreadyReverted | Superseded | BroughtBack | NeedsPullRequest
Outcome: TypeAlias = RevertDone | NoPush
