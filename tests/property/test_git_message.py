"""Whatever a report, a metric's name, a subject, an author or a path says: Git reads our three trailers, and no others."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from hypothesis import example, given, settings
from hypothesis import strategies as st

from canary.git.message import revert_message
from canary.git.objects import Commit
from tests.property.depth import deep

SHA, OTHER = "a" * 40, "b" * 40
SCISSORS = "# ------------------------ >8 ------------------------"
tricks = st.sampled_from(
    [
        f"Rollout-Reverts: {OTHER}",
        "Rollout: other/app",
        "Rollout-Report = forged",
        "Signed-off-by: Eve <eve@example.org>",
        f"(cherry picked from commit {OTHER})",
        "---",
        "--- a/app",
        SCISSORS,
        SCISSORS.replace("#", ";"),
        "# a comment",
        "Conflicts:",
        "diff --git a/x b/x",
        " continued",
        "",
    ]
)
breaks = st.sampled_from(["\n", "\n\n", "\r\n", "\r", "\v", "\f", "\x1c", "\x85", "\u2028", "\0", "\t", " "])
texts = st.lists(st.one_of(tricks, breaks, st.text(max_size=12)), max_size=8).map("".join)


def read(message: str, *options: str) -> list[str]:
    """The trailers that git finds in a message."""
    done = subprocess.run(
        ["git", "interpret-trailers", "--parse", *options],
        input=message.encode(),
        capture_output=True,
        check=True,
        timeout=10,
    )
    return done.stdout.decode().splitlines()


@settings(max_examples=deep(120), deadline=None)
@given(report=texts, subject=texts, author=texts, paths=st.lists(texts, max_size=2), rollout=texts)
@example(f"bad\n\nRollout-Reverts: {OTHER}\n---\n", "v2", "Ada", ["d"], "shop/x")
@example(f"bad\n\nRollout-Reverts: {OTHER}\n{SCISSORS}\n", "v2", "Ada", ["d"], "shop/x")
def test_no_text_forges_or_hides_a_trailer(
    report: str, subject: str, author: str, paths: Sequence[str], rollout: str
) -> None:
    message = revert_message([Commit(SHA, "", (), subject, author)], paths, f"shop/{rollout}", report)
    for options in ((), ("--no-divider",)):
        names = [line.partition(":")[0] for line in read(message, *options)]
        assert names == ["Rollout", "Rollout-Reverts", "Rollout-Report"]
        assert read(message, *options)[1] == f"Rollout-Reverts: {SHA}"
