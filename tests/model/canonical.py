"""Worlds that differ in nothing that matters are one state: times count from now, and what can have no effect is forgotten."""

from __future__ import annotations

from dataclasses import replace

from canary.core import effects as fx
from canary.core.decide import decide
from canary.core.observed import Commands
from canary.core.state import Release, State
from canary.core.waiting import TELL_SECONDS
from tests.property.parts import Pass
from tests.property.seeing import KNOWS_AFTER_SECONDS, SUSPECTS_AFTER_SECONDS
from tests.property.world import World

NOW = 10_000.0
"""What the clock says in every state."""
LONG = 1_000.0
"""Seconds after which everything that a Rollout waits for has timed out; older than that is as old as that."""


def canonical(world: World) -> World:
    """Bring a world into the form in which it is compared with others."""
    _forget(world)
    passed = world.now - NOW
    world.state = _state(world.state, passed)
    if passed:
        world.now = NOW
        world.silent_since = max(world.silent_since - passed, NOW - LONG)
        world.cold_until = max(world.cold_until - passed, NOW)
        world.asked = tuple(_revert(asked, passed) for asked in world.asked)
        world.revert_asked = world.revert_asked and _revert(world.revert_asked, passed)
        world.passing = world.passing and _pass(world.passing, passed)
        world.late = world.late and _pass(world.late, passed)
    return world


def next_instant(world: World) -> float:
    """When the clock alone may next change something: a deadline of the Rollout's, or of the world's."""
    wake_at = decide(world.plan, world.state, world.observed(), world.now).wake_at
    release = world.state.release
    instants = [wake_at, world.silent_since + world.plan.drain_seconds, world.cold_until]
    if release is not None:
        instants.append(release.since + TELL_SECONDS)
        if release.analysis_since is not None:
            instants += [release.analysis_since + s for s in (SUSPECTS_AFTER_SECONDS, KNOWS_AFTER_SECONDS)]
    return min((at for at in instants if at is not None and at > world.now), default=world.now + LONG)


def _forget(world: World) -> None:
    world.writes = 0
    under_way = world.passing is not None or world.late is not None
    if not under_way:
        world.rv = world.route_rv = world.rollout_rv = 1
    release = world.state.release
    if release is None:
        world.commands = Commands(paused=world.commands.paused)
        if not under_way:
            world.answer = world.revert_asked = None
            if world.copy is None and world.weight is None:
                # Nothing is left that carries a release's id: they may begin anew.
                world.asked, world.failed, world.reverted, world.sync_asked = (), set(), [], ""
                world.state = replace(world.state, attempts=0) if world.state.attempts else world.state
    world.noted = tuple(replace(r, at=0.0) for r in world.noted)
    running = {version for version, pods in world.sets.items() if pods.replicas}
    world.allowed &= running if world.held else running | {world.version}


def _at(at: float, passed: float) -> float:
    return max(at - passed, NOW - LONG)


def _maybe(at: float | None, passed: float) -> float | None:
    return None if at is None else max(at - passed, NOW - LONG)


def _state(state: State, passed: float) -> State:
    release = state.release
    if passed == 0.0 and not state.history and (release is None or release.held_at == 0.0):
        return state
    return replace(
        state,
        release=None if release is None else _release(release, passed),
        history=(),
        rejected=tuple(replace(r, at=0.0) for r in state.rejected),
        drained_since=_maybe(state.drained_since, passed),
    )


def _release(release: Release, passed: float) -> Release:
    return replace(
        release,
        held_at=0.0,
        since=_at(release.since, passed),
        in_force_since=_maybe(release.in_force_since, passed),
        analysis_since=_maybe(release.analysis_since, passed),
        unready_since=_maybe(release.unready_since, passed),
        verdict_at=_maybe(release.verdict_at, passed),
    )


def _revert(asked: fx.RevertInGit, passed: float) -> fx.RevertInGit:
    return replace(asked, at=_at(asked.at, passed))


def _pass(passing: Pass, passed: float) -> Pass:
    effects: list[fx.Effect] = []
    for effect in passing.effects:
        match effect:
            case fx.WriteStatus(state):
                effects.append(fx.WriteStatus(_state(state, passed)))
            case fx.RevertInGit():
                effects.append(_revert(effect, passed))
            case _:
                effects.append(effect)
    return passing._replace(effects=tuple(effects))
