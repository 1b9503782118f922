"""The Git server, and the repositories on it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from typing_extensions import override

from lab.git_server import make_repository
from lab.namespace import SYSTEM_ADDRESS
from lab.parts.part import Part, answers
from lab.slow import SlowDoor

PORT: Final = 3000
URL: Final = f"http://{SYSTEM_ADDRESS}:{PORT}"
OWN_PORT: Final = 3001
"""The server itself, behind the door; on 127.0.0.1."""
_AUTHOR: Final = ("The shop's team", "shop@example.com")


class GitRefused(RuntimeError):
    """A git command of the lab failed; the message is git's."""


class GitServer(Part):
    """Bare repositories over smart HTTP, behind a door that can be slow."""

    name = "git"

    @override
    def prepare(self) -> None:
        self.root = self.folder / "repositories"
        self.root.mkdir(exist_ok=True)
        self.door = SlowDoor((SYSTEM_ADDRESS, PORT), ("127.0.0.1", OWN_PORT))

    @override
    def command(self) -> Sequence[str | Path]:
        return [sys.executable, "-m", "lab.git_server", f"--root={self.root}", f"--port={OWN_PORT}"]

    @override
    def ready(self) -> object:
        return answers(f"http://127.0.0.1:{OWN_PORT}/healthz")

    @override
    def end(self) -> None:
        super().end()
        if self._process is not None:
            self.door.close()

    def url(self, repository: str) -> str:
        return f"{URL}/{repository}.git"

    def bare(self, repository: str) -> Path:
        """The folder of the repository on the server, for a look without HTTP."""
        return self.root / f"{repository}.git"

    def create(
        self, repository: str, files: Mapping[str, str], *, credentials: tuple[str, str] | None = None
    ) -> Repository:
        """Make a repository with one commit on `main`. With credentials (user, password), all access needs them."""
        bare = self.bare(repository)
        make_repository(bare)
        made = Repository(bare, self.lab.folder / "worktrees" / repository)
        made.commit("Start", files)
        if credentials:
            (bare / "credentials").write_text(":".join(credentials))
        return made


class Repository:
    """A repository as a developer has it: a work tree beside the bare one, pushed without HTTP and so never refused."""

    def __init__(self, bare: Path, worktree: Path) -> None:
        self.bare = bare
        self.worktree = worktree
        if not worktree.exists():
            worktree.parent.mkdir(parents=True, exist_ok=True)
            git("clone", "--quiet", bare, worktree)

    def commit(self, message: str, files: Mapping[str, str | None], *, author: tuple[str, str] = _AUTHOR) -> str:
        """Commit on top of the server's `main` and push; None deletes a file. Gives the commit's id."""
        if self.head():
            git("-C", self.worktree, "fetch", "--quiet", "origin")
            git("-C", self.worktree, "checkout", "--quiet", "-B", "main", "origin/main")
        for name, text in files.items():
            path = self.worktree / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        git("-C", self.worktree, "add", "--all")
        git("-C", self.worktree, "commit", "--quiet", f"--message={message}", author=author)
        with _hooks_off(self.bare):
            git("-C", self.worktree, "push", "--quiet", "origin", "HEAD:main")
        return self.head()

    def head(self, branch: str = "main") -> str:
        """The commit of the branch on the server; empty while there is none."""
        return git("-C", self.bare, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", check=False)

    def log(self, *arguments: str, branch: str = "main") -> str:
        return git("-C", self.bare, "log", *arguments, branch)

    def show(self, file: str, branch: str = "main") -> str:
        """The file's text on the server."""
        return git("-C", self.bare, "show", f"{branch}:{file}")

    def refuse_pushes(self, message: str = "protected branch hook declined") -> None:
        """Let the server refuse every push to `main` from now on, as a protected branch does; other branches pass."""
        hook = self.bare / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        (self.bare / "refusal").write_text(message)
        hook.write_text(
            "#!/bin/sh\nwhile read -r _ _ ref; do\n"
            'if [ "$ref" = refs/heads/main ]; then cat "$GIT_DIR/refusal" >&2; exit 1; fi\ndone\n'
        )
        hook.chmod(0o755)

    def allow_pushes(self) -> None:
        (self.bare / "hooks" / "pre-receive").unlink(missing_ok=True)


class _hooks_off:  # noqa: N801 - read as a word after `with`
    """The developer of the tests is an administrator: a protected branch lets them through."""

    def __init__(self, bare: Path) -> None:
        self._hook = bare / "hooks" / "pre-receive"
        self._aside = bare / "hooks" / "pre-receive.aside"

    def __enter__(self) -> None:
        if self._hook.exists():
            self._hook.rename(self._aside)

    def __exit__(self, *_: object) -> None:
        if self._aside.exists():
            self._aside.rename(self._hook)


def git(*arguments: str | Path, author: tuple[str, str] = _AUTHOR, check: bool = True) -> str:
    """Run git apart from the user's configuration and give its output without the last newline."""
    name, email = author
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": email,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": email,
    }
    done = subprocess.run(["git", *arguments], env=environment, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise GitRefused(f"git {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done.stdout.rstrip("\n")
