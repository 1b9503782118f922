"""What the server has: branches and our own references, fetched into the clone and moved by pushes."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from canary.errors import NotFound, RevertRefused, SpecInvalid
from canary.git.clone import Clone, object_name
from canary.git.failures import looks_corrupt, tidy
from canary.git.objects import PushAnswer, Pushed, Raced

_BRANCH: Final = re.compile(
    r"(?!.*(?:\.\.|@\{|//|\.lock(?:/|$)|/\.))[^\s~^:?*\[\\\x00-\x1f\x7f/.-][^\s~^:?*\[\\\x00-\x1f\x7f]*(?<![/.])"
)
_LOST_RACE: Final = re.compile(
    r"fetch first|non-fast-forward|stale info|failed to update ref|cannot lock ref|failed to lock|incorrect old value"
    r"|remote ref updated|reference already exists"
)


class Remote(Clone):
    """The server's references, seen through the clone."""

    def branch(self, name: str) -> str:
        """Return the branch's name; for `HEAD`, that of the server's default branch."""
        if name != "HEAD":
            return name
        done = self.git("ls-remote", "--symref", "origin", "HEAD", remote=True)
        self.expect(done, f"asking {self.shown} for its default branch")
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
        done = self.git(*arguments, remote=True)
        if done.code != 0 and looks_corrupt(done.stderr):
            self.prepare(anew=True)
            done = self.git(*arguments, remote=True)
        self.expect(done, doing)
        return self.text("rev-parse", "--verify", f"{reference}^{{commit}}").strip()

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
        expected = object_name(old) if old is not None else ""
        done = self.git(
            "push", "--porcelain", "--no-verify", "--recurse-submodules=no",
            f"--force-with-lease={reference}:{expected}", "origin", f"{object_name(new)}:{reference}", remote=True,
        )  # fmt: skip
        if done.code == 0:
            return Pushed()
        refused = [line for line in done.stdout.decode("utf-8", "replace").splitlines() if line.startswith("!")]
        doing = f"pushing to {reference.removeprefix('refs/heads/')} of {self.shown}"
        if not refused or done.expired:
            self.expect(done, doing)
        reason = refused[0].split("\t")[-1] if refused else ""
        if _LOST_RACE.search(reason):
            return Raced(tidy(reason, self.secrets))
        said = "; ".join(
            line.removeprefix("remote:").strip() for line in done.stderr.splitlines() if line.startswith("remote:")
        )
        told = tidy(f"{reason}: {said}" if said else reason, self.secrets)
        raise RevertRefused(f"{doing}: the server does not take it: {told}")
