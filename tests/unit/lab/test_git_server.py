"""The lab's Git server, with a real git over real HTTP."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import waiting
from lab.parts.part import answers

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "root").mkdir()
    command = [sys.executable, "-m", "lab.git_server", f"--root={tmp_path / 'root'}", f"--port={port}"]
    with subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.DEVNULL) as process:
        waiting.until("the Git server", lambda: answers(f"http://127.0.0.1:{port}/healthz"), seconds=30)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


def git(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    who = {f"GIT_{role}_{what}": "dana" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = os.environ | who | {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0"}
    return subprocess.run(
        ["git", "-C", folder, *arguments], env=environment, capture_output=True, text=True, check=False
    )


def test_a_push_makes_the_repository_and_a_look_does_not(server: str, tmp_path: Path):
    assert git("ls-remote", f"{server}/apps.git", folder=tmp_path).returncode != 0
    assert not (tmp_path / "root" / "apps.git").exists()
    work = tmp_path / "work"
    git("init", "--quiet", "-b", "main", work, folder=tmp_path)
    git("commit", "--quiet", "--allow-empty", "-m", "Start", folder=work)
    pushed = git("push", f"{server}/apps.git", "main", folder=work)
    assert pushed.returncode == 0, pushed.stderr
    assert "refs/heads/main" in git("ls-remote", f"{server}/apps.git", folder=tmp_path).stdout


@pytest.mark.parametrize("name", [".git", "a/b.git", "..%2fx.git"])
def test_a_push_makes_nothing_under_another_kind_of_name(server: str, tmp_path: Path, name: str):
    git("init", "--quiet", "-b", "main", tmp_path / "work", folder=tmp_path)
    git("commit", "--quiet", "--allow-empty", "-m", "Start", folder=tmp_path / "work")
    assert git("push", f"{server}/{name}", "main", folder=tmp_path / "work").returncode != 0
    assert not list((tmp_path / "root").iterdir())
