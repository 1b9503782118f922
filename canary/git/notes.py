"""What Git remembers of rejected versions: notes under `refs/notes/canary`, which outlive the cluster.

A note is on the commit that brought the version. It has a line of JSON for each thing that happened to a version of
a Rollout, sorted and without doubles, so that two notes are merged as sets of lines (as git's own `cat_sort_uniq`
does). Written once: a line that is there already is not written again, the commit follows from tip and line
alone, and a push that loses a race is made anew on the tip that won. Never forced. Seen with
`git fetch origin refs/notes/canary:refs/notes/canary && git log --notes=canary`.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from canary.errors import GitUnavailable
from canary.git.message import one_line
from canary.git.objects import Entry, Raced
from canary.git.repository import Repository

NOTES_REF: Final = "refs/notes/canary"
_ATTEMPTS: Final = 6
_PAUSE_SECONDS: Final = 0.2
"""Before the second try, doubled for each further one, times a random factor up to 1."""
_REASON_LENGTH: Final = 400
_READ: Final = 256 * 1024
"""Characters; a note that somebody made longer is not read."""


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that happened to a version of a Rollout."""

    rollout: str
    """`namespace/name`."""
    version_hash: str
    template_hash: str
    at: int
    """Seconds since the epoch, UTC; of two notes on one version the later counts."""
    reason: str = ""
    """Of the verdict."""
    images: tuple[str, ...] = ()
    stable_commit: str = ""
    """What was stable then; empty when nobody knows."""
    retried: bool = False
    """Whether it says that somebody asked to try the version again: it is no longer rejected."""

    def line(self) -> str:
        """Return it as it is written."""
        fields: dict[str, Any] = {
            "rollout": self.rollout,
            "version": self.version_hash,
            "template": self.template_hash,
            "at": self.at,
            "event": "retried" if self.retried else "rejected",
            "reason": one_line(self.reason)[:_REASON_LENGTH],
            "images": list(self.images),
            "stable": self.stable_commit,
        }
        return json.dumps({key: value for key, value in fields.items() if value}, sort_keys=True)


@dataclass(frozen=True, slots=True)
class Noted:
    """A note, and the commit that it is on."""

    commit: str
    note: Note


def read_notes(repository: Repository) -> tuple[Noted, ...]:
    """Fetch all notes and return them; lines that are not ours are passed over.

    Raises
    ------
    GitUnavailable, Forbidden
        By what the server said.
    """
    tip = repository.fetch_reference(NOTES_REF)
    if tip is None:
        return ()
    texts = _texts(repository, tip).items()
    found = (Noted(commit, note) for commit, (_, text) in texts if len(text) <= _READ for note in _notes(text))
    return tuple(sorted(found, key=lambda noted: (noted.note.at, noted.note.line())))


def rejected_of(noted: Iterable[Noted], rollout: str) -> tuple[Noted, ...]:
    """Return what is said of the rejected versions of one Rollout, the latest of each, oldest first."""
    latest: dict[str, Noted] = {}
    for each in sorted(noted, key=lambda noted: (noted.note.at, noted.note.retried)):
        if each.note.rollout == rollout:
            latest.pop(each.note.version_hash, None)
            latest[each.note.version_hash] = each
    return tuple(each for each in latest.values() if not each.note.retried)


def write_note(
    repository: Repository,
    commit: str,
    note: Note,
    *,
    pause: Callable[[float], None] = time.sleep,
    jitter: Callable[[], float] = random.random,
) -> bool:
    """Add a note to a commit and push it; return False when it was there already.

    Raises
    ------
    GitUnavailable
        The race was lost each time, or the server did not answer; the push may have happened, and is seen when this is
        called again.
    Forbidden, RevertRefused
        The server does not take notes.
    """
    for attempt in range(_ATTEMPTS):
        tip = repository.fetch_reference(NOTES_REF)
        texts = _texts(repository, tip, only=commit) if tip is not None else {}
        path, text = texts.get(commit, (commit, ""))
        lines = {*text.splitlines(), note.line()} - {""}
        together = "".join(f"{line}\n" for line in sorted(lines))
        if together == text:
            return False
        entry = Entry("100644", repository.blob(together.encode()))
        tree = repository.with_files(tip if tip is not None else repository.empty_tree(), {path: entry})
        message = f"Note on {note.rollout}: {'retried' if note.retried else 'rejected'}\n"
        new = repository.commit(tree, [tip] if tip is not None else [], message, note.at)
        if not isinstance(repository.push_reference(NOTES_REF, new, tip), Raced):
            return True
        pause(_PAUSE_SECONDS * 2**attempt * jitter())
    raise GitUnavailable(f"{NOTES_REF} of {repository.shown} moved {_ATTEMPTS} times while a note was pushed")


def _texts(repository: Repository, tip: str, only: str | None = None) -> Mapping[str, tuple[str, str]]:
    """Return path and text of each note by the commit that it is on, or of one; git spreads many over folders."""
    paths = {path.replace("/", ""): (path, entry) for path, entry in repository.files(tip).items()}
    wanted = {commit: found for commit, found in paths.items() if only in (None, commit)}
    blobs = repository.blobs(entry.oid for _, entry in wanted.values())
    return {commit: (path, blobs[entry.oid].decode("utf-8", "replace")) for commit, (path, entry) in wanted.items()}


def _notes(text: str) -> Iterable[Note]:
    for line in text.splitlines():
        try:
            fields = json.loads(line)
            yield Note(
                rollout=str(fields["rollout"]),
                version_hash=str(fields["version"]),
                template_hash=str(fields["template"]),
                at=int(fields["at"]),
                reason=str(fields.get("reason", "")),
                images=tuple(str(image) for image in fields.get("images", ())),
                stable_commit=str(fields.get("stable", "")),
                retried=fields["event"] == "retried",
            )
        except (ValueError, KeyError, TypeError):
            continue
