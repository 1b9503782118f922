"""The figures that a user of a rollback feels, on the lab's real parts: `make bench NAME=rollback`.

Two shops, each with 200 requests a second, are given good and bad versions one after the other. Then the operator is
killed in mid-release. Before all that it rests with one Rollout, for ten minutes.
"""

from __future__ import annotations

import contextlib
import shutil
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from typing_extensions import override

from benchmarks import operator_process
from benchmarks.figures import FOLDER, Figure
from benchmarks.operator_process import Restart
from benchmarks.release import Rollback, Team, Watching
from lab import waiting
from lab.cluster import GROUPS, Lab
from lab.parts.operator import Operator

RATE: Final = 200
INTERVAL_SECONDS: Final = 2.0
"""Between looks, as the shops' template says."""
SHOPS: Final = 2
"""At the same time: what one does is nearly all waiting for its traffic."""


def run(*, quick: bool = False) -> list[Figure]:
    """Measure all of it; about 17 minutes, of which the rest takes 10."""
    rollbacks, promotions, restarts, rest_seconds = (2, 1, 1, 60.0) if quick else (10, 2, 3, 600.0)
    with Lab.start(set(GROUPS) - {"services"}) as lab, contextlib.ExitStack() as stack:
        operator = Operator(lab)
        lab.add(operator)
        FOLDER.mkdir(parents=True, exist_ok=True)
        stack.callback(lambda: shutil.copy(operator.process.log, FOLDER / "rollback-operator.log"))
        watching = Watching.of(lab)
        for history in (watching.weights, watching.statuses, watching.workloads):
            stack.enter_context(history)
        teams = [Team(lab, f"bench-{number}", watching) for number in range(SHOPS)]
        teams[0].install()
        figures = operator_process.at_rest(operator, teams[0].shop, rest_seconds)
        for team in teams[1:]:
            team.install()
        for team in teams:
            team.load = stack.enter_context(team.shop.load(RATE))
        work = [_Work(team, promotions, rollbacks) for team in teams]
        for one in work:
            one.start()
        for one in work:
            one.join()
        killed = [_kill_in_mid_release(operator, teams[0]) for _ in range(restarts)]
        counts = [team.load.stop() for team in teams if team.load]
        done = [rollback for one in work for rollback in one.done]
        problems = [problem for one in work for problem in one.problems]
        for problem in problems:
            print(f"not measured: {problem}")
        if not done:
            raise RuntimeError(f"no rollback could be measured\n{operator.process.tail(40)}")
        figures += _of_rollbacks(done, SHOPS * rollbacks)
        figures += _of_restarts(killed)
        everything = [*done, *(rollback for rollback, _ in killed)]
        failures = [failure for count in counts for failure in count.failures]
        for failure in failures[:20]:
            print(f"failed request: {failure}")
        figures += [
            Figure.seen("promotions", sum(one.promoted for one in work), ""),
            Figure.seen("requests", sum(count.requests for count in counts), ""),
            Figure.exactly("requests failed by releases", sum(count.failed for count in counts), "", 0),
            Figure.exactly("requests planned but not sent", sum(count.dropped for count in counts), "", 0),
            Figure.exactly("pods of stable restarted by rollbacks", sum(r.restarted for r in everything), "", 0),
            Figure.exactly("weights raised after the evidence", sum(r.raises for r in everything), "", 0),
            Figure.seen("memory after all releases", operator_process.memory_mib(operator), "MiB"),
        ]
        return figures


class _Work(threading.Thread):
    """One team's versions, one after the other."""

    def __init__(self, team: Team, promotions: int, rollbacks: int) -> None:
        super().__init__(name=team.namespace)
        self._team = team
        self._promotions = promotions
        self._rollbacks = rollbacks
        self.promoted = 0
        self.done: list[Rollback] = []
        self.problems: list[str] = []

    @override
    def run(self) -> None:
        """One release that fails does not end the others."""
        for number in range(self._promotions + self._rollbacks):
            try:
                if number < self._promotions:
                    seconds = self._team.promote()
                    self.promoted += 1
                    print(f"  {self._team.namespace}: promoted in {seconds:.1f} s", flush=True)
                else:
                    self.done.append(self._team.roll_back())
                    print(f"  {self._team.namespace}: {course(self.done[-1])}", flush=True)
            except Exception as error:
                self.problems.append(f"{self._team.namespace}: {type(error).__name__}: {error}")
                print(f"  {self.problems[-1]}", flush=True)


