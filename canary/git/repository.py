"""One remote repository, through a bare, blobless clone that is only a cache.

Everything here can be called again after a crash at any line: the clone holds nothing that cannot be fetched or
computed again, each use begins by clearing what a killed git left behind, and the lock is held by every git process
that we started, so that an orphan of a killed operator ends before the next one begins. No work tree, no index: trees
are edited as objects.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from canary.errors import GitUnavailable, NotFound, RevertRefused, SpecInvalid
from canary.git.address import parse_address, redact
from canary.git.credentials import Binding
from canary.git.environment import local_environment, remote_environment, secrets_of
from canary.git.failures import failure, looks_corrupt, tidy
from canary.git.objects import Commit, Conflict, Entry, Identity, PushAnswer, Pushed, Raced
from canary.git.process import Completed, Limits, run

_MANY_PACKS: Final = 150
"""Each fetch adds a pack; at this many a fresh blobless clone is cheaper than a repack. Arbitrary."""
_LOG_FORMAT: Final = "%H%n%T%n%P%n%an%n%s%n%(trailers:key=Rollout-Reverts,valueonly=true,separator=%x2C)"
_SHA: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_BRANCH: Final = re.compile(
    r"(?!.*(?:\.\.|@\{|//|\.lock(?:/|$)|/\.))[^\s~^:?*\[\\\x00-\x1f\x7f/.-][^\s~^:?*\[\\\x00-\x1f\x7f]*(?<![/.])"
)
_LOST_RACE: Final = re.compile(
    r"fetch first|non-fast-forward|stale info|failed to update ref|cannot lock ref|failed to lock|incorrect old value"
    r"|remote ref updated|reference already exists"
)


@dataclass(frozen=True, slots=True)
class GitSettings:
    """The operator's settings for git."""

    cache: Path
    """A folder of our own; may be emptied at any time while no operator runs."""
    program: str = "git"
    local_timeout_seconds: float = 30.0
    remote_timeout_seconds: float = 60.0
    lock_timeout_seconds: float = 30.0
    """How long to wait for another use of the same clone."""
    identity: Identity = field(default_factory=Identity)


