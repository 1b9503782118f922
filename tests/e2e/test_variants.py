"""The same releases with other ways to say them: a route that Canary manages, kustomize in Git, the app's own metrics."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import pytest
import yaml
from typing_extensions import override

from tests.e2e.shops import QuickApp, QuickShop, Shops
from tests.e2e.stories import Stories

pytestmark = pytest.mark.lab
STORIES = Stories()
BAD = {"version": "v3", "error_ratio": 0.7}


@dataclass(frozen=True, slots=True)
class ManagedApp(QuickApp):
    """No route in Git: the Rollout names the Gateway, and Canary makes the route."""

    @override
    def rollout(self) -> str:
        document = yaml.safe_load(QuickApp.rollout(self))
        gateway = {"name": "gw", "namespace": "gateway-system"}
        document["spec"]["traffic"] = {"gatewayAPI": {"gateway": gateway, "hostnames": [self.host]}}
        return yaml.safe_dump(document, sort_keys=False)

    @override
    def files(self) -> dict[str, str]:
        return {path: text for path, text in QuickApp.files(self).items() if path != "app/route.yaml"}


@dataclass(frozen=True, slots=True)
class KustomizeApp(QuickApp):
    """A base and an overlay: the version stands in a patch of the overlay."""

    @override
    def files(self) -> dict[str, str]:
        plain = QuickApp.files(self)
        base = {path.replace("app/", "base/"): text for path, text in plain.items()}
        base["base/deployment.yaml"] = QuickApp(namespace=self.namespace, replicas=self.replicas).deployment()
        names = sorted(path.removeprefix("base/") for path in base)
        container = {
            "name": "checkout",
            "image": f"shop/checkout:{self.version}",
            "env": [{"name": "ERROR_RATIO", "value": str(self.error_ratio)}],
        }
        patch = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "checkout", "namespace": self.namespace},
            "spec": {"template": {"spec": {"containers": [container]}}},
        }
        return {
            **base,
            "base/kustomization.yaml": yaml.safe_dump({"resources": names}),
            "app/kustomization.yaml": yaml.safe_dump({"resources": ["../base"], "patches": [{"path": "version.yaml"}]}),
            "app/version.yaml": yaml.safe_dump(patch),
        }


def opened(shops: Shops, kind: type[QuickApp], name: str, **changes: Any) -> QuickShop:
    """Open a shop of another kind of app."""
    shop = shops._make(name, changes)
    shop.app = kind(**{field.name: getattr(shop.app, field.name) for field in fields(QuickApp)})
    shop.install()
    shop.wait_for_phase("Stable", seconds=120)
    shop.wait("ready pods", lambda: shop.deployment()["status"].get("readyReplicas") == shop.app.replicas, seconds=90)
    # A route that Canary makes comes after the adoption, and the gateway has it a moment later.
    shop.wait("an answer through the gateway", shop.served)
    return shop


def released_and_reverted(shop: QuickShop) -> None:
    """Release a good version, then a bad one, under load."""
    with shop.load(60) as clients:
        shop.answers("v1", clients)
        failed = clients.counts().failed  # while the gateway did not know a route that the operator had just made
        shop.push("v2", version="v2")
        shop.settle("shop/checkout:v2", seconds=240)
        bad = shop.push("v3", **BAD)
        shop.answers("v3", clients)
        status = shop.settle("shop/checkout:v2", releases=2, seconds=240)
        counts = clients.stop()
    assert [past["outcome"] for past in status["history"]] == ["RolledBack", "Promoted"]
    assert shop.trailers(shop.repository.head())["Rollout-Reverts"] == bad
    assert counts.failed == failed, counts.failures
    shop.wait("Git's note on the bad commit", lambda: '"event": "rejected"' in shop.note(bad))


@STORIES
def test_a_route_that_canary_manages_is_made_shifted_and_kept(shops: Shops) -> None:
    shop = opened(shops, ManagedApp, "managed")
    released_and_reverted(shop)
    route = shop.get("gateway.networking.k8s.io/v1", "httproutes")
    assert route is not None
    assert [b["name"] for b in route["spec"]["rules"][0]["backendRefs"]] == ["checkout"]
    shop.lab.kubectl("delete", "httproute", "checkout", "-n", shop.namespace)
    shop.wait("the route to come back", lambda: shop.get("gateway.networking.k8s.io/v1", "httproutes"))


@STORIES
def test_a_kustomize_overlay_is_rendered_before_its_revert_is_pushed(shops: Shops) -> None:
    shop = opened(shops, KustomizeApp, "overlay")
    released_and_reverted(shop)
    changed = shop.repository.log("-1", "--name-only", "--format=").split()
    assert changed == ["app/version.yaml"]


@STORIES
def test_an_apps_own_metrics_judge_it_by_the_labels_of_its_pods(shops: Shops) -> None:
    shop = shops.open("own-metrics", template="app-requests")
    released_and_reverted(shop)