def course(r: Rollback) -> str:
    """One rollback in one line, in seconds after the verdict."""
    return (
        f"{r.version}: judged {r.judged_at - r.verdict_at:+.3f}, weight 0 written {r.zero_written_at - r.verdict_at:.3f}, "
        f"served {r.zero_served_at - r.verdict_at:.3f}, confirmed {r.confirmed_at - r.verdict_at:.3f}, "
        f"pushed {r.pushed_at - r.verdict_at:.2f}, applied {r.applied_at - r.verdict_at:.2f}, "
        f"converged {r.converged_at - r.verdict_at:.2f}; bad answers {r.answers}"
    )


def _kill_in_mid_release(operator: Operator, team: Team) -> tuple[Rollback, Restart]:
    restarts: list[Restart] = []

    def in_mid_step() -> None:
        operator.process.kill()
        # Its first look would come after an interval. It is down for longer than that, so the evidence is there when it
        # comes back: what it then has to do is known, and waits for nothing else.
        waiting.until("an interval and a scrape", _after(INTERVAL_SECONDS + 2), seconds=60)
        restarts.append(operator_process.restart(operator))

    rollback = team.roll_back(in_mid_step)
    restart = restarts[0]
    return rollback, restart.with_effect(rollback.zero_written_at)


def _after(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def _of_rollbacks(done: Sequence[Rollback], wanted: int) -> list[Figure]:
    # The bad version answered some 20 requests a second: its last answer may come before the write that ended it.
    to_zero = [max(r.zero_served_at, r.zero_written_at) - r.verdict_at for r in done]
    to_push = [r.pushed_at - r.verdict_at for r in done]
    to_converged = [r.converged_at - r.pushed_at for r in done]
    written = [r.zero_written_at - r.verdict_at for r in done]
    gateway = [max(0.0, r.zero_served_at - r.zero_written_at) for r in done]
    return [
        Figure.exactly("rollbacks measured", len(done), "", wanted),
        Figure.at_most("verdict to weight 0 in force, median", statistics.median(to_zero), "s", 1),
        Figure.at_most("verdict to weight 0 in force, worst", max(to_zero), "s", 2),
        Figure.seen("  of it, operator to API server, median", statistics.median(written), "s"),
        Figure.seen("  of it, operator to API server, worst", max(written), "s"),
        Figure.seen("  of it, API server to gateway, worst", max(gateway), "s"),
        Figure.seen(
            "last look before the verdict, median", statistics.median(r.verdict_at - r.judged_at for r in done), "s"
        ),
        Figure.seen("verdict to revert pushed, median", statistics.median(to_push), "s"),
        Figure.at_most("verdict to revert pushed, worst", max(to_push), "s", 5),
        Figure.seen("  of it, weight 0 confirmed, worst", max(r.confirmed_at - r.verdict_at for r in done), "s"),
        Figure.seen("push to converged, median", statistics.median(to_converged), "s"),
        Figure.at_most("push to converged, worst", max(to_converged), "s", 10),
        Figure.seen("  of it, until Flux applied, worst", max(r.applied_at - r.pushed_at for r in done), "s"),
    ]


def _of_restarts(killed: Sequence[tuple[Rollback, Restart]]) -> list[Figure]:
    restarts = [restart for _, restart in killed]
    return [
        Figure.at_most("kill -9, start to first look, worst", max(r.first_look for r in restarts), "s", 2),
        Figure.seen("  of it, until it has started (imports), worst", max(r.started for r in restarts), "s"),
        Figure.seen("  of it, until it leads, worst", max(r.elected for r in restarts), "s"),
        Figure.at_most("kill -9, start to weight 0 written, worst", max(r.effect for r in restarts), "s", 2),
    ]
