"""`python -m tests.model [--deep] [NAME...]`: walk the bounded worlds and print how many states each has."""

from __future__ import annotations

import argparse
import sys
import time

from tests.model.scenarios import DEEP, SCENARIOS
from tests.model.walk import walk
from tests.property.parts import Violated


def main() -> int:
    """Walk all, or those whose name is given; exit with 1 when a promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("names", nargs="*", help="of scenarios; all without one")
    parser.add_argument("--deep", action="store_true", help="more hands act, more often: minutes instead of seconds")
    parser.add_argument("--limit", type=int, default=1_000_000, help="give a world up after so many transitions")
    asked = parser.parse_args()
    chosen = [s for s in (DEEP if asked.deep else SCENARIOS) if not asked.names or s.name in asked.names]
    if not chosen:
        parser.error(f"no such scenario; there are: {', '.join(s.name for s in SCENARIOS)}")
    print(f"{'world':32} {'states':>9} {'transitions':>12} {'seconds':>8}", flush=True)
    states = transitions = 0
    for scenario in chosen:
        began = time.process_time()
        try:
            counts = walk(scenario, limit=asked.limit)
        except Violated as error:
            print(f"{scenario.name}: broken: {error}", *error.__notes__, sep="\n")
            return 1
        states, transitions = states + counts.states, transitions + counts.transitions
        seconds = time.process_time() - began
        line = f"{scenario.name:32} {counts.states:9,} {counts.transitions:12,} {seconds:8.1f}{'' if counts.whole else '  stopped at the limit'}"
        print(line, flush=True)
    print(f"{'all':32} {states:9,} {transitions:12,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
