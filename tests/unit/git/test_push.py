"""Pushes that are raced, refused, or whose answer is lost."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from canary.errors import Forbidden, GitUnavailable
from canary.git.objects import Raced
from canary.git.outcome import AlreadyReverted, NeedsPullRequest, Outcome, RevertDone, RevertPlan, Superseded
from canary.git.revert import plan_revert, push_revert
from tests.unit.git.world import Operator, Server, deployment, hpa, provenance, request

V1, V2 = deployment("app:v1"), deployment("app:v2")


def _release(server: Server) -> str:
    server.commit({"app/deployment.yaml": V1})
    return server.commit({"app/deployment.yaml": V2})


def test_a_push_that_loses_the_race_is_computed_again_on_top_of_the_winner(server: Server, operator: Operator):
    asked = request(_release(server), rejected=V2, stable=V1)
    pauses: list[float] = []
    with operator.clone() as repository:
        renderer = operator.renderer(repository)
        plan = plan_revert(repository, renderer, asked)
        assert isinstance(plan, RevertPlan)
        winner = server.commit({"app/hpa.yaml": hpa(9)}, "faster")
        done = push_revert(repository, renderer, asked, plan, pause=pauses.append, jitter=lambda: 0.5)
    assert isinstance(done, RevertDone)
    assert server.log("%P")[0] == winner
    assert server.show("app/hpa.yaml") == hpa(9)
    assert pauses == [0.1]


def test_a_race_that_fixed_the_version_ends_the_work(server: Server, operator: Operator):
    asked = request(_release(server), rejected=V2, stable=V1)
    with operator.clone() as repository:
        renderer = operator.renderer(repository)
        plan = plan_revert(repository, renderer, asked)
        assert isinstance(plan, RevertPlan)
        fix = server.commit({"app/deployment.yaml": deployment("app:v3")})
        outcome = push_revert(repository, renderer, asked, plan, pause=lambda _: None)
    assert isinstance(outcome, Superseded)
    assert server.head == fix


def test_a_branch_that_was_set_back_is_not_set_forward_again(server: Server, operator: Operator):
    bad = _release(server)
    asked = request(bad, rejected=V2, stable=V1)
    with operator.clone() as repository:
        renderer = operator.renderer(repository)
        plan = plan_revert(repository, renderer, asked)
        assert isinstance(plan, RevertPlan)
        server.git("push", "-q", "-f", "origin", f"{bad}^:refs/heads/main")
        # For a plain push this would be a fast-forward that brings the dropped commit back.
        assert isinstance(repository.push("main", plan.commit, plan.base), Raced)
        assert isinstance(push_revert(repository, renderer, asked, plan, pause=lambda _: None), Superseded)
    assert server.log("%H").count(bad) == 0


def test_a_branch_that_never_rests_is_left_for_later(server: Server, operator: Operator):
    asked = request(_release(server), rejected=V2, stable=V1)
    with operator.clone() as repository:
        renderer = operator.renderer(repository)
        plan = plan_revert(repository, renderer, asked)
        assert isinstance(plan, RevertPlan)
        # Each commit lands after the plan that it spoils: the hook of the repository's own push.
        spoiled = _Spoiled(repository, server)
        with pytest.raises(GitUnavailable, match="moved 6 times"):
            push_revert(spoiled, renderer, asked, plan, pause=lambda _: None)  # type: ignore[arg-type]  # forwards all else
    assert server.reverts() == []


class _Spoiled:
    def __init__(self, inner: object, server: Server) -> None:
        self._inner, self._server = inner, server

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def push(self, branch: str, new: str, old: str) -> object:
        self._server.commit({"noise": new})
        return self._inner.push(branch, new, old)  # type: ignore[attr-defined]  # a Repository


def test_two_operators_plan_the_same_commit(server: Server, tmp_path: Path):
    asked = request(_release(server), rejected=V2, stable=V1)
    plans = []
    for name in ("old-leader", "new-leader"):
        operator = Operator(tmp_path / name, provenance(server))
        with operator.clone() as repository:
            plans.append(plan_revert(repository, operator.renderer(repository), asked))
    assert plans[0] == plans[1]
    assert isinstance(plans[0], RevertPlan)


def test_two_operators_at_the_same_moment_leave_one_commit(server: Server, tmp_path: Path):
    asked = request(_release(server), rejected=V2, stable=V1)
    outcomes: list[Outcome] = []
    threads = [
        threading.Thread(
            target=lambda name=name: outcomes.append(Operator(tmp_path / name, provenance(server)).revert(asked))
        )
        for name in ("one", "two", "three")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(outcomes) == 3
    assert {outcome.commit for outcome in outcomes if isinstance(outcome, RevertDone | AlreadyReverted)} == {
        server.head
    }
    assert len(server.reverts()) == 1


def test_an_answer_that_is_lost_after_the_push_is_found_at_the_next_try(
    server: Server, operator: Operator, tmp_path: Path
):
    asked = request(_release(server), rejected=V2, stable=V1)
    program = tmp_path / "git-that-hangs-up"
    program.write_text(
        '#!/bin/sh\ncase "$1" in push) git "$@" >/dev/null 2>&1; echo "fatal: the remote end hung up unexpectedly" >&2; exit 128;; esac\nexec git "$@"\n'
    )
    program.chmod(0o755)
    honest, operator.settings = operator.settings, replace(operator.settings, program=str(program))
    with pytest.raises(GitUnavailable, match="connection broke"):
        operator.revert(asked)
    pushed = server.head
    operator.settings = honest
    outcome = operator.revert(asked)
    assert isinstance(outcome, AlreadyReverted)
    assert outcome.commit == pushed == server.head


def test_a_hook_that_refuses_the_push_is_told_in_its_own_words(server: Server, operator: Operator):
    bad = _release(server)
    hook = server.bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'main takes reviewed changes only'\nexit 1\n")
    hook.chmod(0o755)
    outcome = operator.revert(request(bad, rejected=V2, stable=V1))
    assert isinstance(outcome, NeedsPullRequest)
    assert outcome.refused
    assert "main takes reviewed changes only" in outcome.message
    assert "pre-receive hook declined" in outcome.message
    assert server.head == bad


def test_hooks_on_our_side_never_run(server: Server, operator: Operator, tmp_path: Path):
    bad = _release(server)
    with operator.clone() as repository:
        repository.fetch("main")
    for name in ("pre-push", "reference-transaction", "post-checkout"):
        for clone in operator.settings.cache.glob("*.git"):
            hook = clone / "hooks" / name
            hook.parent.mkdir(exist_ok=True)
            hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
            hook.chmod(0o755)
    assert isinstance(operator.revert(request(bad, rejected=V2, stable=V1)), RevertDone)
    assert not (tmp_path / "ran").exists()


def test_a_branch_that_does_not_exist_is_named(server: Server, tmp_path: Path):
    bad = _release(server)
    operator = Operator(tmp_path / "cache", provenance(server, branch="production"))
    with pytest.raises(Exception, match=r"production.*the branch does not exist"):
        operator.revert(request(bad, rejected=V2, stable=V1))


def test_a_repository_that_does_not_exist_is_forbidden_or_absent(server: Server, tmp_path: Path):
    operator = Operator(tmp_path / "cache", replace(provenance(server), url=f"file://{tmp_path}/nowhere.git"))
    with pytest.raises(Forbidden, match="does not exist, or this identity may not see it"):
        operator.revert(request("0" * 40, rejected=V2, stable=V1))
