"""The revert's commit message: from stored facts only, so that every operator writes the same bytes.

Git reads trailers from the last paragraph only; here this is always ours, and none of its values has a line break. Yet
to git a message may end before its end: at a line of `---`, and at one of scissors behind any comment sign. So no line
of a report begins with such a sign, and neither a report nor the subject of a culprit can forge a trailer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from canary.git.objects import Commit

_SUBJECT_LENGTH: Final = 60
_LINE_LENGTH: Final = 400
_LINES: Final = 120
_PARAGRAPH: Final = "\n\n"
TRAILER_ROLLOUT: Final = "Rollout"
TRAILER_REVERTS: Final = "Rollout-Reverts"
TRAILER_REPORT: Final = "Rollout-Report"


def revert_message(culprits: Sequence[Commit], paths: Sequence[str], rollout: str, report: str) -> str:
    """Return the message of a revert of `culprits` (newest first) in `paths`, for `namespace/name`."""
    subject = _cut(one_line(culprits[0].subject), _SUBJECT_LENGTH)
    more = f" and {len(culprits) - 1} more" if len(culprits) > 1 else ""
    lines = [_cut(_told(line), _LINE_LENGTH) for line in report.splitlines()][:_LINES]
    told = "\n".join(lines).strip("\n") or "Rolled back."
    undone = [
        f"- {commit.sha[:12]} {_cut(one_line(commit.subject), 72)} ({_cut(one_line(commit.author), 40)})"
        for commit in culprits
    ]
    trailers = [
        f"{TRAILER_ROLLOUT}: {one_line(rollout)}",
        f"{TRAILER_REVERTS}: {', '.join(commit.sha for commit in culprits)}",
        f"{TRAILER_REPORT}: {_cut(one_line(told.partition(_PARAGRAPH)[0]), _LINE_LENGTH)}",
    ]
    parts = [
        f'Revert "{subject}"{more}',
        told,
        f"Undone, in {', '.join(one_line(path) for path in paths)} only:\n" + "\n".join(undone),
        "\n".join(trailers),
    ]
    return "\n\n".join(parts) + "\n"


def one_line(text: str) -> str:
    """Return the text as one line of printable characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _told(line: str) -> str:
    """A report's line, its columns kept."""
    plain = "".join(char if char.isprintable() else " " for char in line).rstrip()
    return plain if not plain or plain[0].isalnum() or plain.startswith("  ") else f"  {plain.lstrip()}"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
