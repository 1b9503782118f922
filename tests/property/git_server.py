"""A bare repository that people write to without a git process, and that git serves to the operators.

Objects are written loose and read back by their names, a few microseconds each; so a history of many steps costs what
the operators' own git costs.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import re
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PERSON = "Ada <ada@example.org> 1790000000 +0000"
_TRAILER = re.compile(r"^([A-Za-z-]+): (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Made:
    """A commit that is on the server."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    message: str

    @property
    def trailers(self) -> dict[str, str]:
        """Those of its last paragraph."""
        return dict(_TRAILER.findall(self.message.rstrip().rpartition("\n\n")[2]))


class BareServer:
    """One branch, `main`, and whoever may push or force it."""

    def __init__(self, root: Path) -> None:
        self.bare = root / "server.git"
        shutil.copytree(_template(), self.bare)
        self._ref = self.bare / "refs" / "heads" / "main"

    @property
    def url(self) -> str:
        return f"file://{self.bare}"

    @property
    def head(self) -> str:
        return self._ref.read_text().strip()

    def commit(self, changes: Mapping[str, str], message: str, *, on: str = "") -> str:
        """Commit changed files on top of a commit (of the branch, when none is given), and set the branch to it."""
        parent = on or (self.head if self._ref.exists() else "")
        files = {**(self.files(parent) if parent else {}), **changes}
        return self.write(self._tree(files), [parent] if parent else [], message)

    def write(self, tree: str, parents: Sequence[str], message: str) -> str:
        """Set the branch to a commit of this tree."""
        lines = [f"tree {tree}", *(f"parent {name}" for name in parents), f"author {_PERSON}", f"committer {_PERSON}"]
        sha = self._store("commit", ("\n".join(lines) + f"\n\n{message}").encode())
        self.force(sha)
        return sha

    def force(self, sha: str) -> None:
        """Set the branch to any commit, forward or not."""
        self._ref.parent.mkdir(parents=True, exist_ok=True)
        self._ref.write_text(f"{sha}\n")

    def history(self, tip: str = "") -> list[Made]:
        """The commits from a tip (the branch's) back, along first parents."""
        found, sha = [], tip or self.head
        while sha:
            made = self.read(sha)
            found.append(made)
            sha = made.parents[0] if made.parents else ""
        return found

    def read(self, sha: str) -> Made:
        head, _, message = self._load(sha).decode().partition("\n\n")
        facts = [line.split(" ", 1) for line in head.splitlines()]
        parents = tuple(value for name, value in facts if name == "parent")
        return Made(sha, next(value for name, value in facts if name == "tree"), parents, message)

    def files(self, sha: str) -> dict[str, str]:
        """Every file of a commit, by path."""
        return dict(self._files(self.read(sha).tree, ""))

    def _files(self, tree: str, folder: str) -> Iterator[tuple[str, str]]:
        raw = self._load(tree)
        while raw:
            facts, _, rest = raw.partition(b"\0")
            mode, name = facts.decode().split(" ", 1)
            oid, raw = rest[:20].hex(), rest[20:]
            if mode == "40000":
                yield from self._files(oid, f"{folder}{name}/")
            else:
                yield f"{folder}{name}", self._load(oid).decode()

    def _tree(self, files: Mapping[str, str]) -> str:
        entries: dict[str, tuple[str, str]] = {}
        below: dict[str, dict[str, str]] = {}
        for path, text in files.items():
            name, _, rest = path.partition("/")
            if rest:
                below.setdefault(name, {})[rest] = text
            else:
                entries[name] = ("100644", self._store("blob", text.encode()))
        entries |= {name: ("40000", self._tree(inner)) for name, inner in below.items()}
        ordered = sorted(entries.items(), key=lambda entry: entry[0] + "/" * (entry[1][0] == "40000"))
        return self._store(
            "tree", b"".join(f"{mode} {name}\0".encode() + bytes.fromhex(oid) for name, (mode, oid) in ordered)
        )

    def _store(self, kind: str, content: bytes) -> str:
        whole = f"{kind} {len(content)}\0".encode() + content
        sha = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
        file = self.bare / "objects" / sha[:2] / sha[2:]
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(zlib.compress(whole, 1))
        return sha

    def _load(self, sha: str) -> bytes:
        whole = zlib.decompress((self.bare / "objects" / sha[:2] / sha[2:]).read_bytes())
        return whole.partition(b"\0")[2]


@functools.cache
def _template() -> Path:
    """An empty repository, made once by git."""
    made = tempfile.TemporaryDirectory(prefix="canary-git-")
    atexit.register(made.cleanup)
    folder = Path(made.name) / "empty.git"
    subprocess.run(["git", "init", "-q", "--bare", "--template=", "-b", "main", str(folder)], check=True, timeout=30)
    config = "[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n[receive]\n\tunpackLimit = 1000000\n"
    with (folder / "config").open("a") as file:
        file.write(config)
    return folder
