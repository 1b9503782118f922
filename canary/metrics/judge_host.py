"""The process in which a team's own judge runs: measurements come in by standard input, what it says goes out.

python -m canary.metrics.judge_host NAME
"""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import entry_points
from typing import Any, Final

from canary.analysis.custom import Judgement, Measurements

GROUP: Final = "canary.judges"
"""Entry points of this group are judges, by their names."""


def main(name: str) -> str:
    """Ask the judge of a name about what standard input says; exits with a sentence when there is none."""
    found = entry_points(group=GROUP)
    chosen = [each for each in found if each.name == name]
    if not chosen:
        known = ", ".join(sorted(each.name for each in found)) or "none"
        sys.exit(f"no judge {name!r} is installed beside the operator (installed: {known})")
    given: dict[str, Any] = json.load(sys.stdin)
    for side in ("candidate", "stable"):
        given[side] = tuple((float(bad), float(every)) for bad, every in given[side])
    said = chosen[0].load()(Measurements(**given))
    if not isinstance(said, Judgement):
        sys.exit(f"it returned {type(said).__name__}, not a canary.analysis.custom.Judgement")
    return json.dumps({"opinion": said.opinion, "message": said.message, "suspicious": said.suspicious})


if __name__ == "__main__":
    # What the judge prints must not end up in the answer.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    answer.write(main(sys.argv[1]))
    answer.close()
