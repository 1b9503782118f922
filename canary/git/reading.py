"""Reading the clone: commits, the files of a tree, and what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from canary.errors import GitUnavailable
from canary.git.clone import OBJECT_NAME, Clone, object_name
from canary.git.objects import Commit, Entry

_LOG_FORMAT: Final = "%H%n%T%n%P%n%an%n%s%n%(trailers:key=Rollout-Reverts,valueonly=true,separator=%x2C)"


class Reading(Clone):
    """What the clone has; the contents of files are fetched when they are first asked for."""

    def commits(self, tip: str, *, limit: int, without: str | None = None, first_parent: bool = True) -> list[Commit]:
        """Return up to `limit` commits from `tip` back, newest first; those reachable from `without` are left out."""
        arguments = ["log", "-z", f"--max-count={limit}", f"--format={_LOG_FORMAT}", "--topo-order"]
        if first_parent:
            arguments.append("--first-parent")
        arguments += [object_name(tip), *([f"^{object_name(without)}"] if without else []), "--"]
        records = self.text(*arguments).split("\0")
        return [_commit(record) for record in records if record]

    def has(self, sha: str) -> bool:
        """Whether the clone has this commit."""
        return self.git("cat-file", "-e", f"{object_name(sha)}^{{commit}}").code == 0

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether `older` is `newer` or in its past."""
        done = self.git("merge-base", "--is-ancestor", object_name(older), object_name(newer))
        if done.code not in {0, 1}:
            self.expect(done, f"reading the history of {self.shown}")
        return done.code == 0

    def files(self, tree: str, folder: str = "") -> dict[str, Entry]:
        """Return every plain file and symbolic link below a folder of a commit or tree, by path from the root."""
        where = ["--", f"{folder.rstrip('/')}/"] if folder else []
        listing = self.raw("ls-tree", "-r", "-z", "--full-tree", object_name(tree), *where)
        return {path: entry for path, entry, kind in listing_of(listing) if kind == "blob"}

    def changed(self, old: str, new: str) -> dict[str, Entry | None]:
        """Return the files that differ between two commits or trees, with what the *old* one has there."""
        sides = object_name(old), object_name(new)
        raw = self.raw("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", *sides)
        fields = raw.decode("utf-8", "surrogateescape").split("\0")
        result: dict[str, Entry | None] = {}
        for facts, path in zip(fields[0::2], fields[1::2], strict=False):
            mode, _, oid, _, _ = facts.removeprefix(":").split(" ")
            result[path] = Entry(mode, oid) if set(mode) != {"0"} else None
        return result

    def blobs(self, oids: Iterable[str]) -> dict[str, bytes]:
        """Return the contents of files; those that the clone lacks are fetched in one go."""
        wanted = sorted({object_name(oid) for oid in oids})
        found = self._cached_blobs(wanted)
        missing = [oid for oid in wanted if oid not in found]
        if missing:
            names = "".join(f"{oid}\n" for oid in missing).encode()
            done = self.git(
                "-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
                "--filter=blob:none", "--stdin", "origin", remote=True, stdin=names,
            )  # fmt: skip
            self.expect(done, f"fetching {len(missing)} files of {self.shown}")
            found |= self._cached_blobs(missing)
            lost = [oid for oid in missing if oid not in found]
            if lost:
                raise GitUnavailable(f"fetching files of {self.shown}: the server did not send {lost[0]}")
        return found

    def _cached_blobs(self, oids: Sequence[str]) -> dict[str, bytes]:
        if not oids:
            return {}
        done = self.git("cat-file", "--batch", stdin="".join(f"{oid}\n" for oid in oids).encode())
        self.expect(done, f"reading files of {self.shown}")
        found: dict[str, bytes] = {}
        position = 0
        while position < len(done.stdout):
            end = done.stdout.index(b"\n", position)
            oid, kind, *size = done.stdout[position:end].decode().split(" ")
            position = end + 1
            if kind != "missing":
                found[oid] = done.stdout[position : position + int(size[0])]
                position += int(size[0]) + 1
        return found


def _commit(record: str) -> Commit:
    sha, tree, parents, author, subject, trailers = record.split("\n", 5)  # a subject may be empty, and a name
    named = re.split(r"[,\s]+", trailers)
    return Commit(
        sha, tree, tuple(parents.split()), subject, author, tuple(name for name in named if OBJECT_NAME.fullmatch(name))
    )


def listing_of(raw: bytes) -> Iterator[tuple[str, Entry, str]]:
    """Return path, entry and kind of each line of git's listing of a tree."""
    for line in raw.decode("utf-8", "surrogateescape").split("\0"):
        if line:
            facts, path = line.split("\t", 1)
            mode, kind, oid = facts.split(" ")
            yield path, Entry(mode, oid), kind
