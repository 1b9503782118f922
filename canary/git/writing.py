"""Writing objects into the clone, which nobody sees until they are pushed: harmless, and the same twice.

No work tree, no index: trees are edited as objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from canary.errors import SpecInvalid
from canary.git.clone import Clone, object_name
from canary.git.objects import Conflict, Entry
from canary.git.reading import listing_of


class Writing(Clone):
    """Blobs, trees and commits, named by their content."""

    def with_files(self, tree: str, changes: Mapping[str, Entry | None]) -> str:
        """Return the tree that has these files instead (None: has no such file); folders that become empty vanish."""
        split = {tuple(path.split("/")): entry for path, entry in changes.items()}
        if any(part in {"", ".", "..", ".git"} for parts in split for part in parts):
            raise SpecInvalid(f"a path of {self.shown} has an empty, `.`, `..` or `.git` part")
        return self._edit(f"{object_name(tree)}^{{tree}}", split) or self._mktree(b"")

    def blob(self, text: bytes) -> str:
        """Write a file's content and return its name."""
        done = self.git("hash-object", "-w", "--no-filters", "--stdin", stdin=text)
        self.expect(done, f"writing a file for {self.shown}")
        return done.stdout.decode().strip()

    def empty_tree(self) -> str:
        """Write the tree that has nothing in it."""
        return self._mktree(b"")

    def commit(self, tree: str, parents: Sequence[str], message: str, seconds: int) -> str:
        """Write a commit whose every byte follows from the arguments and the configured identity."""
        identity = self.settings.identity
        when = f"@{seconds} +0000"
        who = {
            f"GIT_{role}_{part}": value
            for role in ("AUTHOR", "COMMITTER")
            for part, value in (("NAME", identity.name), ("EMAIL", identity.email), ("DATE", when))
        }
        arguments = [
            "commit-tree",
            "--no-gpg-sign",
            *(part for parent in parents for part in ("-p", object_name(parent))),
            "-F",
            "-",
            object_name(tree),
        ]
        done = self.git(*arguments, stdin=message.encode(), extra=who)
        self.expect(done, f"writing a commit for {self.shown}")
        return done.stdout.decode().strip()

    def merge(self, ours: str, theirs: str) -> str | Conflict:
        """Return the tree of a three-way merge of two commits, or where it conflicts."""
        sides = object_name(ours), object_name(theirs)
        done = self.git("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", *sides, remote=True)
        if done.code not in {0, 1}:
            self.expect(done, f"merging in {self.shown}")
        tree, *paths = done.stdout.decode("utf-8", "surrogateescape").split("\0")
        return tree if done.code == 0 else Conflict(tuple(path for path in paths if path))

    def _edit(self, tree: str | None, changes: Mapping[tuple[str, ...], Entry | None]) -> str | None:
        """Return the edited tree's name, or None when nothing is left in it."""
        entries = (
            {name: (entry, kind) for name, entry, kind in listing_of(self.raw("ls-tree", "-z", tree))} if tree else {}
        )
        below: dict[str, dict[tuple[str, ...], Entry | None]] = {}
        for (name, *rest), entry in changes.items():
            if rest:
                below.setdefault(name, {})[tuple(rest)] = entry
            elif entry is None:
                entries.pop(name, None)
            else:
                entries[name] = (entry, "blob")
        for name, inner in below.items():
            here = entries.get(name)
            edited = self._edit(here[0].oid if here is not None and here[1] == "tree" else None, inner)
            if edited is not None:
                entries[name] = (Entry("040000", edited), "tree")
            elif here is not None and here[1] == "tree":
                del entries[name]
        lines = (f"{entry.mode} {kind} {entry.oid}\t{name}\0" for name, (entry, kind) in entries.items())
        return self._mktree("".join(lines).encode("utf-8", "surrogateescape")) if entries else None

    def _mktree(self, listing: bytes) -> str:
        done = self.git("mktree", "-z", "--missing", stdin=listing)
        self.expect(done, f"writing a tree for {self.shown}")
        return done.stdout.decode().strip()
