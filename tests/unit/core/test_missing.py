"""What the Rollout names and is not there is told by its kind, its name and the field to correct."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from canary.core.decide import decide
from canary.core.observed import Observed
from tests.property.world import World


def said(without: Callable[[Observed], Observed]) -> str:
    world = World()
    world.settle()
    plan = replace(world.plan, workload="checkout", service="checkout-svc", route="checkout-route")
    return decide(plan, world.state, without(world.observed()), world.now).state.message


@pytest.mark.parametrize(
    ("without", "message"),
    [
        (
            lambda seen: replace(seen, workload=None),
            "Deployment 'checkout' does not exist: apply it, or correct spec.workload.name;",
        ),
        (
            lambda seen: replace(seen, service=None),
            "Service 'checkout-svc' does not exist: apply it, or correct spec.service.name;",
        ),
        (
            lambda seen: replace(seen, traffic=None),
            "HTTPRoute 'checkout-route' does not exist: apply it, or correct spec.traffic.gatewayAPI.route.name;",
        ),
    ],
)
def test_what_is_missing_is_named_with_the_field_that_names_it(without, message):
    assert said(without).startswith(message)
