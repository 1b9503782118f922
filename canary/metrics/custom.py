"""A team's own judges, each asked in a process of its own with a time limit.

A process, not a thread: a thread that does not end cannot be ended, holds the interpreter's lock and shares memory and
file descriptors with everything that keeps traffic safe. A process is killed with all that it started, and a judge
that crashes, leaks or calls `sys.exit` takes nothing with it. It costs an interpreter's start for each look, a tenth of
a second or more of a core: what many releases use belongs into Canary. The process gets the measurements and nothing of
the operator's environment but where programs and modules are: no tokens, no configuration.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from canary.analysis.custom import Broken, Judgement, Opinion, Question

LIMIT_SECONDS: Final = 5.0
"""For one look. Arbitrary: half of the usual distance of looks."""
LONGEST_MESSAGE: Final = 300
_PASSED_ON: Final = ("PATH", "PYTHONPATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")


def ask(question: Question, *, limit_seconds: float = LIMIT_SECONDS) -> Judgement | Broken:
    """Ask a judge; whatever goes wrong with it is an answer."""
    name = question.judge
    environment = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-m", "canary.metrics.judge_host", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    try:
        said, complained = process.communicate(json.dumps(asdict(question.measurements)).encode(), limit_seconds)
    except subprocess.TimeoutExpired:
        _end(process)
        process.communicate()
        return Broken(f"the judge {name!r} did not answer within {limit_seconds:g} s")
    _end(process)
    if process.returncode != 0:
        last = complained.decode(errors="replace").strip().splitlines()[-1:] or ["without a word"]
        return Broken(f"the judge {name!r} failed: {last[0][:LONGEST_MESSAGE]}")
    try:
        return _read(json.loads(said))
    except (ValueError, KeyError, TypeError) as error:
        return Broken(f"the judge {name!r} did not return a Judgement: {str(error)[:LONGEST_MESSAGE]}")


def _read(said: Mapping[str, object]) -> Judgement:
    message = " ".join(str(said["message"]).split())[:LONGEST_MESSAGE]
    return Judgement(Opinion(str(said["opinion"])), message, bool(said["suspicious"]))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it with whatever it started: its group outlives it while one of them runs."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
