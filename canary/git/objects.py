"""What a repository holds, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from canary.errors import SpecInvalid

REGULAR_MODES: Final = frozenset({"100644", "100755"})
"""Modes of plain files; symbolic links and submodules are never read or written."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a tree."""

    mode: str
    oid: str


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit, as far as anybody here asks."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    subject: str
    author: str
    """The name only: addresses are nobody's business in a status."""
    reverts: tuple[str, ...] = ()
    """The commits that its `Rollout-Reverts` trailers name."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the operator's commits are by."""

    name: str = "Canary"
    email: str = "canary@canary.delivery"

    def __post_init__(self) -> None:
        for part in (self.name, self.email):
            if not part.strip() or not part.isprintable() or set(part) & set("<>"):
                raise SpecInvalid(
                    f"the identity of Canary's commits cannot be {part!r}: a name and an address, on one line"
                )


@dataclass(frozen=True, slots=True)
class Conflict:
    """A three-way merge that a person must make."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pushed:
    """The branch is now at the commit."""


@dataclass(frozen=True, slots=True)
class Raced:
    """Somebody else moved the branch first; nothing was written."""

    reason: str


PushAnswer: TypeAlias = Pushed | Raced
