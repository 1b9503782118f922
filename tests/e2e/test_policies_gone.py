"""The admission policies are taken away under a running operator, and come back: it notices both by itself."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from lab.cluster import Lab
from tests.e2e.policies_in_force import wait_for_policies
from tests.e2e.shops import POLL_SECONDS, Shops

pytestmark = pytest.mark.lab
CALM_SECONDS = 6.0
"""Several tries of the operator's."""
HOLD = Path(__file__).resolve().parents[2] / "deploy" / "base" / "policies" / "hold.yaml"


def test_the_operator_holds_by_itself_while_the_policies_do_not_act(lab: Lab, shops: Shops) -> None:
    shop = shops.open("alone", steps=((5, "60s", "120s"),))
    assert not shop.deployment()["spec"].get("paused")
    try:
        # The binding stays: that it is there does not say that it acts.
        lab.kubectl("delete", "mutatingadmissionpolicy", "canary-hold")
        lab.kubectl("annotate", "mutatingadmissionpolicybinding", "canary-hold", "touched=yes")
        shop.wait("the operator's own hold", shop.held, seconds=60)
        until = time.monotonic() + CALM_SECONDS
        while time.monotonic() < until:  # what is claimed is that it stays so
            assert shop.held(), "its own hold passed for the policy's"
            time.sleep(POLL_SECONDS)
    finally:
        lab.apply(HOLD.read_text())
        wait_for_policies(lab, routes=False)
    shop.wait("the policies to be believed again", lambda: not shop.held(), seconds=60)
    try:
        lab.kubectl("delete", "mutatingadmissionpolicybinding", "canary-hold")
        shop.wait("the operator's own hold", shop.held, seconds=60)
        shop.push("v2", version="v2")
        shop.wait_for_phase("Step", seconds=120)
        assert shop.replica_sets() == {"shop/checkout:v1": 2}
    finally:
        lab.apply(HOLD.read_text())
        wait_for_policies(lab, routes=False)
    assert shop.held(), "what is under way goes on"
