"""What Git's notes say of rejected versions: written once, by whoever is first, and never forced."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typing_extensions import override

from canary.errors import GitUnavailable
from canary.git.notes import NOTES_REF, Note, read_notes, rejected_of, write_note
from canary.git.objects import Entry, PushAnswer
from canary.git.repository import Repository
from tests.unit.git.world import Operator, Server, deployment, provenance

NOTE = Note("shop/checkout", "v-2", "t-2", 1_790_000_000, "5xx: canary 5 %", ("app:v2",), "0" * 40)


@pytest.fixture
def bad(server: Server) -> str:
    server.commit({"app/deployment.yaml": deployment("app:v1")})
    return server.commit({"app/deployment.yaml": deployment("app:v2")})


def note(operator: Operator, commit: str, what: Note = NOTE) -> bool:
    with operator.clone() as repository:
        return write_note(repository, commit, what, pause=lambda _: None)


def known(operator: Operator, rollout: str = "shop/checkout") -> list[Note]:
    with operator.clone() as repository:
        return [noted.note for noted in rejected_of(read_notes(repository), rollout)]


def tip(server: Server) -> str:
    return server.git("rev-parse", NOTES_REF, cwd=server.bare)


def test_a_repository_without_notes_has_none(operator: Operator, bad: str):
    assert known(operator) == []


def test_a_note_is_read_by_another_operator_with_a_clone_of_its_own(
    server: Server, operator: Operator, bad: str, tmp_path: Path
):
    assert note(operator, bad)
    assert known(Operator(tmp_path / "another", provenance(server))) == [NOTE]


def test_git_shows_the_note_on_the_commit_that_brought_the_version(server: Server, operator: Operator, bad: str):
    note(operator, bad)
    shown = server.git("notes", "--ref=canary", "show", bad, cwd=server.bare)
    assert shown == NOTE.line()
    assert server.git("log", "-1", "--format=%an %at", NOTES_REF, cwd=server.bare) == "Canary 1790000000"


def test_the_same_note_is_written_once(server: Server, operator: Operator, bad: str, tmp_path: Path):
    note(operator, bad)
    before = tip(server)
    assert not note(operator, bad)
    assert not note(Operator(tmp_path / "another", provenance(server)), bad)
    assert tip(server) == before


def test_two_operators_make_the_same_commit(server: Server, operator: Operator, bad: str, tmp_path: Path):
    note(operator, bad)
    first = tip(server)
    server.git("update-ref", "-d", NOTES_REF, cwd=server.bare)
    note(Operator(tmp_path / "another", provenance(server)), bad)
    assert tip(server) == first


def test_several_rollouts_share_one_commits_note(server: Server, operator: Operator, bad: str):
    other = replace(NOTE, rollout="shop/api")
    note(operator, bad)
    note(operator, bad, other)
    assert known(operator) == [NOTE]
    assert known(operator, "shop/api") == [other]
    assert known(operator, "shop/unknown") == []


def test_what_people_note_is_kept_and_passed_over(server: Server, operator: Operator, bad: str):
    server.git("fetch", "-q", "origin")
    server.git("notes", "--ref=canary", "add", "-m", 'by hand\n{"rollout": 7}\n[]\n{"rollout": "shop/checkout"}', bad)
    server.git("push", "-q", "origin", NOTES_REF)
    note(operator, bad)
    assert known(operator) == [NOTE]
    assert "by hand" in server.git("notes", "--ref=canary", "show", bad, cwd=server.bare)


def test_notes_that_git_spread_over_folders_are_found(server: Server, operator: Operator, bad: str):
    with operator.clone() as repository:
        entry_path = f"{bad[:2]}/{bad[2:]}"
        _push_tree(repository, {entry_path: NOTE.line() + "\n"})
    assert known(operator) == [NOTE]
    later = replace(NOTE, version_hash="v-3", at=NOTE.at + 5)
    note(operator, bad, later)
    assert known(operator) == [NOTE, later]
    assert server.git("ls-tree", "-r", "--name-only", NOTES_REF, cwd=server.bare).splitlines() == [entry_path]


def _push_tree(repository: Repository, files: dict[str, str]) -> None:
    entries = {path: Entry("100644", repository.blob(text.encode())) for path, text in files.items()}
    tree = repository.with_files(repository.empty_tree(), entries)
    repository.push_reference(NOTES_REF, repository.commit(tree, [], "fan out\n", 1), None)


def test_a_version_that_somebody_retried_is_not_rejected_any_more_until_it_is_again(
    operator: Operator, bad: str, server: Server
):
    note(operator, bad)
    note(operator, bad, replace(NOTE, retried=True, at=NOTE.at + 10))
    assert known(operator) == []
    again = replace(NOTE, at=NOTE.at + 20)
    note(operator, bad, again)
    assert known(operator) == [again]


class Racing(Repository):
    """Somebody else pushes a note between our fetch and our push."""

    faster: list[Note]
    other: Operator
    commit_noted: str

    @override
    def push_reference(self, reference: str, new: str, old: str | None) -> PushAnswer:
        if self.faster:
            note(self.other, self.commit_noted, self.faster.pop())
        return super().push_reference(reference, new, old)


def test_a_push_that_loses_the_race_is_made_anew_and_loses_nothing(
    server: Server, operator: Operator, bad: str, tmp_path: Path
):
    with operator.clone() as repository:
        repository.__class__ = Racing
        assert isinstance(repository, Racing)
        repository.other, repository.commit_noted = Operator(tmp_path / "another", provenance(server)), bad
        repository.faster = [replace(NOTE, rollout=f"shop/{n}") for n in range(3)]
        assert write_note(repository, bad, NOTE, pause=lambda _: None)
    assert len(server.git("notes", "--ref=canary", "show", bad, cwd=server.bare).splitlines()) == 4
    assert len(server.git("log", "--format=%H", NOTES_REF, cwd=server.bare).splitlines()) == 4


def test_a_race_that_is_lost_each_time_is_given_up(server: Server, operator: Operator, bad: str, tmp_path: Path):
    with operator.clone() as repository:
        repository.__class__ = Racing
        assert isinstance(repository, Racing)
        repository.other, repository.commit_noted = Operator(tmp_path / "another", provenance(server)), bad
        repository.faster = [replace(NOTE, rollout=f"shop/{n}") for n in range(20)]
        with pytest.raises(GitUnavailable, match="moved 6 times"):
            write_note(repository, bad, NOTE, pause=lambda _: None)


def test_a_reason_cannot_make_a_line_of_its_own(operator: Operator, bad: str):
    forged = '5xx\n{"rollout": "shop/api", "version": "v", "template": "t", "at": 1, "event": "rejected"}'
    note(operator, bad, replace(NOTE, reason=forged))
    assert known(operator, "shop/api") == []
    assert len(known(operator)) == 1
