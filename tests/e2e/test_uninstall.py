"""Canary is taken out of a cluster in mid-release: users are served, and nothing that was not judged starts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import waiting
from lab.cluster import Lab
from lab.parts.operator import Operator
from tests.e2e.policies_in_force import wait_for_policies
from tests.e2e.shops import Shops

pytestmark = pytest.mark.lab
PROJECT = Path(__file__).resolve().parents[2]
CALM_SECONDS = 5.0
LET_GO = (
    '{"metadata":{"labels":{"canary.delivery/rollout":null},"annotations":{"canary.delivery/held":null}},'
    '"spec":{"paused":null}}'
)
"""As docs/uninstall.md says it."""


@pytest.fixture
def installed_again(lab: Lab, operator: Operator) -> Iterator[None]:
    """Whatever the test takes out is there again for the tests that follow."""
    yield
    lab.install_project()
    wait_for_policies(lab, routes=True)
    operator.process.stop()
    operator.prepare()
    operator.start()


def test_canary_is_taken_out_in_mid_release_and_leaves_services_with_endpoints_and_no_unjudged_pod(
    lab: Lab, operator: Operator, shops: Shops, installed_again: None
) -> None:
    resting = shops.open("resting")
    midway = shops.open("midway", steps=((50, "60s", "90s"),))
    with midway.load(100) as clients, resting.load(20) as others:
        midway.answers("v1", clients)
        midway.push("v2", version="v2")
        midway.answers("v2", clients)

        # The order of docs/uninstall.md; in the lab the operator is a process, elsewhere it goes with deploy/base.
        lab.kubectl("delete", "rollouts.canary.delivery", "--all", "--all-namespaces", "--timeout=60s")
        named = "deployments", "-l", "canary.delivery/rollout", "-o", "name"
        assert lab.kubectl("get", *named, "-n", midway.namespace).split() == ["deployment.apps/checkout"]
        assert not lab.kubectl("get", *named, "-n", resting.namespace), "only what is still held is still labelled"
        operator.process.stop()
        lab.kubectl("delete", "--ignore-not-found", "--timeout=90s", "-k", PROJECT / "deploy" / "base")
        lab.kubectl("delete", "--timeout=60s", *(f"--filename={file}" for file in (PROJECT / "crds").glob("canary*")))

        served = clients.counts().of("v2")
        time.sleep(CALM_SECONDS)  # not for luck: what is claimed is that nothing happens meanwhile
        counts, other_counts = clients.stop(), others.stop()
    assert counts.failed + other_counts.failed == 0, counts.failures
    assert counts.of("v2") == served
    for shop in (resting, midway):
        assert len(shop.endpoints()) == 2
        assert not shop.pinned()
        assert shop.weight() is None
        assert shop.copy() is None
        assert shop.replica_sets() == {"shop/checkout:v1": 2}
    assert midway.image() == "shop/checkout:v2"
    assert midway.deployment()["spec"]["paused"] is True, "an unjudged version is never promoted by accident"
    assert not resting.deployment()["spec"].get("paused")

    # Without Canary the Deployment is an ordinary one: its team says when it rolls.
    lab.kubectl("patch", "deployment", "checkout", "-n", midway.namespace, "--type=merge", "-p", LET_GO)
    waiting.until("v2 to run", lambda: midway.replica_sets().get("shop/checkout:v2") == 2, seconds=60)
