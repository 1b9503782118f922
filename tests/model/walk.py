"""The exhaustive walk: every state that a bounded world can reach, whoever acts in whatever order.

Breadth first, so that the shortest way to a broken promise is told. Only what a scenario allows happens, and each hand
only so often; the operator, the cluster, Git and the clock act without bound. The clock jumps from one deadline to the
next, and only when nobody else has anything to do: to be slow is a hand of its own.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from canary.core import effects as fx
from tests.model.canonical import canonical, next_instant
from tests.property.hands import Hand
from tests.property.parts import Violated
from tests.property.search import is_clean, mend, rests_or_says_why_not
from tests.property.world import World

Budget: TypeAlias = tuple[int, ...]
"""How often each of a scenario's turns may still be taken; then crashes and depositions."""


@dataclass(frozen=True)
class Turn:
    """Hands of which any acts, so often in all; or each once, one after the other."""

    times: int
    hands: Mapping[str, Hand]
    in_order: bool = False

    def next(self, left: int) -> Iterable[tuple[str, Hand]]:
        """Those that may act when the turn may be taken so often."""
        return [list(self.hands.items())[-left]] if self.in_order else self.hands.items()


@dataclass(frozen=True)
class Scenario:
    """A bounded world: who may act in it, and how often."""

    name: str
    says: str
    turns: tuple[Turn, ...]
    world: Callable[[], World]
    crashes: int = 0
    """How often the operator ends between any two effects."""
    depositions: int = 0
    """How often another replica takes the Lease while the old leader has a request under way."""
    apart: bool = False
    """Whether others may act between any two effects of a pass, so that it rests on an old look."""
    lag: bool = False
    """Whether kubelet, controller, gateway and engine each take their time; else the clock waits for them."""


@dataclass(frozen=True)
class Counts:
    """What a walk has seen."""

    states: int
    transitions: int
    whole: bool
    """False: stopped at the limit."""
    seen: frozenset[str]
    """Phases and stages that were reached."""


