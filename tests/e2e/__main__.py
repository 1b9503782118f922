"""Run the end-to-end tests in two labs at the same time: `python -m tests.e2e [pytest's arguments]`.

One lab is for the stories, which are told beside each other and wait most of the time; the other for the tests that
break parts of their lab or need it for themselves. Ends with the sum of both.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter

HALVES = {"stories": "only", "others": "none"}


def main(arguments: list[str]) -> int:
    """Run both halves; 0 when both passed."""
    halves = {name: _start(chosen, arguments) for name, chosen in HALVES.items()}
    counts: Counter[str] = Counter()
    readers = [threading.Thread(target=_show, args=(name, half, counts)) for name, half in halves.items()]
    for reader in readers:
        reader.start()
    try:
        codes = [half.wait() for half in halves.values()]
    except KeyboardInterrupt:
        for half in halves.values():
            os.killpg(half.pid, signal.SIGINT)
        codes = [half.wait() or 130 for half in halves.values()]
    for reader in readers:
        reader.join()
    print(f"{counts['passed']} passed, {counts['failed'] + counts['error']} failed", flush=True)  # noqa: T201
    return next((code for code in codes if code), 0)


def _start(chosen: str, arguments: list[str]) -> subprocess.Popen[str]:
    tests = [argument for argument in arguments if not argument.startswith("-")]
    command = [sys.executable, "-m", "pytest", f"--stories={chosen}", *arguments, *([] if tests else ["tests/e2e"])]
    return subprocess.Popen(
        [sys.executable, "-m", "lab", "exec", "--", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"CANARY_LAB": "1"},
        start_new_session=True,  # an interrupt reaches each once, from here
    )


def _show(name: str, half: subprocess.Popen[str], counts: Counter[str]) -> None:
    assert half.stdout is not None
    for line in half.stdout:
        print(f"{name:7} | {line}", end="", flush=True)  # noqa: T201
        if re.search(r"\b(passed|failed|error)\b.* in [\d.]+s", line):
            for number, word in re.findall(r"(\d+) (passed|failed|error)", line):
                counts[word] += int(number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
