"""Releases while everything around them breaks: `make bench NAME=faults`, and longer `make chaos` (`SEED=`, `MINUTES=`).

Three shops with load push a good and a bad version in turn. The operator dies at every effect, each fault of
`lab.chaos` is injected at moments that the dice say, alone and in pairs. An observer that knows nothing of the operator
counts what must never be. What a seed draws is the same each time; when it falls is the machine's.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from typing_extensions import override

from benchmarks.figures import FOLDER, Figure, show, write
from lab import waiting
from lab.chaos import FAULTS, LANES, Chaos, second_envoy
from lab.cluster import Lab
from lab.load import Load
from lab.observer import Observer
from lab.parts.operator import Operator
from lab.shop.files import App
from lab.shop.shop import Shop
from lab.trials import PodKill, Trials, failed

RATE: Final = 100
"""Requests a second in each shop, at the gateway."""
INSIDE_RATE: Final = 25
"""Of clients inside the cluster, which ask the root Service."""
SHOPS: Final = 3
STEPS: Final = ((10, "2s", "8s"), (50, "2s", "8s"))
PAUSE_SECONDS: Final = (0.5, 5.0)
"""Between faults."""
PAIRS: Final = 0.3
"""Share of moments at which two faults fall together."""
LONG_MINUTES: Final = 30.0
"""From here on the operator dies at every effect in each phase: a death takes seconds, in which nothing is released."""
RELEASE_SECONDS: Final = 400.0
"""Within these a release ends although parts break all the time."""


@dataclass
class Outcome:
    """What a run found."""

    seed: int
    minutes: float
    faults: dict[str, int] = field(default_factory=dict)
    deaths: list[str] = field(default_factory=list)
    judged: int = 0
    samples: int = 0
    violations: list[str] = field(default_factory=list)
    requests: int = 0
    failed: list[str] = field(default_factory=list)
    died_with_pods: int = 0

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not self.violations and not self.failed

    def figures(self) -> list[Figure]:
        """The same as a table."""
        return [
            Figure.seen("seed", self.seed, ""),
            Figure.seen("minutes", self.minutes, ""),
            Figure.seen("faults injected", sum(self.faults.values()) + len(self.deaths), ""),
            *(Figure.seen(f"  {name}", count, "") for name, count in sorted(self.faults.items())),
            Figure.seen("  operator killed at an effect", len(self.deaths), ""),
            Figure.seen("releases judged", self.judged, ""),
            Figure.seen("samples of the observer", self.samples, ""),
            Figure.exactly("violations", len(self.violations), "", 0),
            Figure.seen("requests", self.requests, ""),
            Figure.exactly("failed requests", len(self.failed), "", 0),
            Figure.seen("requests that died with a killed pod", self.died_with_pods, ""),
        ]


def run(*, quick: bool = False) -> list[Figure]:
    """Run it with the seed 1 for ten minutes, or for two."""
    outcome = storm(1, 2.0 if quick else 10.0)
    for text in (*outcome.violations, *outcome.failed):
        print(f"  {text}")
    return outcome.figures()


def storm(seed: int, minutes: float) -> Outcome:
    """Release and break for so many minutes, then let every release that runs come to its end."""
    print(f"  seed {seed}, {minutes:g} minutes", flush=True)
    outcome, dice = Outcome(seed, minutes), random.Random(seed)
    with Lab.start() as lab, contextlib.ExitStack() as stack:
        operator = Operator(lab, mortal=True)
        lab.add(operator)
        FOLDER.mkdir(parents=True, exist_ok=True)
        stack.callback(lambda: shutil.copy(operator.process.log, FOLDER / "faults-operator.log"))
        observer = Observer(lab)
        shops = [_open(lab, f"storm-{number}") for number in range(SHOPS)]
        stack.enter_context(second_envoy(lab))
        loads = {shop.namespace: stack.enter_context(shop.load(RATE)) for shop in shops}
        inside = {shop.namespace: stack.enter_context(shop.service_load(INSIDE_RATE)) for shop in shops}
        for shop in shops:
            observer.listen(shop.namespace, loads[shop.namespace])
            observer.listen(shop.namespace, inside[shop.namespace], inside=True)
        chaos = Chaos(lab, observer, shops, dice)
        end = time.monotonic() + 60 * minutes
        assert operator.orders is not None
        each = operator.orders.death_at_every_effect("before", "after", phases=minutes >= LONG_MINUTES)
        with observer, lab.faults.kept("operator"), each:
            teams = [_Team(shop, observer, end) for shop in shops]
            for team in teams:
                team.start()
            try:
                _break(chaos, end)
            finally:
                for team in teams:
                    team.join()
        outcome.deaths = operator.orders.deaths()
        outcome.faults = dict(chaos.injected)
        outcome.samples = observer.samples
        outcome.judged = sum(team.trials.judged for team in teams)
        outcome.violations = [str(found) for found in observer.violations]
        outcome.violations += [problem for team in teams for problem in team.problems]
        for clients in (loads, inside):
            _count(outcome, clients, chaos.pod_kills)
    return outcome


def _count(outcome: Outcome, loads: dict[str, Load], kills: Sequence[PodKill]) -> None:
    for namespace, load in loads.items():
        counts = load.stop()
        ours, with_pods = failed(namespace, counts, kills)
        outcome.requests += counts.requests
        outcome.failed += ours
        outcome.died_with_pods += with_pods


def _break(chaos: Chaos, end: float) -> None:
    """Inject one or two faults again and again; every fault once before any comes a second time."""
    waiting_for_turn: list[str] = []
    while time.monotonic() < end:
        time.sleep(chaos.dice.uniform(*PAUSE_SECONDS))
        if len(waiting_for_turn) < 2:
            fresh = list(FAULTS)
            chaos.dice.shuffle(fresh)
            waiting_for_turn += fresh
        names = [waiting_for_turn.pop(0)]
        second = waiting_for_turn[0]
        if chaos.dice.random() < PAIRS and not any({names[0], second} <= set(lane) for lane in LANES):
            names.append(waiting_for_turn.pop(0))
        print(f"  {time.strftime('%H:%M:%S')} {' and '.join(names)}", flush=True)
        with ThreadPoolExecutor(len(names)) as pool:
            for fault in [pool.submit(chaos.inject, name) for name in names]:
                fault.result()  # one that could not be injected, or mended, ends the run


def _open(lab: Lab, namespace: str) -> Shop:
    app = App(namespace=namespace, replicas=2, steps=STEPS, bake="2s", template="quick-errors")
    shop = Shop(lab, app)
    shop.install()
    shop.wait_for_phase("Stable", seconds=120)
    waiting.until("ready pods", lambda: shop.deployment()["status"].get("readyReplicas") == app.replicas, seconds=60)
    waiting.until("an answer through the gateway", shop.served, seconds=60)
    return shop


class _Team(threading.Thread):
    """One shop's releases, until the time is over or one has gone wrong."""

    def __init__(self, shop: Shop, observer: Observer, end: float) -> None:
        super().__init__(name=shop.namespace)
        self.trials = Trials(shop, observer, seconds=RELEASE_SECONDS)
        self.problems: list[str] = []
        self._end = end

    @override
    def run(self) -> None:
        """A good version, a bad one, and so on."""
        good = True
        while time.monotonic() < self._end and not self.problems:
            try:
                (self.trials.promote if good else self.trials.roll_back)()
            except Exception as error:
                self.problems.append(f"{self.name}: {type(error).__name__}: {error}")
            good = not good


def main(arguments: Sequence[str] | None = None) -> int:
    """Run with a seed of one's own; 1 when something was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=10.0)
    given = parser.parse_args(arguments)
    outcome = storm(given.seed, given.minutes)
    show("faults", outcome.figures())
    print(f"  {write('faults', outcome.figures())}")
    for text in (*outcome.violations, *outcome.failed):
        print(text)
    if not outcome.sound:
        print(f"again: make chaos SEED={given.seed} MINUTES={given.minutes:g}")
    return 0 if outcome.sound else 1


if __name__ == "__main__":
    sys.exit(main())