class Repository:
    """The clone of one address, locked for one user; made by `open_repository`."""

    def __init__(self, url: str, binding: Binding, settings: GitSettings, directory: Path, lock: int) -> None:
        self.url = url
        self.shown = redact(url)
        self._settings = settings
        self._directory = directory
        self._lock = lock
        self._secrets = secrets_of(binding)
        self._local = local_environment(directory)
        self._remote = remote_environment(directory, url, binding)

    # Reading

    def branch(self, name: str) -> str:
        """Return the branch's name; for `HEAD`, that of the server's default branch."""
        if name != "HEAD":
            return name
        done = self._git("ls-remote", "--symref", "origin", "HEAD", remote=True)
        self._expect(done, f"asking {self.shown} for its default branch")
        match = re.match(r"ref: refs/heads/(\S+)\tHEAD", done.stdout.decode("utf-8", "replace"))
        if match is None:
            raise NotFound(f"{self.shown} has no default branch")
        return match[1]

    def fetch(self, branch: str) -> str:
        """Bring the branch up to date and return the commit at its tip.

        Raises
        ------
        GitUnavailable, Forbidden, NotFound
            By what git said; the last when there is no such branch.
        """
        if _BRANCH.fullmatch(branch) is None:
            raise SpecInvalid(f"{branch!r} is not the name of a branch")
        return self._fetch(f"refs/heads/{branch}", f"fetching {branch} of {self.shown}")

    def fetch_reference(self, reference: str) -> str | None:
        """Bring a reference of ours, such as `refs/notes/canary`, up to date; None when the server has none.

        Raises
        ------
        GitUnavailable, Forbidden
            By what git said.
        """
        try:
            return self._fetch(reference, f"fetching {reference} of {self.shown}")
        except NotFound:
            return None

    def _fetch(self, theirs: str, doing: str) -> str:
        reference = "refs/canary/" + hashlib.sha256(theirs.encode()).hexdigest()[:20]
        arguments = (
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--filter=blob:none",
            "origin",
            f"+{theirs}:{reference}",
        )
        done = self._git(*arguments, remote=True)
        if done.code != 0 and looks_corrupt(done.stderr):
            self.prepare(anew=True)
            done = self._git(*arguments, remote=True)
        self._expect(done, doing)
        return self._text("rev-parse", "--verify", f"{reference}^{{commit}}").strip()

    def commits(self, tip: str, *, limit: int, without: str | None = None, first_parent: bool = True) -> list[Commit]:
        """Return up to `limit` commits from `tip` back, newest first; those reachable from `without` are left out."""
        arguments = ["log", "-z", f"--max-count={limit}", f"--format={_LOG_FORMAT}", "--topo-order"]
        if first_parent:
            arguments.append("--first-parent")
        arguments += [_sha(tip), *([f"^{_sha(without)}"] if without else []), "--"]
        records = self._text(*arguments).split("\0")
        return [_commit(record) for record in records if record]

    def has(self, sha: str) -> bool:
        """Whether the clone has this commit."""
        return self._git("cat-file", "-e", f"{_sha(sha)}^{{commit}}").code == 0

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether `older` is `newer` or in its past."""
        done = self._git("merge-base", "--is-ancestor", _sha(older), _sha(newer))
        if done.code not in {0, 1}:
            self._expect(done, f"reading the history of {self.shown}")
        return done.code == 0

    def files(self, tree: str, folder: str = "") -> dict[str, Entry]:
        """Return every plain file and symbolic link below a folder of a commit or tree, by path from the root."""
        where = ["--", f"{folder.rstrip('/')}/"] if folder else []
        listing = self._raw("ls-tree", "-r", "-z", "--full-tree", _sha(tree), *where)
        return {path: entry for path, entry, kind in _listing(listing) if kind == "blob"}

    def changed(self, old: str, new: str) -> dict[str, Entry | None]:
        """Return the files that differ between two commits or trees, with what the *old* one has there."""
        raw = self._raw("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", _sha(old), _sha(new))
        fields = raw.decode("utf-8", "surrogateescape").split("\0")
        result: dict[str, Entry | None] = {}
        for facts, path in zip(fields[0::2], fields[1::2], strict=False):
            mode, _, oid, _, _ = facts.removeprefix(":").split(" ")
            result[path] = Entry(mode, oid) if set(mode) != {"0"} else None
        return result

    def blobs(self, oids: Iterable[str]) -> dict[str, bytes]:
        """Return the contents of files; those that the clone lacks are fetched in one go."""
        wanted = sorted({_sha(oid) for oid in oids})
        found = self._cached_blobs(wanted)
        missing = [oid for oid in wanted if oid not in found]
        if missing:
            names = "".join(f"{oid}\n" for oid in missing).encode()
            done = self._git(
                "-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
                "--filter=blob:none", "--stdin", "origin", remote=True, stdin=names,
            )  # fmt: skip
            self._expect(done, f"fetching {len(missing)} files of {self.shown}")
            found |= self._cached_blobs(missing)
            lost = [oid for oid in missing if oid not in found]
            if lost:
                raise GitUnavailable(f"fetching files of {self.shown}: the server did not send {lost[0]}")
        return found

    # Writing objects into the clone: harmless, and the same twice

    def with_files(self, tree: str, changes: Mapping[str, Entry | None]) -> str:
        """Return the tree that has these files instead (None: has no such file); folders that become empty vanish."""
        split = {tuple(path.split("/")): entry for path, entry in changes.items()}
        if any(part in {"", ".", "..", ".git"} for parts in split for part in parts):
            raise SpecInvalid(f"a path of {self.shown} has an empty, `.`, `..` or `.git` part")
        return self._edit(f"{_sha(tree)}^{{tree}}", split) or self._mktree(b"")

    def blob(self, text: bytes) -> str:
        """Write a file's content and return its name."""
        done = self._git("hash-object", "-w", "--no-filters", "--stdin", stdin=text)
        self._expect(done, f"writing a file for {self.shown}")
        return done.stdout.decode().strip()

    def empty_tree(self) -> str:
        """Write the tree that has nothing in it."""
        return self._mktree(b"")

    def commit(self, tree: str, parents: Sequence[str], message: str, seconds: int) -> str:
        """Write a commit whose every byte follows from the arguments and the configured identity."""
        identity = self._settings.identity
        when = f"@{seconds} +0000"
        who = {
            f"GIT_{role}_{part}": value
            for role in ("AUTHOR", "COMMITTER")
            for part, value in (("NAME", identity.name), ("EMAIL", identity.email), ("DATE", when))
        }
        arguments = [
            "commit-tree",
            "--no-gpg-sign",
            *(part for parent in parents for part in ("-p", _sha(parent))),
            "-F",
            "-",
            _sha(tree),
        ]
        done = self._git(*arguments, stdin=message.encode(), extra=who)
        self._expect(done, f"writing a commit for {self.shown}")
        return done.stdout.decode().strip()

    def merge(self, ours: str, theirs: str) -> str | Conflict:
        """Return the tree of a three-way merge of two commits, or where it conflicts."""
        done = self._git(
            "merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", _sha(ours), _sha(theirs), remote=True
        )
        if done.code not in {0, 1}:
            self._expect(done, f"merging in {self.shown}")
        tree, *paths = done.stdout.decode("utf-8", "surrogateescape").split("\0")
        return tree if done.code == 0 else Conflict(tuple(path for path in paths if path))

    # Writing to the server

    def push(self, branch: str, new: str, old: str) -> PushAnswer:
        """Move the branch from `old` to `new`, whose parent is `old`; never anything else.

        The lease makes the server's branch, not our memory of it, the thing that is compared; as `new` is a child of
        `old` it can only ever be a fast-forward.

        Raises
        ------
        RevertRefused
            When the server's rules (a hook, branch protection) do not take it; with what the server said.
        GitUnavailable, Forbidden
            By what git said. After GitUnavailable the push may have happened: fetch and look.
        """
        return self.push_reference(f"refs/heads/{branch}", new, old)

    def push_reference(self, reference: str, new: str, old: str | None) -> PushAnswer:
        """Move a reference in the same way; with None for `old` it is made, if there is none yet."""
        expected = _sha(old) if old is not None else ""
        done = self._git(
            "push", "--porcelain", "--no-verify", "--recurse-submodules=no",
            f"--force-with-lease={reference}:{expected}", "origin", f"{_sha(new)}:{reference}", remote=True,
        )  # fmt: skip
        if done.code == 0:
            return Pushed()
        refused = [line for line in done.stdout.decode("utf-8", "replace").splitlines() if line.startswith("!")]
        doing = f"pushing to {reference.removeprefix('refs/heads/')} of {self.shown}"
        if not refused or done.expired:
            self._expect(done, doing)
        reason = refused[0].split("\t")[-1] if refused else ""
        if _LOST_RACE.search(reason):
            return Raced(tidy(reason, self._secrets))
        said = "; ".join(
            line.removeprefix("remote:").strip() for line in done.stderr.splitlines() if line.startswith("remote:")
        )
        told = tidy(f"{reason}: {said}" if said else reason, self._secrets)
        raise RevertRefused(f"{doing}: the server does not take it: {told}")

    # Upkeep

    def prepare(self, *, anew: bool = False) -> None:
        """Make the clone usable, whatever a crash left of it; the lock is held."""
        packs = self._directory / "objects" / "pack"
        if anew or len(list(packs.glob("*.pack"))) > _MANY_PACKS:
            shutil.rmtree(self._directory, ignore_errors=True)
        elif self._directory.exists():
            for leftover in (*self._directory.rglob("*.lock"), *packs.glob("tmp_*"), *packs.glob(".tmp-*")):
                leftover.unlink(missing_ok=True)
        self._directory.mkdir(parents=True, exist_ok=True)
        done = self._git("init", "--quiet", "--bare", "--template=", "--initial-branch=main")
        if done.code != 0 and not anew:
            self.prepare(anew=True)
            return
        self._expect(done, f"preparing the clone of {self.shown}")

    def _git(
        self, *arguments: str, remote: bool = False, stdin: bytes = b"", extra: Mapping[str, str] | None = None
    ) -> Completed:
        seconds = self._settings.remote_timeout_seconds if remote else self._settings.local_timeout_seconds
        environment = (self._remote if remote else self._local) | dict(extra or {})
        argv = [self._settings.program, *arguments]
        return run(
            argv, env=environment, cwd=self._directory, limits=Limits(seconds), stdin=stdin, keep_open=(self._lock,)
        )

    def _expect(self, done: Completed, doing: str) -> None:
        if done.expired:
            raise GitUnavailable(f"{doing}: git did not end in time and was stopped")
        if done.overflowed:
            raise GitUnavailable(f"{doing}: git's answer is larger than what is read")
        if done.code != 0:
            raise failure(doing, done.stderr, self._secrets)

    def _raw(self, *arguments: str) -> bytes:
        done = self._git(*arguments)
        self._expect(done, f"reading the clone of {self.shown}")
        return done.stdout

    def _text(self, *arguments: str) -> str:
        return self._raw(*arguments).decode("utf-8", "replace")

    def _cached_blobs(self, oids: Sequence[str]) -> dict[str, bytes]:
        if not oids:
            return {}
        done = self._git("cat-file", "--batch", stdin="".join(f"{oid}\n" for oid in oids).encode())
        self._expect(done, f"reading files of {self.shown}")
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

    def _edit(self, tree: str | None, changes: Mapping[tuple[str, ...], Entry | None]) -> str | None:
        """Return the edited tree's name, or None when nothing is left in it."""
        entries = (
            {name: (entry, kind) for name, entry, kind in _listing(self._raw("ls-tree", "-z", tree))} if tree else {}
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
        done = self._git("mktree", "-z", "--missing", stdin=listing)
        self._expect(done, f"writing a tree for {self.shown}")
        return done.stdout.decode().strip()


@contextlib.contextmanager
def open_repository(url: str, binding: Binding, settings: GitSettings) -> Iterator[Repository]:
    """Lock and prepare the clone of an address.

    Raises
    ------
    Forbidden, SpecInvalid
        When the binding is not for this address.
    GitUnavailable
        When another use of the same clone does not end in time.
    """
    if not parse_address(binding.repositories).covers(parse_address(url)):
        raise SpecInvalid(f"credential binding {binding.name} is not for {redact(url)}")
    settings.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = hashlib.sha256(url.encode()).hexdigest()[:24]
    lock = os.open(settings.cache / f"{key}.flock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(lock, settings.lock_timeout_seconds, redact(url))
        repository = Repository(url, binding, settings, settings.cache / f"{key}.git", lock)
        repository.prepare()
        yield repository
    finally:
        os.close(lock)


def _acquire(lock: int, timeout_seconds: float, shown: str) -> None:
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise GitUnavailable(f"the clone of {shown} is in use by another process; trying again later") from None
            time.sleep(0.02)
        else:
            return


def _sha(name: str) -> str:
    """Let only object names through to git's command line, or our own `<name>^{tree}`."""
    if _SHA.fullmatch(name.removesuffix("^{tree}")) is None:
        raise SpecInvalid(f"{name[:80]!r} is not the name of a Git object")
    return name


def _commit(record: str) -> Commit:
    sha, tree, parents, author, subject, trailers = record.split("\n", 5)  # a subject may be empty, and a name
    named = re.split(r"[,\s]+", trailers)
    return Commit(
        sha, tree, tuple(parents.split()), subject, author, tuple(name for name in named if _SHA.fullmatch(name))
    )


def _listing(raw: bytes) -> Iterator[tuple[str, Entry, str]]:
    for line in raw.decode("utf-8", "surrogateescape").split("\0"):
        if line:
            facts, path = line.split("\t", 1)
            mode, kind, oid = facts.split(" ")
            yield path, Entry(mode, oid), kind
