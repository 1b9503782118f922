"""Each promise is broken by a change of the code that breaks just it: a walk that finds nothing has looked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any, TypeAlias

import pytest

from canary.core import act, advance, decide, holding, shift, stepping
from canary.core import effects as fx
from canary.core.act import Acts
from canary.core.judging import Watched
from canary.core.phases import Phase, Stage
from canary.core.plan import Plan
from canary.core.scope import Scope
from canary.core.state import State
from tests.model.scenarios import SMALL, TWO_STEPS, hands, push, start
from tests.model.walk import Scenario, walk
from tests.property.parts import Violated
from tests.property.promises import PROMISES
from tests.property.world import World

Effects: TypeAlias = tuple[fx.Effect, ...]
Mutant: TypeAlias = Callable[[pytest.MonkeyPatch], None]
AT_REST = ("everything_comes_to_rest", "at_rest_nothing_is_written", "at_rest_nothing_of_a_canary_is_left",
           "at_rest_only_stable_runs", "the_same_look_decides_the_same")  # fmt: skip
"""Promises about what comes in the end, and about `decide()` itself; the walk asks them, not each deed."""


def weight_comes_before_pods(patch: pytest.MonkeyPatch) -> None:
    def raises(scope: Scope, weight: int) -> Effects:
        traffic = scope.observed.traffic
        if traffic is None or (traffic.weight is not None and traffic.weight >= weight):
            return ()
        return (fx.SetWeight(weight, traffic.resource_version),)

    patch.setattr(shift, "_raise_to", raises)


def pods_are_counted_of_any_release(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Scope, "needed", lambda scope, weight: 1)


def raises_are_forced(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(shift, "SetWeight", lambda weight, _: fx.SetWeight(weight, None))


def suspicion_is_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(shift, "may_raise", lambda scope: "")


def stable_is_scaled_down_at_a_hundred_percent(patch: pytest.MonkeyPatch) -> None:
    was = holding.deployment

    def saves(scope: Scope) -> Effects:
        release, stable = scope.state.release, scope.stable_set
        bakes = release is not None and release.stage is Stage.BAKE and stable is not None and stable.replicas
        return (fx.ScaleReplicaSet(stable.name, 0),) if bakes and stable else was(scope)

    patch.setattr(act, "deployment", saves)


def letting_go_forgets_what_was_judged(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(holding, "LetGo", lambda _: fx.LetGo("any"))


def letting_go_comes_before_the_judgement(patch: pytest.MonkeyPatch) -> None:
    was = holding.deployment

    def lets_go(scope: Scope) -> Effects:
        at_once = scope.state.phase is Phase.STEP and scope.workload.held
        return (fx.LetGo(scope.workload.resource_version),) if at_once else was(scope)

    patch.setattr(act, "deployment", lets_go)


def the_pin_is_skipped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(shift, "_pin", lambda scope, pod_template_hash: ())
    patch.setattr(Scope, "pinned", lambda scope, pod_template_hash: True)


def the_pin_stays_with_the_canary(patch: pytest.MonkeyPatch) -> None:
    def lowers(scope: Scope, weight: int) -> Effects:
        traffic = scope.observed.traffic
        return (fx.SetWeight(weight, None),) if traffic and (traffic.weight or 0) > weight else ()

    patch.setattr(shift, "_lower_to", lowers)


def the_pin_goes_home_to_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Scope, "home_serves", property(lambda scope: True))


def the_deployment_rolls_under_the_pin(patch: pytest.MonkeyPatch) -> None:
    def lets_go(scope: Scope) -> Effects:
        return (fx.LetGo(scope.workload.resource_version),) if scope.workload.held else ()

    def carries(pod_template_hash: str | None) -> bool:
        return (pod_template_hash or "").startswith("k-copy")

    pin, pinned = shift._pin, Scope.pinned
    patch.setattr(shift, "let_go", lets_go)
    patch.setattr(shift, "_pin", lambda scope, h: () if carries(h) else pin(scope, h))
    patch.setattr(Scope, "pinned", lambda scope, h: carries(h) or pinned(scope, h))


def the_verdict_is_written_first(patch: pytest.MonkeyPatch) -> None:
    was = act.act

    def late(scope: Scope) -> Acts:
        acts = was(scope)
        return Acts((), (*acts.first, *acts.then))

    patch.setattr(decide, "act", late)


def nothing_drains(patch: pytest.MonkeyPatch) -> None:
    def noted(scope: Scope) -> State:
        return replace(scope.state, drained_since=None if scope.observed.copy is None else 0.0)

    patch.setattr(advance, "_note_drain", noted)


def what_was_rejected_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Scope, "is_rejected", lambda scope, revision: False)


def the_rollout_goes_before_its_canary(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(act, "_finish", lambda scope: (fx.RemoveFinalizer(),) if scope.observed.deleting else ())


def the_commit_has_the_date_of_the_asking(patch: pytest.MonkeyPatch) -> None:
    was = act._git

    def now(scope: Scope) -> Effects:
        return tuple(replace(e, at=scope.now) if isinstance(e, fx.RevertInGit) else e for e in was(scope))

    patch.setattr(act, "_git", now)


def weights_are_written_as_differences(patch: pytest.MonkeyPatch) -> None:
    was = World._weigh
    patch.setattr(World, "_weigh", lambda world, weight: was(world, weight and (world.weight or 0) + weight))


def the_decision_is_drawn(patch: pytest.MonkeyPatch) -> None:
    was, draws = advance.advance, count()

    def drawn(scope: Scope) -> State:
        state = was(scope)
        return replace(state, reason=f"Drawn{next(draws)}") if state != scope.state else state

    patch.setattr(decide, "advance", drawn)


def a_step_never_ends(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stepping, "watched", lambda scope, step: Watched.WAIT)


def labels_are_written_at_every_look(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(act, "_labels", lambda scope: (fx.Label(workload=True, service=True, route=True),))


def the_canary_stays(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(shift, "_tear_down", lambda scope: ())


def other_pods_stay(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(holding, "_only", lambda scope, template_hash: ())


def world(
    *versions: str, people: tuple[str, ...] = (), times: int = 1, plan: Plan = SMALL, fields: Any = None, **how: Any
) -> Scenario:
    """A world that is just large enough for one mutant."""
    turns = (*push(*versions), *((hands(times, *people),) if people else ()))
    return Scenario("for a mutant", "", turns, lambda: start(plan, **(fields or {})), **how)


@pytest.mark.parametrize(
    ("mutant", "scenario", "promise"),
    [
        (weight_comes_before_pods, world("good1"), "no_weight_without_ready_capacity"),
        (pods_are_counted_of_any_release, world("good1"), "no_weight_without_ready_capacity"),
        (
            raises_are_forced,
            world("good1", people=("somebody_asks_to_abort",), plan=TWO_STEPS, apart=True, depositions=1),
            "the_weight_never_rises_after_a_fail_verdict",
        ),
        (
            suspicion_is_ignored,
            world("dubious1", people=("somebody_sets_the_weight_to_0",)),
            "no_raise_under_suspicion",
        ),
        (stable_is_scaled_down_at_a_hundred_percent, world("good1"), "stable_pods_stay_until_the_unpause"),
        (
            letting_go_forgets_what_was_judged,
            world("good1", "bad1", apart=True),
            "an_unjudged_template_is_never_let_go",
        ),
        (letting_go_comes_before_the_judgement, world("good1"), "an_unjudged_template_is_never_let_go"),
        (the_pin_is_skipped, world("good1"), "clients_of_the_root_service_meet_no_canary"),
        (
            the_pin_stays_with_the_canary,
            world("good1", people=("somebody_asks_to_abort",)),
            "weight_zero_means_stable",
        ),
        (
            the_pin_goes_home_to_nobody,
            world("good1", people=("pods_of_the_deployment_die", "somebody_takes_the_pin"), times=2),
            "a_service_in_use_keeps_its_endpoints",
        ),
        (the_deployment_rolls_under_the_pin, world("good1"), "a_service_in_use_keeps_its_endpoints"),
        (the_verdict_is_written_first, world("bad1"), "traffic_goes_before_the_verdict_is_written"),
        (nothing_drains, world("bad1"), "a_canary_goes_when_it_is_drained"),
        (
            what_was_rejected_is_forgotten,
            world("bad1", people=("a_rejected_version_is_pushed",)),
            "a_rejected_version_gets_no_pods",
        ),
        (
            the_rollout_goes_before_its_canary,
            world("good1", people=("the_rollout_is_deleted",)),
            "nothing_is_left_behind",
        ),
        (
            the_commit_has_the_date_of_the_asking,
            world("bad1", people=("git_changes",)),
            "a_revert_has_one_key_and_one_sha",
        ),
        (
            weights_are_written_as_differences,
            world("good1", fields={"does_all_twice": True}),
            "the_same_effect_twice_leaves_the_same_world",
        ),
        (the_decision_is_drawn, world("good1", fields={"does_all_twice": True}), "the_same_look_decides_the_same"),
        (a_step_never_ends, world("good1"), "everything_comes_to_rest"),
        (labels_are_written_at_every_look, world("good1"), "at_rest_nothing_is_written"),
        (the_canary_stays, world("bad1"), "at_rest_nothing_of_a_canary_is_left"),
        (
            other_pods_stay,
            world("good1", people=("the_glass_is_broken",), fields={"policies": False}),
            "at_rest_only_stable_runs",
        ),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_the_walk_kills(mutant: Mutant, scenario: Scenario, promise: str, monkeypatch: pytest.MonkeyPatch):
    mutant(monkeypatch)
    with pytest.raises(Violated) as caught:
        walk(scenario)
    assert caught.value.promise == promise, caught.value


def test_every_promise_has_a_mutant():
    (mark,) = test_the_walk_kills.pytestmark
    assert {promise for *_, promise in mark.args[1]} == {*PROMISES, *AT_REST}
