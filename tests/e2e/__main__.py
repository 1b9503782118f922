"""Run the end-to-end tests in two labs, one after the other: `python -m tests.e2e [pytest's arguments]`.

One lab is for the stories, which are told beside each other and wait most of the time; the other for the tests that
break parts of their lab or need it for themselves. Ends with the sum of both. At the same time they would be slower on
two processors: together they keep them busy, and what is late then runs into its bound.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter

HALVES = {"the tests that need a lab for themselves": "none", "the stories": "only"}


def main(arguments: list[str]) -> int:
    """Run both halves, the second also when the first has failed; 0 when both passed."""
    counts: Counter[str] = Counter()
    codes = [_run(name, chosen, arguments, counts) for name, chosen in HALVES.items()]
    print(f"{counts['passed']} passed, {counts['failed'] + counts['error']} failed", flush=True)  # noqa: T201
    return next((code for code in codes if code), 0)


def _run(name: str, chosen: str, arguments: list[str], counts: Counter[str]) -> int:
    began = time.monotonic()
    print(f"== {name}", flush=True)  # noqa: T201
    tests = [argument for argument in arguments if not argument.startswith("-")]
    command = [sys.executable, "-m", "pytest", f"--stories={chosen}", *arguments, *([] if tests else ["tests/e2e"])]
    with subprocess.Popen(
        [sys.executable, "-m", "lab", "exec", "--", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"CANARY_LAB": "1"},
    ) as half:
        assert half.stdout is not None
        for line in half.stdout:
            print(line, end="", flush=True)  # noqa: T201
            if re.search(r"\b(passed|failed|error)\b.* in [\d.]+s", line):
                for number, word in re.findall(r"(\d+) (passed|failed|error)", line):
                    counts[word] += int(number)
    print(f"== {name}: {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201
    return half.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
