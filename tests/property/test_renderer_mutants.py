"""Renderers and readers that are broken in one place each: the histories over the rendered world find every one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import pytest

from canary.api.patch import Patch
from canary.core.phases import Stage
from canary.operator import look
from canary.traffic import gateway_api, gateway_api_managed
from canary.workload import copy, hold, observe, pin, rejected
from tests.property.parts import Violated
from tests.property.rendered import RenderedWorld
from tests.property.search import search, work
from tests.property.test_renderers_in_a_world import HANDS

Mutant: TypeAlias = Callable[[pytest.MonkeyPatch], None]
Story: TypeAlias = Callable[[], None]
DECIDED, SEEN = "the_objects_say_what_was_decided", "the_look_sees_what_is_there"


def _change(patch: pytest.MonkeyPatch, where: Any, name: str, change: Callable[[Any], None]) -> None:
    """Let a renderer's body be changed before it is sent."""
    was = getattr(where, name)

    def changed(*args: Any, **named: Any) -> Patch:
        made: Patch = was(*args, **named)
        change(made.body)
        return made

    patch.setattr(where, name, changed)


def the_canarys_service_selects_by_the_teams_labels_alone(patch: pytest.MonkeyPatch) -> None:
    def wide(body: Any) -> None:
        body["spec"]["selector"] = {"app": "checkout"}

    _change(patch, copy, "render_canary_service", wide)


def the_pin_is_written_as_another_annotation(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pin, "ANNOTATION_PIN", "canary.delivery/pinned")


def the_pin_stays_when_it_is_taken_off(patch: pytest.MonkeyPatch) -> None:
    was = pin.pin
    patch.setattr(pin, "pin", lambda of, pod_hash, **named: was(of, pod_hash or "stays", **named))


def weights_are_given_the_wrong_way_round(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        gateway_api.AttachedRoute, "_value", lambda self, w: f"{self.split.service} {self.split.canary} {w} {100 - w}"
    )


def the_managed_route_gives_the_canary_nothing(patch: pytest.MonkeyPatch) -> None:
    was = gateway_api_managed.ManagedRoute._apply
    patch.setattr(gateway_api_managed.ManagedRoute, "_apply", lambda self, weight, rv: was(self, weight and 0, rv))


def the_hold_is_taken_off_and_the_deployment_stays_paused(patch: pytest.MonkeyPatch) -> None:
    _change(patch, hold, "let_go", lambda body: body.pop("spec"))


def letting_go_rests_on_any_object(patch: pytest.MonkeyPatch) -> None:
    _change(patch, hold, "let_go", lambda body: body["metadata"].pop("resourceVersion"))


def the_copy_has_one_pod_whatever_is_asked(patch: pytest.MonkeyPatch) -> None:
    _change(patch, copy, "render_copy", lambda body: body["spec"].update(replicas=1))


def what_a_person_added_to_the_copy_stays(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(copy, "render_exact_template", lambda made, answer, wanted: None)


def a_version_is_forgotten_by_apply(patch: pytest.MonkeyPatch) -> None:
    def applied(present: Any, whose: rejected.Listed, **named: str) -> Patch:
        return rejected._write(whose, ())

    patch.setattr(rejected, "forget", applied)


def endpoints_of_pods_that_are_not_ready_count(patch: pytest.MonkeyPatch) -> None:
    was = observe.canary_service

    def counts(service: Any, slices: Any, release: str) -> tuple[bool, int]:
        ready = [{**s, "endpoints": [{**e, "conditions": {"ready": True}} for e in s["endpoints"]]} for s in slices]
        return was(service, ready, release)

    patch.setattr(look, "canary_service", counts)


def pods_of_any_release_count_as_ready(patch: pytest.MonkeyPatch) -> None:
    was = observe.copy_view

    def counts(*args: Any) -> Any:
        seen = was(*args)
        return seen and replace(seen, ready=seen.replicas)

    patch.setattr(look, "copy_view", counts)


def histories(*, managed: bool = False, compares: bool = True) -> Story:
    """Six histories, of everybody.

    Without the comparison with the world without objects, the promise itself is broken.
    """
    return lambda: search(6, make=lambda: RenderedWorld(managed=managed, compares=compares), hands=HANDS)


def commits_in_mid_pass() -> None:
    """Before the Deployment is let go a commit lands between every look and what it led to."""
    world = RenderedWorld()
    work(world, 4)
    world.push("good1")
    for n in range(60):
        stage = world.state.release.stage if world.state.release else None
        if stage in (Stage.PIN, Stage.REPLACE):
            world.operate(meanwhile=lambda n=n: world.push(f"good{n + 2}"))  # type: ignore[misc]
        work(world, 1)


def canary_pods_die() -> None:
    """In mid-release, and the operator looks before they are back."""
    world = RenderedWorld()
    work(world, 4)
    world.push("good1")
    for _ in range(12):
        work(world, 1)
        HANDS["all_of_the_canary_pods_die"](world)
        world.operate()


@pytest.mark.parametrize(
    ("mutant", "story", "promise"),
    [
        (
            weights_are_given_the_wrong_way_round,
            histories(compares=False),
            "clients_of_the_root_service_meet_no_canary",
        ),
        (the_pin_stays_when_it_is_taken_off, histories(compares=False), "a_service_in_use_keeps_its_endpoints"),
        (
            the_hold_is_taken_off_and_the_deployment_stays_paused,
            histories(compares=False),
            "a_service_in_use_keeps_its_endpoints",
        ),
        (the_pin_is_written_as_another_annotation, histories(compares=False), "at_rest_nothing_is_written"),
        (letting_go_rests_on_any_object, commits_in_mid_pass, "an_unjudged_template_is_never_let_go"),
        (pods_of_any_release_count_as_ready, canary_pods_die, SEEN),
        (endpoints_of_pods_that_are_not_ready_count, canary_pods_die, SEEN),
        (the_canarys_service_selects_by_the_teams_labels_alone, histories(), SEEN),
        (the_managed_route_gives_the_canary_nothing, histories(managed=True), DECIDED),
        (the_copy_has_one_pod_whatever_is_asked, histories(), DECIDED),
        (what_a_person_added_to_the_copy_stays, histories(), DECIDED),
        (a_version_is_forgotten_by_apply, histories(), DECIDED),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_the_histories_kill(mutant: Mutant, story: Story, promise: str, monkeypatch: pytest.MonkeyPatch):
    mutant(monkeypatch)
    with pytest.raises(Violated) as caught:
        story()
    assert caught.value.promise == promise, caught.value
