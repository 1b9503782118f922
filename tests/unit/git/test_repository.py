"""The clone: reachable or not, with which secrets, and after which accidents."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from canary.errors import CanaryError, Forbidden, GitUnavailable, SpecInvalid
from canary.git.credentials import BasicCredential, BearerCredential, Binding, Credential, SshCredential
from canary.git.environment import remote_environment
from canary.git.objects import Entry
from canary.git.outcome import RevertDone
from canary.git.repository import open_repository
from tests.unit.git.smart_http import basic, serving
from tests.unit.git.world import Operator, Server, deployment, provenance, request

V1, V2 = deployment("app:v1"), deployment("app:v2")
SECRET = "s3cr3t-t0ken"


def _operator_over_http(server: Server, url: str, credential: Credential, cache: Path) -> Operator:
    where = replace(provenance(server), url=f"{url}/server.git")
    return Operator(cache, where, binding=Binding("http", "*", url, credential))


def _release(server: Server) -> str:
    server.commit({"app/deployment.yaml": V1, "app/other.yaml": "a: b\n"})
    return server.commit({"app/deployment.yaml": V2})


@pytest.mark.parametrize(
    ("credential", "accepted"),
    [
        (BasicCredential("canary", SECRET), basic("canary", SECRET)),
        (BasicCredential("canary", "p$(x)'\"%s\\n ;"), basic("canary", "p$(x)'\"%s\\n ;")),
        (BearerCredential(SECRET), f"Bearer {SECRET}"),
    ],
    ids=["password", "password-with-shell-characters", "bearer"],
)
def test_a_revert_is_pushed_over_http_and_no_secret_is_in_any_argument(
    server: Server, tmp_path: Path, credential: Credential, accepted: str
):
    server.git("config", "http.receivepack", "true", cwd=server.bare)
    bad = _release(server)
    recorder = tmp_path / "recording-git"
    recorder.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {tmp_path}/argv\nexec git "$@"\n')
    recorder.chmod(0o755)
    with serving(tmp_path, accepted) as url:
        operator = _operator_over_http(server, url, credential, tmp_path / "cache")
        operator.settings = replace(operator.settings, program=str(recorder))
        done = operator.revert(request(bad, rejected=V2, stable=V1))
    assert isinstance(done, RevertDone)
    assert server.show("app/deployment.yaml") == V1
    secret = credential.password if isinstance(credential, BasicCredential) else SECRET
    assert "push" in (tmp_path / "argv").read_text()
    assert secret not in (tmp_path / "argv").read_text()
    written = b"".join(
        file.read_bytes() for file in (tmp_path / "cache").rglob("*") if file.is_file() and "objects" not in file.parts
    )
    assert secret.encode() not in written


def test_a_wrong_password_is_forbidden_and_not_shown(server: Server, tmp_path: Path):
    _release(server)
    with serving(tmp_path, basic("canary", "right")) as url:
        operator = _operator_over_http(server, url, BasicCredential("canary", SECRET), tmp_path / "cache")
        with pytest.raises(Forbidden, match="refuses the bound credential") as caught, operator.clone() as repository:
            repository.fetch("main")
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(operator.binding)


def test_a_redirect_does_not_get_the_credential(server: Server, tmp_path: Path):
    _release(server)
    with serving(tmp_path, basic("canary", SECRET)) as target, serving(tmp_path, "", redirect=target) as url:
        operator = _operator_over_http(server, url, BasicCredential("canary", SECRET), tmp_path / "cache")
        with pytest.raises(CanaryError, match=r"redirect|302"), operator.clone() as repository:
            repository.fetch("main")


def test_a_closed_port_is_told_as_unavailable(server: Server, tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        operator = _operator_over_http(server, url, BasicCredential("canary", SECRET), tmp_path / "cache")
        with pytest.raises(
            GitUnavailable, match=r"fetching main of http.*the server does not take connections"
        ) as caught:
            operator.revert(request("0" * 40, rejected=V2, stable=V1))
    assert SECRET not in str(caught.value)


def test_a_git_that_hangs_is_killed_with_its_helpers(server: Server, operator: Operator, tmp_path: Path):
    program = tmp_path / "hanging-git"
    program.write_text(
        f'#!/bin/sh\ncase "$1" in fetch) sleep 300 & echo $! > {tmp_path}/helper; sleep 300;; esac\nexec git "$@"\n'
    )
    program.chmod(0o755)
    operator.settings = replace(operator.settings, program=str(program), remote_timeout_seconds=0.5)
    started = time.monotonic()
    with pytest.raises(GitUnavailable, match="did not end in time"), operator.clone() as repository:
        repository.fetch("main")
    assert time.monotonic() - started < 10
    helper = Path(f"/proc/{(tmp_path / 'helper').read_text().strip()}/stat")
    deadline = time.monotonic() + 5
    while helper.exists() and helper.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline, "the helper outlived its group"
        time.sleep(0.01)


def test_a_clone_in_use_makes_the_second_user_wait_and_then_give_way(operator: Operator):
    with operator.clone():
        operator.settings = replace(operator.settings, lock_timeout_seconds=0.05)
        with pytest.raises(GitUnavailable, match="in use"), operator.clone():
            pass


def test_an_orphaned_git_of_a_killed_operator_keeps_the_lock_until_it_ends(
    server: Server, operator: Operator, tmp_path: Path
):
    """The lock is inherited: closing ours, as a kill does, does not free it while git still runs."""
    release = tmp_path / "release"
    program = tmp_path / "git-with-a-straggler"
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = fetch ]; then ( exec >/dev/null 2>&1 </dev/null; while [ ! -e {release} ]; do sleep 0.02; done ) & fi\nexec git "$@"\n'
    )
    program.chmod(0o755)
    honest = replace(operator.settings, lock_timeout_seconds=0.2)
    _release(server)
    operator.settings = replace(operator.settings, program=str(program))
    with operator.clone() as repository:
        repository.fetch("main")
    operator.settings = honest
    try:
        with pytest.raises(GitUnavailable, match="in use"), operator.clone():
            pass
    finally:
        release.touch()
    operator.settings = replace(honest, lock_timeout_seconds=10)
    with operator.clone() as repository:
        assert repository.fetch("main") == server.head


@pytest.mark.parametrize("accident", ["stale-locks", "emptied-objects", "half-made", "not-a-repository", "lost-pack"])
def test_a_revert_succeeds_after_any_accident_to_the_clone(server: Server, operator: Operator, accident: str):
    bad = _release(server)
    with operator.clone() as repository:
        repository.fetch("main")
    (clone,) = operator.settings.cache.glob("*.git")
    match accident:
        case "stale-locks":
            for name in ("HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock"):
                (clone / name).touch()
            for reference in (clone / "refs" / "canary").iterdir():
                reference.with_name(f"{reference.name}.lock").touch()
            (clone / "objects" / "pack" / "tmp_pack_x").write_bytes(b"half")
        case "emptied-objects":
            for file in (clone / "objects").rglob("*"):
                if file.is_file():
                    file.chmod(0o600)
                    file.write_bytes(b"")
        case "half-made":
            (clone / "HEAD").unlink()
        case "not-a-repository":
            (clone / "config").write_text("[core\n")
        case _:
            for file in (clone / "objects" / "pack").glob("*.pack"):
                file.unlink()
    assert isinstance(operator.revert(request(bad, rejected=V2, stable=V1)), RevertDone)
    assert server.show("app/deployment.yaml") == V1


def test_only_files_that_are_read_are_fetched(server: Server, operator: Operator):
    server.commit({"app/deployment.yaml": V1, "big/blob.bin": "x" * 200_000})
    big = server.git("rev-parse", "HEAD:big/blob.bin")
    bad = server.commit({"app/deployment.yaml": V2})
    assert isinstance(operator.revert(request(bad, rejected=V2, stable=V1)), RevertDone)
    with operator.clone() as repository:
        assert repository._cached_blobs([big]) == {}
        assert repository.blobs([big]) == {big: b"x" * 200_000}


def test_files_are_put_and_removed_without_a_work_tree(server: Server, operator: Operator):
    server.commit({"a/b/c.yaml": "1\n", "a/d.yaml": "2\n", "e.yaml": "3\n"})
    with operator.clone() as repository:
        head = repository.fetch("main")
        files = repository.files(head)
        tree = repository.with_files(
            head, {"a/b/c.yaml": None, "x/y/z.yaml": files["e.yaml"], "e.yaml": files["a/d.yaml"]}
        )
        after = repository.files(tree)
    assert after == {"a/d.yaml": files["a/d.yaml"], "e.yaml": files["a/d.yaml"], "x/y/z.yaml": files["e.yaml"]}


@pytest.mark.parametrize("path", ["../x", "a//b", ".git/config", "a/.git/b", ""])
def test_a_path_that_leaves_the_tree_is_not_written(server: Server, operator: Operator, path: str):
    server.commit({"a": "1\n"})
    with operator.clone() as repository, pytest.raises(SpecInvalid):
        repository.with_files(repository.fetch("main"), {path: Entry("100644", "0" * 40)})


@pytest.mark.parametrize(
    "branch", ["", "-x", "a..b", "a b", "a:b", "/a", "a/", "x.lock", "a@{1}", "refs/../x", "a/.b", "a*"]
)
def test_a_name_that_is_no_branch_is_refused_before_git_sees_it(operator: Operator, branch: str):
    with operator.clone() as repository, pytest.raises(SpecInvalid, match="not the name of a branch"):
        repository.fetch(branch)


@pytest.mark.parametrize("name", ["HEAD", "--output=/x", "main", "0" * 39, "0" * 40 + "\n"])
def test_only_object_names_reach_the_command_line(operator: Operator, name: str):
    with operator.clone() as repository, pytest.raises(SpecInvalid, match="not the name of a Git object"):
        repository.commits(name, limit=1)


def test_the_default_branch_is_asked_for(server: Server, operator: Operator):
    _release(server)
    with operator.clone() as repository:
        assert repository.branch("HEAD") == "main"
        assert repository.branch("other") == "other"


def test_a_binding_opens_its_own_repositories_only(operator: Operator):
    binding = Binding("one", "*", "https://git.example.org/shop", BasicCredential("canary", SECRET))
    with (
        pytest.raises(SpecInvalid, match="is not for"),
        open_repository("https://git.example.org/other", binding, operator.settings),
    ):
        pass


def test_ssh_is_strict_about_host_keys_and_never_asks(tmp_path: Path):
    credential = SshCredential(Path("/keys/id key"), Path("/keys/known_hosts"))
    binding = Binding("ssh", "*", "ssh://git@git.example.org/shop", credential)
    command = remote_environment(tmp_path, "ssh://git@git.example.org/shop/app.git", binding)["GIT_SSH_COMMAND"]
    assert "-F /dev/null -i '/keys/id key'" in command
    for option in (
        "StrictHostKeyChecking=yes",
        "UserKnownHostsFile=/keys/known_hosts",
        "BatchMode=yes",
        "IdentitiesOnly=yes",
    ):
        assert option in command


def test_nothing_of_our_own_environment_reaches_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("GIT_DIR", "GIT_TRACE", "GIT_CONFIG_PARAMETERS", "GIT_EXEC_PATH", "KUBECONFIG", "LD_PRELOAD"):
        monkeypatch.setenv(name, "/elsewhere")
    binding = Binding("http", "*", "https://git.example.org", BasicCredential("canary", SECRET))
    environment = remote_environment(tmp_path, "https://git.example.org/shop.git", binding)
    assert "/elsewhere" not in environment.values()
    assert environment["GIT_TERMINAL_PROMPT"] == "0"
    assert environment["GIT_ALLOW_PROTOCOL"] == "https"
    assert os.environ["GIT_DIR"] == "/elsewhere"