@dataclass
class _Walk:
    scenario: Scenario
    parents: dict[int, tuple[int, str]] = field(default_factory=dict)
    settled: set[int] = field(default_factory=set)
    """Worlds that are known to come to rest."""
    transitions: int = 0
    seen: set[str] = field(default_factory=set)
    at: int = 0
    label: str = ""

    # --- who may act -------------------------------------------------------------------------------------------------

    def successors(self, world: World, budget: Budget) -> Iterator[tuple[str, World, Budget]]:
        """Every state that one act leads to."""
        key = world.key()
        idle = world.gone
        if world.passing is not None:
            yield from self._in_mid_pass(world, budget)
        elif not world.gone:
            effects = 0
            other = world.clone()
            self.label = "the operator's pass"
            looked = other.look()
            effects = len(looked.effects)
            if self.scenario.apart:
                yield "look", other.clone(), budget
            while other.passing is not None:
                other.step()
            idle = canonical(other).key() == key
            if not self.scenario.apart:
                yield "pass", other, budget
                yield from self._crashes(world, budget, effects)
        if world.late is not None:
            yield self._act("the old leader's request lands", world, World.land_late, budget)
        quiet = True
        for name, act in LAGGING if self.scenario.lag else PROMPT:
            result = self._act(name, world, act, budget)
            result[1].stale()
            quiet &= self.scenario.lag or result[1].key() == key
            yield result
        if idle and quiet and world.late is None:
            yield self._act("time", world, lambda w: w.pass_time(next_instant(w) - w.now), budget)
        yield from self._hands(world, budget)

    def _in_mid_pass(self, world: World, budget: Budget) -> Iterator[tuple[str, World, Budget]]:
        crashes, depositions = budget[-2:]
        yield self._act("step", world, World.step, budget)
        if crashes:
            yield self._act("crash", world, World.crash, (*budget[:-2], crashes - 1, depositions))
        if depositions and world.late is None:
            yield self._act("depose", world, World.depose, (*budget[:-2], crashes, depositions - 1))

    def _crashes(self, world: World, budget: Budget, effects: int) -> Iterator[tuple[str, World, Budget]]:
        crashes, depositions = budget[-2:]
        for done in range(effects + 1 if crashes else 0):

            def dies(other: World, done: int = done) -> None:
                other.operate(crash_after=done)

            yield self._act(f"crash after {done}", world, dies, (*budget[:-2], crashes - 1, depositions))

    def _hands(self, world: World, budget: Budget) -> Iterator[tuple[str, World, Budget]]:
        for n, turn in enumerate(self.scenario.turns):
            if not budget[n]:
                continue
            left = (*budget[:n], budget[n] - 1, *budget[n + 1 :])
            for name, hand in turn.next(budget[n]):
                result = self._act(name, world, hand, left)
                result[1].stale()
                yield result

    def _act(self, label: str, world: World, act: Callable[[World], None], budget: Budget) -> tuple[str, World, Budget]:
        self.label = label
        other = world.clone()
        act(other)
        return label, canonical(other), budget

    @property
    def budget(self) -> Budget:
        """What may happen in all."""
        scenario = self.scenario
        return (*(turn.times for turn in scenario.turns), scenario.crashes, scenario.depositions)

    # --- the walk ----------------------------------------------------------------------------------------------------

    def run(self, limit: int) -> Counts:
        """Visit everything, or as much as the limit lets."""
        first = canonical(self.scenario.world())
        budget = self.budget
        queue = deque([(first, budget, hash((first.key(), budget)))])
        self.parents[queue[0][2]] = (0, "")
        try:
            while queue and self.transitions < limit:
                world, budget, self.at = queue.popleft()
                stage = world.state.release.stage if world.state.release else None
                self.seen.add(world.state.phase if stage is None else stage)
                for label, other, left in self.successors(world, budget):
                    self.transitions += 1
                    reached = hash((canonical(other).key(), left))
                    if reached not in self.parents:
                        self.parents[reached] = (self.at, label)
                        queue.append((other, left, reached))
                self.label = "and then everything works, and nothing new comes"
                self.comes_to_rest(world)
        except (Violated, ValueError, IndexError) as error:
            error.add_note(self.told())
            raise
        return Counts(len(self.parents), self.transitions, not queue, frozenset(self.seen))

    def comes_to_rest(self, world: World) -> None:
        """Nobody acts any more but those who work by themselves: the Rollout rests or says why not; mended, it rests."""
        path: set[int] = set()
        other = world.clone()
        while True:
            key = other.key()
            reached = hash(key)
            if reached in self.settled:
                break
            if reached in path:
                raise Violated("everything_comes_to_rest", f"goes round for ever: {other.state}")
            path.add(reached)
            _everybody_works(other)
            if canonical(other).key() != key:
                continue
            other.pass_time(next_instant(other) - other.now)
            if canonical(other).key() != key:
                continue
            self._rests(other)
            break
        self.settled |= path

    def _rests(self, world: World) -> None:
        rests_or_says_why_not(world)
        if not world.gone:
            left = [e for e in world.clone().look().effects if not isinstance(e, fx.RevertInGit)]
            if left:
                raise Violated("at_rest_nothing_is_written", f"writes for ever: {left}")
        mended = world.clone()
        mend(mended)
        if canonical(mended).key() == world.key():
            is_clean(world)
        else:
            self.comes_to_rest(mended)

    def told(self) -> str:
        """The way to where the walk is, and what the operator did on it."""
        labels: list[str] = []
        at = self.at
        while at:
            at, label = self.parents[at]
            labels.append(label)
        world, budget = canonical(self.scenario.world()), self.budget
        told = [f"{self.scenario.name}:"]
        for label in reversed([label for label in labels if label]):
            world.log, world.logs = [], True
            world, budget = next((w, b) for name, w, b in self.successors(world, budget) if name == label)
            told += [f"-- {label}", *map(_brief, world.log)]
        world.log, world.logs = [], True
        told.append(f"-- {self.label}")
        try:
            for _ in self.successors(world, budget):
                pass
            self.settled.clear()
            self.comes_to_rest(world)
        except (Violated, ValueError, IndexError):
            told += map(_brief, world.log)
        return "\n".join(told)


def _brief(entry: str) -> str:
    """A line of the log in which a status is what people see of it."""
    seen = re.findall(r"(?:phase|stage)=<\w+\.\w+: '(\w+)'>|reason='(\w*)', message='([^']*)'", entry)
    return (
        entry if "WriteStatus" not in entry else "   status: " + " ".join(part for hit in seen for part in hit if part)
    )


def _everybody_works(world: World) -> None:
    while world.passing is not None:
        world.step()
    if world.late is not None:
        world.land_late()
    _cluster(world)
    world.git_works()
    world.sync()
    if not world.gone:
        world.operate()


def _cluster(world: World) -> None:
    world.kubelet()
    world.controller()
    world.kubelet()
    world.gateway()


def _git_and_engine(world: World) -> None:
    world.git_works()
    world.sync()


PROMPT: tuple[tuple[str, Hand], ...] = (("cluster", _cluster), ("git", _git_and_engine))
LAGGING: tuple[tuple[str, Hand], ...] = (
    ("kubelet", World.kubelet),
    ("controller", World.controller),
    ("gateway", World.gateway),
    ("git", World.git_works),
    ("engine", World.sync),
)


def walk(scenario: Scenario, *, limit: int = sys.maxsize) -> Counts:
    """Visit every state of a scenario; give up after so many transitions.

    Raises
    ------
    Violated
        Some promise does not hold; the way there is in the notes.
    """
    return _Walk(scenario).run(limit)
