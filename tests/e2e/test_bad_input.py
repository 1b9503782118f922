"""What is wrong around a Rollout gets a clear answer, loses nothing, and heals when it is put right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from tests.e2e.shops import QuickShop, Shops
from tests.e2e.stories import Stories

pytestmark = pytest.mark.lab
STORIES = Stories()

BAD = {"version": "v2", "error_ratio": 0.7}
TEMPLATE = """\
apiVersion: canary.delivery/v1alpha1
kind: AnalysisTemplate
metadata: {{name: own, namespace: {namespace}}}
spec:
  identity:
    labels:
    - {{name: namespace, value: "${{namespace}}"}}
    - {{name: pod_template_hash, stable: "${{stableHash}}", canary: "${{canaryHash}}"}}
  metrics:
  - name: errors
    source: {source}
    counter: {{bad: 'http_requests_total{{code=~"5.."}}', total: http_requests_total}}
    compare: {{toleratedRatio: "1.5"}}
"""


def _bare(shops: Shops, name: str, *files: str, **changes: Any) -> QuickShop:
    """A namespace with some of the shop's files in it, applied by hand."""
    shop = shops.bare(name, **changes)
    _apply(shop, *files)
    return shop


def _apply(shop: QuickShop, *files: str) -> None:
    found = shop.app.files()
    shop.lab.apply("---\n".join(found[f"app/{file}.yaml"] for file in files))


ALL = ("deployment", "service", "route", "rollout")


def _missing(shops: Shops, file: str, reason: str, word: str) -> None:
    shop = _bare(shops, f"no-{file}", *(name for name in ALL if name != file))
    shop.wait("the refusal", lambda: shop.condition("Stalled").get("reason") == reason)
    assert word in shop.condition("Stalled")["message"]
    assert shop.condition("Ready")["status"] == "False"
    _apply(shop, file)
    shop.wait("the Rollout to heal", lambda: shop.condition("Ready").get("status") == "True")
    assert shop.phase() == "Stable"
    assert not shop.condition("Stalled")


@STORIES
def test_a_missing_deployment_is_named_and_adopted_when_it_comes(shops: Shops) -> None:
    _missing(shops, "deployment", "WorkloadNotFound", "Deployment")


@STORIES
def test_a_missing_service_is_named_and_used_when_it_comes(shops: Shops) -> None:
    _missing(shops, "service", "ServiceNotFound", "Service")


@STORIES
def test_a_missing_route_is_named_and_used_when_it_comes(shops: Shops) -> None:
    _missing(shops, "route", "RouteNotFound", "route")


@STORIES
def test_a_missing_template_is_named_and_so_is_a_metric_source_that_nobody_configured(shops: Shops) -> None:
    shop = _bare(shops, "no-template", *ALL, template="own")
    shop.wait("the refusal", lambda: shop.condition("Stalled").get("reason") == "TemplateNotFound")
    assert "own" in shop.condition("Stalled")["message"]
    shop.lab.apply(TEMPLATE.format(namespace=shop.namespace, source="elsewhere"))
    shop.wait("the refusal of the source", lambda: shop.condition("Stalled").get("reason") == "SourceNotFound")
    assert "elsewhere" in shop.condition("Stalled")["message"]
    shop.lab.apply(TEMPLATE.format(namespace=shop.namespace, source="default"))
    shop.wait("the Rollout to heal", lambda: shop.condition("Ready").get("status") == "True")


