"""`python -m benchmarks [NAME]`: each benchmark, or the one named, prints a table and writes `build/bench/NAME.json`.

A goal that is missed is a result, not an error: the exit code is 0. It is 1 when a benchmark could not be run, and 2
when there is none of that name.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.figures import Figure, machine, show, write
from lab import namespace


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One module of this package with `run(quick=...)`, which gives its figures."""

    about: str
    in_lab: bool = False
    """Runs inside a lab's network, so in a process of its own."""


BENCHMARKS: Final[dict[str, Benchmark]] = {
    "statistics": Benchmark("how fast the comparison finds a worse version, how often it condemns a good one"),
    "judge": Benchmark("the comparison beside Flagger's, Argo Rollouts' and Kayenta's rules, and the cost of a tick"),
    "planner": Benchmark("a tick of a thousand releases: how many queries, how much processor time"),
    "rollback": Benchmark("from the verdict to weight 0, to the revert, to converged; restart; rest", in_lab=True),
    "faults": Benchmark("releases while everything around them breaks: violations and failed requests", in_lab=True),
}
"""By name, in the order in which they run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("name", nargs="?", help=f"one of: {', '.join(BENCHMARKS)}; all of them when absent")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions and shorter waits: a first look")
    given = parser.parse_args(arguments)
    if given.name is not None and given.name not in BENCHMARKS:
        print(f"There is no benchmark {given.name!r}. There are:", file=sys.stderr)
        for name, benchmark in BENCHMARKS.items():
            print(f"  {name:12} {benchmark.about}", file=sys.stderr)
        return 2
    names = [given.name] if given.name else list(BENCHMARKS)
    # All are run, also when one fails: the figures of the others are worth having.
    failed = [name for name in names if not _run(name, quick=given.quick)]
    if failed:
        print(f"could not be run: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _run(name: str, *, quick: bool) -> bool:
    if BENCHMARKS[name].in_lab and not namespace.inside():
        again = [sys.executable, "-m", "benchmarks", name, *(["--quick"] if quick else [])]
        return subprocess.run([sys.executable, "-m", "lab", "exec", "--", *again], check=False).returncode == 0
    print(f"== {name}: {BENCHMARKS[name].about}; {machine()}", flush=True)
    run: Callable[..., Sequence[Figure]] = importlib.import_module(f"benchmarks.{name}").run
    try:
        figures = run(quick=quick)
    except Exception as error:
        print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
        return False
    show(name, figures)
    print(f"  {write(name, figures)}")
    return True


if __name__ == "__main__":
    sys.exit(main())
