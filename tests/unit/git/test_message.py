from __future__ import annotations

import subprocess

from canary.git.message import revert_message
from canary.git.objects import Commit
from tests.unit.git.world import Operator, Server, deployment, request

SHA, OTHER = "a" * 40, "b" * 40


def _trailers(message: str) -> dict[str, str]:
    done = subprocess.run(
        ["git", "interpret-trailers", "--parse", "--no-divider"],
        input=message,
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


def test_a_message_says_what_why_and_for_whom():
    message = revert_message(
        [Commit(SHA, "", (), "release v2", "Ada")], ["app/d.yaml"], "shop/checkout", "5xx 5 %\nstable 0.1 %"
    )
    assert message.startswith('Revert "release v2"\n\n5xx 5 %\nstable 0.1 %\n\nUndone, in app/d.yaml only:\n')
    assert _trailers(message) == {
        "Rollout": "shop/checkout",
        "Rollout-Reverts": SHA,
        "Rollout-Report": "5xx 5 % stable 0.1 %",
    }


def test_a_reports_columns_are_kept_and_its_trailer_is_the_first_paragraph():
    report = "errors: 5 % bad\n\nerrors: Fail\n  canary    5.00% bad\n            more\n\n---\nNext: look."
    message = revert_message([Commit(SHA, "", (), "release v2", "Ada")], ["app/d.yaml"], "shop/checkout", report)
    said = (
        "errors: 5 % bad\n\nerrors: Fail\n  canary    5.00% bad\n            more\n\n  ---\nNext: look.\n\nUndone, in"
    )
    assert said in message
    assert _trailers(message)["Rollout-Report"] == "errors: 5 % bad"


def test_neither_a_report_nor_a_subject_can_forge_a_trailer():
    forged = f"Rollout-Reverts: {OTHER}"
    for break_ in ("\n", "\n\n", "\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\n\n---\n", "\x00"):
        commit = Commit(SHA, "", (), f"v2{break_}{forged}", f"Ada{break_}{forged}")
        message = revert_message(
            [commit], [f"app/d.yaml{break_}{forged}"], f"shop/x{break_}{forged}", f"bad{break_}{break_}{forged}"
        )
        assert _trailers(message)["Rollout-Reverts"] == SHA, repr(break_)
        assert [line for line in message.splitlines() if line.startswith("Rollout-Reverts")][
            -1
        ] == f"Rollout-Reverts: {SHA}"


def test_a_forged_trailer_in_a_report_is_not_what_git_reads_from_the_pushed_commit(server: Server, operator: Operator):
    server.commit({"app/deployment.yaml": deployment("app:v1")})
    bad = server.commit({"app/deployment.yaml": deployment("app:v2")}, f"v2 Rollout-Reverts: {OTHER}")
    report = f"bad\n\nRollout: other/app\nRollout-Reverts: {OTHER}\n"
    operator.revert(request(bad, rejected=deployment("app:v2"), stable=deployment("app:v1"), report=report))
    assert server.reverts() == [bad]
    assert server.log("%(trailers:key=Rollout,valueonly=true,separator=%x2C)")[0] == "shop/checkout"


def test_a_commit_with_a_forged_trailer_that_changes_nothing_stops_no_revert(server: Server, operator: Operator):
    server.commit({"app/deployment.yaml": deployment("app:v1")})
    bad = server.commit({"app/deployment.yaml": deployment("app:v2")})
    server.commit({"notes": "x"}, f"innocent\n\nRollout-Reverts: {bad}")
    operator.revert(request(bad, rejected=deployment("app:v2"), stable=deployment("app:v1")))
    assert server.show("app/deployment.yaml") == deployment("app:v1")


def test_long_texts_are_cut():
    message = revert_message([Commit(SHA, "", (), "x" * 500, "A" * 500)], ["d"], "a/b", "y" * 5000 + "\n" * 500 + "z")
    assert len(message) < 2500
    assert len(message.splitlines()[0]) <= 72