@STORIES
def test_a_second_rollout_for_one_deployment_is_refused_and_the_first_goes_on(shops: Shops) -> None:
    shop = _bare(shops, "two", *ALL)
    shop.wait("the first", lambda: shop.condition("Ready").get("status") == "True")
    second = yaml.safe_load(shop.app.rollout())
    second["metadata"]["name"] = "second"
    shop.lab.apply(yaml.safe_dump(second))

    def stalled() -> str:
        found = shop.get("canary.delivery/v1alpha1", "rollouts", "second") or {}
        conditions = {c["type"]: c for c in (found.get("status") or {}).get("conditions") or []}
        return str(conditions.get("Stalled", {}).get("reason"))

    shop.wait("the refusal of the second", lambda: stalled() == "AlreadyOwned")
    shop.app = replace(shop.app, version="v2")
    _apply(shop, "deployment")
    shop.wait("a canary of the first", lambda: shop.phase() in {"Starting", "Step"})
    owners = {owner["name"] for owner in (shop.copy() or {"metadata": {}})["metadata"].get("ownerReferences", [])}
    assert owners <= {"checkout"}
    assert stalled() == "AlreadyOwned"
    shop.lab.kubectl("delete", "rollouts.canary.delivery", "second", "-n", shop.namespace, "--timeout=60s")
    assert shop.deployment()["metadata"]["labels"]["canary.delivery/rollout"] == "checkout"
    assert shop.service()["metadata"]["labels"]["canary.delivery/rollout"] == "checkout"


@STORIES
def test_a_deployment_that_its_owner_paused_is_left_alone_until_it_is_unpaused(shops: Shops) -> None:
    shop = _bare(shops, "owner-paused", "deployment", "service", "route")
    shop.wait("ready pods", lambda: shop.deployment()["status"].get("readyReplicas") == 2)
    shop.app = replace(shop.app, paused="true")
    _apply(shop, "deployment", "rollout")
    shop.wait_for_phase("Paused")
    assert shop.condition("Stalled")["reason"] == "PausedByOwner"
    assert shop.deployment()["spec"]["paused"] is True
    assert not shop.held()
    shop.app = replace(shop.app, paused="false")
    _apply(shop, "deployment")
    shop.wait_for_phase("Stable")
    assert not shop.deployment()["spec"].get("paused")


@STORIES
def test_a_protected_branch_leaves_traffic_at_zero_and_is_tried_again_until_it_lets_the_revert_in(
    shops: Shops,
) -> None:
    shop = shops.open("protected")
    shop.repository.refuse_pushes("GH006: Protected branch update failed")
    with shop.load(100) as clients:
        shop.answers("v1", clients)
        bad = shop.push("v2", **BAD)
        shop.answers("v2", clients)
        shop.wait("a try that failed", lambda: (shop.status().get("revert") or {}).get("final") is False)
        revert = shop.status()["revert"]
        assert "GH006" in revert["message"]
        assert shop.condition("Stalled")["reason"] == revert["reason"]
        shop.wait("the Event", lambda: revert["reason"] in shop.events())
        served = clients.counts().of("v2")
        assert shop.weight() in (0, None)
        shop.repository.allow_pushes()
        shop.settle("shop/checkout:v1", seconds=150)
        counts = clients.stop()
    assert counts.of("v2") == served
    assert counts.failed == 0
    assert shop.trailers(shop.repository.head())["Rollout-Reverts"] == bad


@STORIES
def test_a_change_that_no_commit_brought_is_rolled_back_and_nothing_is_reverted(shops: Shops) -> None:
    shop = shops.open("by-hand")
    head = shop.repository.head()
    where = "deployment/checkout", "-n", shop.namespace
    with shop.load(100) as clients:
        shop.answers("v1", clients)
        shop.lab.kubectl("set", "env", *where, "ERROR_RATIO=0.7")
        shop.wait_for_phase("AwaitingGit", seconds=120)
        assert clients.stop().failed == 0
    assert shop.status()["revert"]["reason"] == "NotFromGit"
    assert shop.condition("Stalled")["reason"] == "NotFromGit"
    assert shop.repository.head() == head
    assert shop.held()
    shop.lab.kubectl("set", "env", *where, "ERROR_RATIO=0.01")
    shop.settle("shop/checkout:v1", seconds=60)


@STORIES
def test_a_restart_by_a_person_is_a_release_and_its_abort_reverts_nothing(shops: Shops) -> None:
    shop = shops.open("restarted", steps=((5, "60s", "90s"),))
    head = shop.repository.head()
    shop.lab.kubectl("rollout", "restart", "deployment/checkout", "-n", shop.namespace)
    shop.wait("a canary's share", lambda: shop.weight() == 5)
    shop.canary("abort", "checkout")
    shop.wait_for_phase("AwaitingGit")
    assert shop.status()["revert"]["reason"] == "NotFromGit"
    assert shop.repository.head() == head
