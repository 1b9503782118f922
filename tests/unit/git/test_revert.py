"""What a revert takes back, and what it leaves."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import yaml

from canary.git.outcome import (
    AlreadyReverted,
    BroughtBack,
    NeedsPullRequest,
    Outcome,
    RevertDone,
    RevertPlan,
    Superseded,
)
from canary.git.provenance import NotFromGit
from canary.git.revert import plan_revert, push_revert
from tests.unit.git.world import VERDICT_AT, Operator, Server, deployment, hpa, live, provenance, request

V1, V2 = deployment("app:v1"), deployment("app:v2")


def test_the_commit_that_brought_the_version_is_taken_back(server: Server, operator: Operator):
    server.commit({"app/deployment.yaml": V1}, "stable")
    bad = server.commit({"app/deployment.yaml": V2}, "release v2")
    done = operator.revert(request(bad, rejected=V2, stable=V1))
    assert isinstance(done, RevertDone)
    assert server.head == done.commit
    assert server.show("app/deployment.yaml") == V1
    assert done.culprits == (bad,)
    assert server.reverts() == [bad]
    assert server.log()[0] == 'Revert "release v2"'


def test_the_commit_is_dated_by_the_verdict_and_signed_with_the_configured_identity(server: Server, operator: Operator):
    server.commit({"app/deployment.yaml": V1})
    bad = server.commit({"app/deployment.yaml": V2})
    operator.revert(request(bad, rejected=V2, stable=V1))
    assert server.log("%at %ct %an %cn %ae")[0] == f"{VERDICT_AT} {VERDICT_AT} Canary Canary canary@canary.delivery"


def test_a_healthy_commit_between_stable_and_the_bad_one_survives(server: Server, operator: Operator):
    stable = server.commit({"app/deployment.yaml": V1, "app/hpa.yaml": hpa(3)}, "S")
    server.commit({"app/hpa.yaml": hpa(30)}, "A")
    bad = server.commit({"app/deployment.yaml": V2}, "B")
    done = operator.revert(request(bad, rejected=V2, stable=V1, stable_commit=stable))
    assert isinstance(done, RevertDone)
    assert server.show("app/hpa.yaml") == hpa(30)
    assert server.show("app/deployment.yaml") == V1
    assert done.culprits == (bad,)


def test_only_the_files_that_matter_are_undone_of_a_commit_that_did_more(server: Server, operator: Operator):
    server.commit({"app/deployment.yaml": V1, "app/hpa.yaml": hpa(3)})
    bad = server.commit({"app/deployment.yaml": V2, "app/hpa.yaml": hpa(30), "docs/notes.md": "v2"})
    done = operator.revert(request(bad, rejected=V2, stable=V1))
    assert isinstance(done, RevertDone)
    assert done.paths == ("app/deployment.yaml",)
    assert server.show("app/hpa.yaml") == hpa(30)
    assert server.show("docs/notes.md") == "v2\n"


def test_another_hunk_of_the_same_file_survives_before_and_after_the_bad_commit(server: Server, operator: Operator):
    def both(image: str, limit: int, owner: str) -> str:
        return f"{deployment(image)}---\n{hpa(limit)}---\nkind: ConfigMap\napiVersion: v1\nmetadata: {{name: x}}\ndata:\n  a: b\n  c: d\n  owner: {owner}\n"

    stable = server.commit({"app/all.yaml": both("app:v1", 3, "ada")})
    server.commit({"app/all.yaml": both("app:v1", 30, "ada")})
    bad = server.commit({"app/all.yaml": both("app:v2", 30, "ada")})
    server.commit({"app/all.yaml": both("app:v2", 30, "bob")})
    done = operator.revert(request(bad, rejected=V2, stable=V1, stable_commit=stable))
    assert isinstance(done, RevertDone)
    assert server.show("app/all.yaml") == both("app:v1", 30, "bob")
    assert done.culprits == (bad,)


def test_a_healthy_hunk_between_two_culprits_survives(server: Server, operator: Operator):
    def both(image: str, env: dict[str, str], limit: int) -> str:
        return f"{hpa(limit)}---\n{deployment(image, env=env)}"

    server.commit({"app/all.yaml": both("app:v1", {"MODE": "old"}, 3)})
    one = server.commit({"app/all.yaml": both("app:v2", {"MODE": "old"}, 3)}, "image")
    server.commit({"app/all.yaml": both("app:v2", {"MODE": "old"}, 30)}, "limits")
    two = server.commit({"app/all.yaml": both("app:v2", {"MODE": "new"}, 30)}, "mode")
    asked = request(
        two, rejected=deployment("app:v2", env={"MODE": "new"}), stable=deployment("app:v1", env={"MODE": "old"})
    )
    done = operator.revert(asked)
    assert isinstance(done, RevertDone)
    assert done.culprits == (two, one)
    assert server.show("app/all.yaml") == both("app:v1", {"MODE": "old"}, 30)
    assert server.log()[0] == 'Revert "mode" and 1 more'
    assert server.reverts() == [f"{two}, {one}"]


def test_a_merge_commit_is_undone_against_its_first_parent(server: Server, operator: Operator):
    server.commit({"app/deployment.yaml": V1, "app/hpa.yaml": hpa(3)})
    server.git("checkout", "-q", "-b", "feature")
    server.write({"app/deployment.yaml": deployment("app:v1.9")})
    server.git("commit", "-q", "-m", "work in progress")
    server.write({"app/deployment.yaml": V2})
    server.git("commit", "-q", "-m", "v2")
    server.git("checkout", "-q", "main")
    server.commit({"app/hpa.yaml": hpa(30)}, "meanwhile")
    server.git("merge", "-q", "--no-ff", "feature", "-m", "Merge feature")
    server.git("push", "-q", "origin", "main")
    merge = server.head
    done = operator.revert(request(merge, rejected=V2, stable=V1))
    assert isinstance(done, RevertDone)
    assert done.culprits == (merge,)
    assert server.show("app/deployment.yaml") == V1
    assert server.show("app/hpa.yaml") == hpa(30)


def test_a_later_unrelated_commit_stays_on_the_branch(server: Server, operator: Operator):
    server.commit({"app/deployment.yaml": V1})
    bad = server.commit({"app/deployment.yaml": V2})
    later = server.commit({"app/hpa.yaml": hpa(5)}, "later")
    done = operator.revert(request(bad, rejected=V2, stable=V1))
    assert isinstance(done, RevertDone)
    assert server.log("%P")[0] == later
    assert server.show("app/hpa.yaml") == hpa(5)


def test_a_conflict_is_for_a_person(server: Server, operator: Operator):
    server.commit({"app/deployment.yaml": V1})
    bad = server.commit({"app/deployment.yaml": V2})
    # The same version, written on lines that touch the culprit's.
    head = server.commit({"app/deployment.yaml": V2.replace("image: app:v2", 'image: "app:v2" # pinned')})
    outcome = operator.revert(request(bad, rejected=V2, stable=V1))
    assert isinstance(outcome, NeedsPullRequest)
    assert "conflicts" in outcome.message
    assert server.head == head


def test_a_culprit_outside_the_apps_folder_is_for_a_person(server: Server, tmp_path, kustomize):
    overlay = {"overlays/prod/kustomization.yaml": "resources: [../../base]\n"}
    base = {"base/kustomization.yaml": "resources: [deployment.yaml]\n"}
    server.commit(overlay | base | {"base/deployment.yaml": V1})
    bad = server.commit({"base/deployment.yaml": V2})
    operator = Operator(tmp_path / "cache", provenance(server, "overlays/prod"), kustomize)
    outcome = operator.revert(request(bad, rejected=V2, stable=V1))
    assert isinstance(outcome, NeedsPullRequest)
    assert "base/deployment.yaml" in outcome.message
    assert server.head == bad


def test_an_image_override_of_a_kustomization_is_taken_back(server: Server, tmp_path, kustomize):
    def overlay(tag: str, replicas: int) -> str:
        return yaml.safe_dump(
            {
                "resources": ["../../base"],
                "images": [{"name": "app", "newTag": tag}],
                "replicas": [{"name": "checkout", "count": replicas}],
            }
        )

    base: dict[str, str | None] = {
        "base/kustomization.yaml": "resources: [deployment.yaml]\n",
        "base/deployment.yaml": deployment("app:v0"),
    }
    server.commit(base | {"overlays/prod/kustomization.yaml": overlay("v1", 2)})
    bad = server.commit({"overlays/prod/kustomization.yaml": overlay("v2", 2)})
    server.commit({"overlays/prod/kustomization.yaml": overlay("v2", 5)}, "replicas")
    operator = Operator(tmp_path / "cache", provenance(server, "overlays/prod"), kustomize)
    done = operator.revert(request(bad, rejected=V2, stable=V1))
    assert isinstance(done, RevertDone), done
    assert server.show("overlays/prod/kustomization.yaml") == overlay("v1", 5)


def test_a_restart_is_not_from_git(server: Server, operator: Operator):
    head = server.commit({"app/deployment.yaml": V1})
    asked = request(head, rejected=V1, stable=V1)
    asked.seen.rejected_live["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "2026-11-21T10:00:00Z"}
    assert isinstance(operator.revert(asked), NotFromGit)
    assert server.head == head


def test_an_image_set_in_the_cluster_is_not_from_git(server: Server, operator: Operator):
    head = server.commit({"app/deployment.yaml": V1})
    assert isinstance(operator.revert(request(head, rejected=deployment("app:by-hand"), stable=V1)), NotFromGit)


def test_a_variable_set_in_the_cluster_is_not_from_git(server: Server, operator: Operator):
    head = server.commit({"app/deployment.yaml": V1})
    outcome = operator.revert(request(head, rejected=deployment("app:v1", env={"DEBUG": "1"}), stable=V1))
    assert isinstance(outcome, NotFromGit)


def test_a_commit_that_only_adds_a_variable_is_found(server: Server, operator: Operator):
    more = deployment("app:v1", env={"MODE": "new"})
    server.commit({"app/deployment.yaml": V1})
    server.commit({"app/hpa.yaml": hpa(3)})
    bad = server.commit({"app/deployment.yaml": more})
    done = operator.revert(request(bad, rejected=more, stable=V1))
    assert isinstance(done, RevertDone)
    assert server.show("app/deployment.yaml") == V1


def test_a_commit_that_only_removes_a_variable_is_found(server: Server, operator: Operator):
    more = deployment("app:v1", env={"MODE": "old"})
    server.commit({"app/deployment.yaml": more})
    bad = server.commit({"app/deployment.yaml": V1})
    done = operator.revert(request(bad, rejected=V1, stable=more))
    assert isinstance(done, RevertDone)
    assert server.show("app/deployment.yaml") == more


def test_a_commit_that_says_a_default_is_told_apart_by_what_it_changes(server: Server, operator: Operator):
    pulled = V2.replace("image: app:v2", "image: app:v2\n        imagePullPolicy: IfNotPresent")
    server.commit({"app/deployment.yaml": V1})
    bad = server.commit({"app/deployment.yaml": pulled})
    assert isinstance(operator.revert(request(bad, rejected=pulled, stable=V1)), RevertDone)
    assert server.show("app/deployment.yaml") == V1


def test_a_moved_file_is_moved_back(server: Server, operator: Operator):
    server.commit({"app/deployment.yaml": V1})
    bad = server.commit({"app/deployment.yaml": None, "app/workload.yaml": V2})
    done = operator.revert(request(bad, rejected=V2, stable=V1))
    assert isinstance(done, RevertDone)
    assert done.paths == ("app/deployment.yaml", "app/workload.yaml")
    assert server.show("app/deployment.yaml") == V1


def test_a_fix_that_came_first_leaves_nothing_to_do(server: Server, operator: Operator):
    server.commit({"app/deployment.yaml": V1})
    bad = server.commit({"app/deployment.yaml": V2})
    fix = server.commit({"app/deployment.yaml": deployment("app:v3")})
    outcome = operator.revert(request(bad, rejected=V2, stable=V1))
    assert isinstance(outcome, Superseded)
    assert server.head == fix


def test_a_removed_deployment_leaves_nothing_to_do(server: Server, operator: Operator):
    server.commit({"app/deployment.yaml": V1, "app/hpa.yaml": hpa(3)})
    bad = server.commit({"app/deployment.yaml": V2})
    server.commit({"app/deployment.yaml": None})
    assert isinstance(operator.revert(request(bad, rejected=V2, stable=V1)), Superseded)


def test_a_later_annotation_does_not_hide_the_rejected_version(server: Server, operator: Operator):
    server.commit({"app/deployment.yaml": V1})
    bad = server.commit({"app/deployment.yaml": V2})
    server.commit({"app/deployment.yaml": deployment("app:v2", annotations={"team": "shop"})})
    assert isinstance(operator.revert(request(bad, rejected=V2, stable=V1)), RevertDone)
    assert server.show("app/deployment.yaml") == deployment("app:v1", annotations={"team": "shop"})


def test_a_second_call_finds_the_first_ones_commit(server: Server, operator: Operator):
    server.commit({"app/deployment.yaml": V1})
    bad = server.commit({"app/deployment.yaml": V2})
    asked = request(bad, rejected=V2, stable=V1)
    first = operator.revert(asked)
    assert isinstance(first, RevertDone)
    again = operator.revert(asked)
    assert isinstance(again, AlreadyReverted)
    assert again.commit == first.commit
    assert len(server.reverts()) == 1


def test_a_version_that_a_person_brought_back_is_not_reverted_twice(server: Server, operator: Operator):
    server.commit({"app/deployment.yaml": V1})
    bad = server.commit({"app/deployment.yaml": V2})
    asked = request(bad, rejected=V2, stable=V1)
    first = operator.revert(asked)
    assert isinstance(first, RevertDone)
    server.commit({"app/hpa.yaml": hpa(1)})
    back = server.commit({"app/deployment.yaml": V2}, "no, we want v2")
    server.commit({"app/hpa.yaml": hpa(2)})
    outcome = operator.revert(asked)
    assert isinstance(outcome, BroughtBack)
    assert (outcome.revert, outcome.by) == (first.commit, back)
    assert len(server.reverts()) == 1


def test_after_a_retry_that_failed_too_the_commit_that_brought_it_back_is_reverted(server: Server, operator: Operator):
    server.commit({"app/deployment.yaml": V1})
    bad = server.commit({"app/deployment.yaml": V2})
    operator.revert(request(bad, rejected=V2, stable=V1))
    back = server.commit({"app/deployment.yaml": V2}, "try again")
    done = operator.revert(request(back, rejected=V2, stable=V1, report="failed again"))
    assert isinstance(done, RevertDone)
    assert done.culprits == (back,)
    assert server.show("app/deployment.yaml") == V1


def test_a_force_push_that_drops_our_revert_is_not_answered_with_another(server: Server, operator: Operator):
    server.commit({"app/deployment.yaml": V1})
    bad = server.commit({"app/deployment.yaml": V2})
    asked = request(bad, rejected=V2, stable=V1)
    first = operator.revert(asked)
    assert isinstance(first, RevertDone)
    server.git("push", "-q", "-f", "origin", f"{bad}:refs/heads/main")
    outcome = operator.revert(request(bad, rejected=V2, stable=V1, pushed=first.commit))
    assert isinstance(outcome, BroughtBack)
    assert server.head == bad


def test_a_rewritten_history_is_for_a_person(server: Server, operator: Operator):
    stable = server.commit({"app/deployment.yaml": V1})
    bad = server.commit({"app/deployment.yaml": V2}, "bad")
    with operator.clone() as repository:
        repository.fetch("main")
    server.git("reset", "-q", "--hard", stable)
    server.write({"app/deployment.yaml": V2})
    server.git("commit", "-q", "-m", "bad, amended")
    server.git("push", "-q", "-f", "origin", "main")
    outcome = operator.revert(request(bad, rejected=V2, stable=V1))
    assert isinstance(outcome, NeedsPullRequest)
    assert "rewritten" in outcome.message


def test_stable_is_recognised_beside_a_field_that_admission_adds_to_both(server: Server, operator: Operator):
    server.commit({"app/deployment.yaml": V1})
    bad = server.commit({"app/deployment.yaml": V2})
    asked = request(bad, rejected=V2, stable=V1)
    for template in (asked.seen.rejected_live, asked.seen.stable_live):
        template["spec"]["containers"].append({"name": "proxy", "image": "mesh:1"})
        template["spec"]["containers"][0]["env"] = [{"name": "REGION", "value": "eu"}]
    assert isinstance(operator.revert(asked), RevertDone)


def test_without_any_commit_that_renders_stable_a_person_must_look(server: Server, operator: Operator):
    server.commit({"app/deployment.yaml": deployment("app:v0")})
    bad = server.commit({"app/deployment.yaml": V2})
    outcome = operator.revert(request(bad, rejected=V2, stable=V1))
    assert isinstance(outcome, NeedsPullRequest)
    assert "renders stable's template" in outcome.message


@pytest.mark.parametrize("rewritten", [False, True], ids=["forward", "rewritten"])
def test_what_a_person_brings_back_is_not_reverted_although_the_engine_has_fetched_it_and_the_answer_was_lost(
    server: Server, operator: Operator, rewritten: bool
):
    stable = server.commit({"app/deployment.yaml": V1})
    bad = server.commit({"app/deployment.yaml": V2})
    if rewritten:
        server.git("reset", "-q", "--hard", stable)
        server.write({"app/deployment.yaml": V2})
        server.git("commit", "-q", "-m", "signed")
        server.git("push", "-q", "-f", "origin", "main")
    asked = request(server.head, rejected=V2, stable=V1)
    asked = replace(asked, seen=replace(asked.seen, first_commit=bad))
    done = operator.revert(asked)
    assert isinstance(done, RevertDone)
    theirs = server.commit({"app/deployment.yaml": V2}, "v2 again")
    again = operator.revert(replace(asked, seen=replace(asked.seen, bad_commit=theirs)))
    assert isinstance(again, BroughtBack)
    assert (again.revert, again.by) == (done.commit, theirs)
    assert server.head == theirs


def test_a_commit_that_brings_back_what_another_rollouts_revert_took_out_is_not_reverted(
    server: Server, tmp_path: Path
):
    def both(one: str, two: str) -> dict[str, str | None]:
        return {"app/all.yaml": f"{deployment(one, name='one')}---\n{deployment(two, name='two')}"}

    def ask(name: str, bad: str, first: str) -> Outcome:
        rejected, stable = deployment("app:v2", name=name), deployment("app:v1", name=name)
        asked = request(bad, rejected=rejected, stable=stable, rollout=f"shop/{name}")
        operator = Operator(tmp_path / "cache", provenance(server, name=name))
        return operator.revert(replace(asked, seen=replace(asked.seen, first_commit=first)))

    server.commit(both("app:v1", "app:v1"))
    bad = server.commit(both("app:v2", "app:v2"))
    server.commit(both("app:v1", "app:v2"), "a person mends one")
    assert isinstance(ask("two", bad, bad), RevertDone)
    theirs = server.commit(both("app:v2", "app:v2"), "a person wants both")
    for fetched in (theirs, bad):
        assert isinstance(ask("one", fetched, bad), BroughtBack)
    assert server.head == theirs
    assert isinstance(ask("one", theirs, theirs), RevertDone), "of a release that began with it, it is the culprit"


def test_commits_without_a_message_are_read_as_any_other(server: Server, operator: Operator):
    server.commit({"app/deployment.yaml": V1})
    server.git("commit", "-q", "--allow-empty", "--allow-empty-message", "-m", "")
    server.git("push", "-q", "origin", "main")
    bad = server.commit({"app/deployment.yaml": V2})
    server.git("commit", "-q", "--allow-empty", "--allow-empty-message", "-m", "")
    server.git("push", "-q", "origin", "main")
    assert isinstance(operator.revert(request(bad, rejected=V2, stable=V1)), RevertDone)


def test_ten_rollouts_with_one_culprit_make_one_commit(server: Server, tmp_path):
    names = [f"app-{index}" for index in range(10)]
    server.commit({"app/all.yaml": "---\n".join(deployment("app:v1", name=name) for name in names)})
    bad = server.commit({"app/all.yaml": "---\n".join(deployment("app:v2", name=name) for name in names)})
    outcomes = []
    for name in names:
        operator = Operator(tmp_path / "cache", provenance(server, name=name))
        asked = request(
            bad,
            rejected=deployment("app:v2", name=name),
            stable=deployment("app:v1", name=name),
            rollout=f"shop/{name}",
        )
        outcomes.append(operator.revert(asked))
    # One file, ten hunks: the first Rollout's revert takes the commit's whole change to that file back.
    assert isinstance(outcomes[0], RevertDone)
    assert all(isinstance(outcome, AlreadyReverted) for outcome in outcomes[1:])
    assert len(server.reverts()) == 1


def test_two_rollouts_in_two_files_of_one_culprit_are_each_reverted_once(server: Server, tmp_path):
    def files(image: str) -> dict[str, str | None]:
        return {f"app/{name}.yaml": deployment(image, name=name) for name in ("one", "two")}

    server.commit(files("app:v1"))
    bad = server.commit(files("app:v2"))
    for name in ("one", "two", "one", "two"):
        operator = Operator(tmp_path / "cache", provenance(server, name=name))
        asked = request(
            bad,
            rejected=deployment("app:v2", name=name),
            stable=deployment("app:v1", name=name),
            rollout=f"shop/{name}",
        )
        operator.revert(asked)
    assert server.reverts() == [bad, bad]
    assert server.show("app/one.yaml") == deployment("app:v1", name="one")
    assert server.show("app/two.yaml") == deployment("app:v1", name="two")


def test_ten_rollouts_in_ten_files_and_two_operators_make_one_commit_a_file(server: Server, tmp_path):
    names = [f"app-{index}" for index in range(10)]
    server.commit({f"app/{name}.yaml": deployment("app:v1", name=name) for name in names})
    bad = server.commit({f"app/{name}.yaml": deployment("app:v2", name=name) for name in names})
    made: dict[str, set[str]] = {name: set() for name in names}
    jobs = [(name, replica) for name in names for replica in ("old", "new")]
    Random(0).shuffle(jobs)
    for pair in zip(jobs[::2], jobs[1::2], strict=True):
        with ExitStack() as stack:
            planned = []
            for name, replica in pair:  # both plan on the same tip, and one of them loses the race
                operator = Operator(tmp_path / f"{replica}-{name}", provenance(server, name=name))
                asked = request(
                    bad,
                    rejected=deployment("app:v2", name=name),
                    stable=deployment("app:v1", name=name),
                    rollout=f"shop/{name}",
                )
                repository = stack.enter_context(operator.clone())
                renderer = operator.renderer(repository)
                planned.append((name, repository, renderer, asked, plan_revert(repository, renderer, asked)))
            for name, repository, renderer, asked, plan in planned:
                outcome: Outcome = (
                    plan
                    if not isinstance(plan, RevertPlan)
                    else push_revert(repository, renderer, asked, plan, pause=lambda _: None)
                )
                assert isinstance(outcome, RevertDone | AlreadyReverted)
                made[name].add(outcome.commit)
    commits = [server.git("rev-parse", f"main~{back}", cwd=server.bare) for back in range(10)]
    assert server.reverts() == [bad] * 10
    assert sorted(made.values(), key=sorted) == sorted(({commit} for commit in commits), key=sorted)
    for name, (commit,) in made.items():
        assert server.git("show", "--format=", "--name-only", commit, cwd=server.bare) == f"app/{name}.yaml"
        assert server.show(f"app/{name}.yaml") == deployment("app:v1", name=name)


def test_a_plan_writes_nothing_to_the_server(server: Server, operator: Operator):
    server.commit({"app/deployment.yaml": V1})
    bad = server.commit({"app/deployment.yaml": V2})
    with operator.clone() as repository:
        plan = plan_revert(repository, operator.renderer(repository), request(bad, rejected=V2, stable=V1))
    assert isinstance(plan, RevertPlan)
    assert server.head == bad
    assert live(V1)["spec"]["containers"][0]["image"] == "app:v1"


def test_a_commit_that_was_never_applied_is_not_taken_for_stables_because_it_says_less(
    server: Server, operator: Operator
):
    def mode(value: str) -> str:
        return deployment("app:v1", env={"REGION": "eu"} | ({"MODE": value} if value else {}))

    server.commit({"app/deployment.yaml": mode("old")})
    server.commit({"app/deployment.yaml": mode("")}, "take it out")
    bad = server.commit({"app/deployment.yaml": mode("new")}, "and in again")
    done = operator.revert(request(bad, rejected=mode("new"), stable=mode("old")))
    assert isinstance(done, RevertDone)
    assert server.show("app/deployment.yaml") == mode("old")
