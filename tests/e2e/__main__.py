"""Run the end-to-end tests in labs of their own: `python -m tests.e2e [pytest's arguments]`.

First the tests that break parts of their lab or need it for themselves, dealt out to two labs: most of what they do is
waiting. Then, in a third lab, the stories, which are told beside each other and keep two processors busy; all at the
same time they would run into each other's bounds. Ends with the sum of all.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

NONE_CHOSEN = 5
"""How pytest ends when the arguments choose none of a part's tests."""


@dataclass
class Part:
    """The tests of one lab."""

    name: str
    options: Sequence[str]
    code: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def run(self, arguments: Sequence[str]) -> None:
        """Run them and tell how they went, each line with the part's name before it."""
        began = time.monotonic()
        self._tell("begins")
        tests = [argument for argument in arguments if not argument.startswith("-")]
        command = [sys.executable, "-m", "pytest", *self.options, *arguments, *([] if tests else ["tests/e2e"])]
        with subprocess.Popen(
            [sys.executable, "-m", "lab", "exec", "--", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"CANARY_LAB": "1"},
        ) as running:
            assert running.stdout is not None
            for line in running.stdout:
                self._tell(line.rstrip())
                if re.search(r"\b(passed|failed|error)\b.* in [\d.]+s", line):
                    for number, word in re.findall(r"(\d+) (passed|failed|error)", line):
                        self.counts[word] += int(number)
        self.code = 0 if arguments and running.returncode == NONE_CHOSEN else running.returncode
        self._tell(f"ended after {time.monotonic() - began:.0f} s with {self.code}")

    def _tell(self, text: str) -> None:
        sys.stdout.write(f"{self.name}| {text}\n")  # in one piece: another part may write at the same time
        sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    """Run all parts, the later ones also when an earlier one has failed; 0 when all passed."""
    alone = [Part(f"alone {n}", ("--stories=none", f"--share={n}/2")) for n in (1, 2)]
    stories = Part("stories", ("--stories=only",))
    with ThreadPoolExecutor(len(alone)) as pool:
        for part in [pool.submit(part.run, arguments) for part in alone]:
            part.result()
    stories.run(arguments)
    parts = [*alone, stories]
    total = sum((part.counts for part in parts), Counter[str]())
    print(f"{total['passed']} passed, {total['failed'] + total['error']} failed", flush=True)  # noqa: T201
    return next((part.code for part in parts if part.code), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
