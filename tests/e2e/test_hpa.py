"""Releases beside the user's HorizontalPodAutoscaler, on Kubernetes' own controller: it must not shrink the way back."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
import yaml
from typing_extensions import override

from canary.workload.hpa_formula import Target, Tolerances, Uncomputed, pod_uses, replicas
from lab.cluster import CommandFailed
from lab.load import Load
from tests.e2e.shops import QuickApp, QuickShop, Shops
from tests.e2e.stories import Stories
from tests.unit.workload.drawn import Case, case

pytestmark = pytest.mark.lab
STORIES = Stories()

RATE = 34
"""Requests a second that keep two pods below their target, and a burst of them below what the autoscaler acts on."""
DOUBLED = 77
"""More than twice that: work for four pods, so that two of each version are on target."""
BLOCKING = 60
"""Work for three pods: two that are ready and one that is not look as if they were on target."""
PER_POD = 20.0
"""Requests a second of a pod at its target: half a core, at 25m each."""


@dataclass(frozen=True, slots=True)
class ScaledApp(QuickApp):
    """An app whose size is its autoscaler's."""

    measured: bool = True
    autoscalers: tuple[str, ...] = ("checkout",)

    @override
    def deployment(self) -> str:
        document = yaml.safe_load(QuickApp.deployment(self))
        spec = document["spec"]
        del spec["replicas"]
        if self.measured:
            spec["template"]["metadata"]["annotations"]["metrics.lab/cpu-per-request"] = "25m"
        spec["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1"}}
        return yaml.safe_dump(document, sort_keys=False)

    @override
    def files(self) -> dict[str, str]:
        return {
            **QuickApp.files(self),
            "app/hpa.yaml": "---\n".join(self.autoscaler(name) for name in self.autoscalers),
        }

    def autoscaler(self, name: str) -> str:
        """At 50 % of the CPU that the pods request."""
        cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
        document = {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"},
                "minReplicas": self.replicas,
                "maxReplicas": 8,
                "metrics": [{"type": "Resource", "resource": cpu}],
            },
        }
        return yaml.safe_dump(document, sort_keys=False)


def opened(shops: Shops, name: str, **changes: Any) -> QuickShop:
    """A shop with an autoscaler, in a lab in which autoscalers have something to read."""
    shops.lab.metrics_api()
    return shops.open(name, kind=ScaledApp, **changes)


def hpa(shop: QuickShop, name: str = "checkout") -> dict[str, Any]:
    found = shop.get("autoscaling/v2", "horizontalpodautoscalers", name)
    assert found is not None
    return found


def scaling(shop: QuickShop, name: str = "checkout") -> tuple[str, str]:
    """Status and reason of the autoscaler's condition ScalingActive."""
    conditions = (hpa(shop, name).get("status") or {}).get("conditions") or []
    found: dict[str, str] = next((c for c in conditions if c["type"] == "ScalingActive"), {})
    return found.get("status", ""), found.get("reason", "")


def size(shop: QuickShop) -> int:
    """Ready pods of the Deployment in Git: of what serves when the canary is gone."""
    return int(shop.deployment()["status"].get("readyReplicas") or 0)


def more_load(shop: QuickShop, rate: int) -> Load:
    return Load(shop.lab.folder, f"{shop.lab.gateway_url}/", shop.app.host, rate=rate, name=f"more-{shop.namespace}")


def scaled(shop: QuickShop) -> None:
    shop.wait("the autoscaler to see its metrics", lambda: scaling(shop) == ("True", "ValidMetricFound"))


@STORIES
def test_at_steady_load_stable_keeps_its_size_and_the_autoscaler_its_sight(shops: Shops) -> None:
    shop = opened(shops, "steady", steps=((50, "3s", "8s"),), bake="5s")
    seen, sizes, copies = set(), set(), set()
    with shop.load(RATE) as clients:
        shop.answers("v1", clients)
        scaled(shop)
        shop.push("v2", version="v2")

        def promoted() -> bool:
            status, copy = shop.status(), shop.copy()
            if status.get("phase") == "Step" or status.get("promotion") in ("Shift", "Bake"):
                seen.add(scaling(shop))
                sizes.add(size(shop))
            if copy and status.get("promotion") == "Bake":
                copies.add(copy["spec"]["replicas"] - shop.deployment()["spec"]["replicas"])
            return bool((status.get("history") or [{}])[0].get("outcome") == "Promoted")

        shop.wait("the promotion", promoted, seconds=240)
        counts = clients.stop()
    assert counts.failed == 0, counts.failures
    assert seen == {("True", "ValidMetricFound")}, "AmbiguousSelector, or blind"
    assert min(sizes) >= 2
    assert copies == {0}, "the canary is as large as stable"


@STORIES
def test_stable_is_grown_for_a_load_that_doubles_in_mid_bake_before_it_gets_it_all_back(shops: Shops) -> None:
    shop = opened(shops, "doubled", steps=((50, "3s", "8s"),), bake="120s")
    with shop.load(RATE) as clients:
        shop.answers("v1", clients)
        scaled(shop)
        shop.push("v2", version="v2")
        shop.wait("the bake", lambda: shop.status().get("promotion") == "Bake", seconds=120)
        with more_load(shop, DOUBLED - RATE) as more:
            # The autoscaler alone would stay: four pods, each at its target.
            shop.wait("stable to grow", lambda: size(shop) * PER_POD * 1.1 >= DOUBLED, seconds=90)
            assert shop.weight() == 100, "nothing spoke against the canary"
            shop.canary("abort", "checkout")
            shop.wait("stable to get everything", lambda: not shop.weight())
            assert size(shop) * PER_POD * 1.1 >= DOUBLED
            shop.settle("shop/checkout:v1", seconds=120)
            assert more.stop().failed == 0
        assert clients.stop().failed == 0


@STORIES
def test_canary_pods_that_are_not_ready_do_not_keep_the_autoscaler_from_growing_stable(shops: Shops) -> None:
    shop = opened(shops, "blocking", progress_deadline="60s")
    with shop.load(RATE) as clients:
        shop.answers("v1", clients)
        scaled(shop)
        shop.push("v2", version="v2", env=(("READY", "false"),))
        shop.wait("a canary pod", lambda: shop.pods(canary=True))
        assert size(shop) == 2
        with more_load(shop, BLOCKING - RATE) as more:
            shop.wait("stable to grow", lambda: size(shop) >= 3, seconds=90)
            shop.wait("the Event", lambda: "StableTooSmall" in shop.events())
            counts = more.stop()
        assert counts.failed == 0, counts.failures
        shop.settle("shop/checkout:v1", seconds=180)
        assert clients.stop().failed == 0
    assert clients.counts().of("v2") == 0


@STORIES
def test_an_autoscaler_without_metrics_is_waited_for_and_told_in_its_own_words(shops: Shops) -> None:
    shop = opened(shops, "blind", measured=False, steps=((50, "3s", "8s"),))
    with shop.load(RATE) as clients:
        shop.answers("v1", clients)
        shop.push("v2", version="v2")
        status = shop.wait_for_reason("NotRaised", seconds=120)
        assert "no metrics returned from resource metrics API" in status["message"]
        assert shop.condition("Stalled")["status"] == "True"
        shop.wait("the Event", lambda: "NotRaised" in shop.events())
        assert not shop.weight()
        assert clients.counts().of("v2") == 0
        shop.repository.commit("No autoscaler", {"app/hpa.yaml": None})
        shop.settle("shop/checkout:v2", seconds=240)
        assert clients.stop().failed == 0


@STORIES
def test_two_autoscalers_over_the_same_pods_are_the_users_and_are_told(shops: Shops) -> None:
    shop = opened(shops, "ambiguous", steps=((50, "3s", "8s"),))
    with shop.load(RATE) as clients:
        shop.answers("v1", clients)
        scaled(shop)
        assert isinstance(shop.app, ScaledApp)
        shop.lab.apply(shop.app.autoscaler("another"))
        shop.wait(
            "both to be lost", lambda: scaling(shop) == scaling(shop, "another") == ("False", "AmbiguousSelector")
        )
        shop.push("v2", version="v2")
        status = shop.wait_for_reason("NotRaised", seconds=120)
        assert "multiple HPAs" in status["message"]
        shop.lab.kubectl("delete", "hpa", "another", "-n", shop.namespace)
        shop.settle("shop/checkout:v2", seconds=240)
        assert scaling(shop) == ("True", "ValidMetricFound")
        assert clients.stop().failed == 0


@STORIES
def test_a_budget_counts_canary_pods_so_that_more_of_stables_may_be_evicted(shops: Shops) -> None:
    # A pod that takes its place is not ready, and not counted, before the second eviction is asked for.
    shop = shops.open("budget", steps=((50, "120s", "180s"),), env=(("START_DELAY_S", "8"),))
    shop.lab.apply(
        f"{{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {{name: checkout, namespace: {shop.namespace}}}, "
        "spec: {minAvailable: 2, selector: {matchLabels: {app: checkout}}}}"
    )

    def allowed() -> int:
        budget = shop.get("policy/v1", "poddisruptionbudgets")
        return int((budget or {}).get("status", {}).get("disruptionsAllowed", -1))

    shop.wait("the budget to be counted", lambda: allowed() == 0)
    first, second = (pod.name for pod in shop.pods())
    assert not evicted(shop, first), "without a canary the budget keeps both pods"
    with shop.load(RATE) as clients:
        shop.answers("v1", clients)
        shop.push("v2", version="v2")
        shop.answers("v2", clients)
        shop.wait("the canary to be counted", lambda: allowed() == 1)
        assert evicted(shop, first)
        assert not evicted(shop, second)
        shop.wait("stable at full size again", lambda: size(shop) == 2 and first not in {p.name for p in shop.pods()})
        shop.canary("abort", "checkout")
        shop.settle("shop/checkout:v1", seconds=120)
        counts = clients.stop()
    assert counts.failed == 0, counts.failures


def evicted(shop: QuickShop, pod: str) -> bool:
    """Whether the API server takes an eviction; it says no while a budget would be violated."""
    meta = {"name": pod, "namespace": shop.namespace}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta}
    path = f"/api/v1/namespaces/{shop.namespace}/pods/{pod}/eviction"
    try:
        shop.lab.kubectl("create", "--raw", path, "-f", "-", input=json.dumps(body))
    except CommandFailed as error:
        if "disruption budget" not in str(error):
            raise
        return False
    return True


@STORIES
def test_our_count_is_that_of_kubernetes_own_controller(shops: Shops) -> None:
    """On drawn pods, which no process stands behind: only what the API server says of them counts."""
    seed, now = 20261121, time.time()
    random = Random(seed)
    cases = [case(random, f"case-{number}", now) for number in range(24)]
    shop = shops.bare("drawn")
    metrics = [metrics for drawn in cases for metrics in drawn.metrics]
    for item in metrics:
        item["metadata"]["namespace"] = shop.namespace
    shops.lab.metrics_api().say(shop.namespace, metrics)
    shop.wait("the namespace's ServiceAccount", lambda: shop.get("v1", "serviceaccounts", "default"))
    for drawn in cases:
        put(shop, drawn)
    shop.lab.apply("---\n".join(scaled_case(shop, drawn) for drawn in cases))
    lively = 0
    for drawn in cases:
        told = f"seed {seed}: {drawn}"
        shop.wait(f"a decision, {told}", lambda name=drawn.name: scaling(shop, name)[0])
        expected = expected_sizes(drawn, now)
        assert scaling(shop, drawn.name)[0] == str(bool(expected)), told
        shop.wait(
            f"a size of {expected or drawn.current}, {told}",
            lambda name=drawn.name, sizes=expected or [drawn.current]: controller_size(shop, name) in sizes,
            seconds=60,
        )
        lively += bool(expected) and drawn.current not in expected
    assert lively > 6, "the cases are too dull to show anything"
    for drawn in cases:
        for pod in drawn.pods:
            if "deletionTimestamp" in pod["metadata"]:
                patch(shop, pod["metadata"]["name"], "", {"metadata": {"finalizers": None}})


def expected_sizes(drawn: Case, now: float) -> list[int]:
    """Where the controller ends, sync after sync; nothing if it says that it cannot tell."""
    value = drawn.target.get("averageUtilization") or int(drawn.target["averageValue"].removesuffix("m"))
    target = Target(value, utilization="averageUtilization" in drawn.target)
    up = drawn.behavior.get("scaleUp", {}).get("tolerance")
    tolerances = Tolerances() if up is None else Tolerances(up={"0": 0.0, "50m": 0.05, "300m": 0.3}[up])
    uses = pod_uses(drawn.pods, drawn.metrics, "cpu", "", now)
    sizes = [drawn.current]
    while True:
        following = replicas(sizes[-1], target, uses, tolerances)
        if isinstance(following, Uncomputed):
            return []
        following = max(1, following)
        if following in sizes:
            return sizes[sizes.index(following) :]
        sizes.append(following)


def controller_size(shop: QuickShop, name: str) -> int:
    return int(shop.lab.get("v1", "replicationcontrollers", name, shop.namespace)["spec"]["replicas"])


def put(shop: QuickShop, drawn: Case) -> None:
    """Create the pods as they were drawn: gated, so that no node takes them."""
    path = f"/api/v1/namespaces/{shop.namespace}/pods"
    for pod in drawn.pods:
        meta = {"name": pod["metadata"]["name"], "labels": pod["metadata"]["labels"]}
        deleting = "deletionTimestamp" in pod["metadata"]
        if deleting:
            meta["finalizers"] = ["test.lab/stays"]
        spec = {**pod["spec"], "schedulingGates": [{"name": "test.lab/no-node"}]}
        shop.lab.api("POST", path, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
        patch(shop, meta["name"], "/status", {"status": pod["status"]})
        if deleting:
            shop.lab.api("DELETE", f"{path}/{meta['name']}")


def patch(shop: QuickShop, pod: str, subresource: str, body: dict[str, Any]) -> None:
    path = f"/api/v1/namespaces/{shop.namespace}/pods/{pod}{subresource}"
    shop.lab.api("PATCH", path, body, content_type="application/merge-patch+json")


def scaled_case(shop: QuickShop, drawn: Case) -> str:
    """A ReplicationController, which has a size and, in the lab, nobody who acts on it; and its autoscaler."""
    at_once = {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 1000, "periodSeconds": 15}]}
    behavior = {way: {**at_once, **drawn.behavior.get(way, {})} for way in ("scaleUp", "scaleDown")}
    template = {"metadata": {"labels": drawn.labels}, "spec": {"containers": [{"name": "app", "image": "none"}]}}
    reference = {"apiVersion": "v1", "kind": "ReplicationController", "name": drawn.name}
    meta = {"name": drawn.name, "namespace": shop.namespace}
    return "---\n".join(
        json.dumps(document) + "\n"
        for document in (
            {
                "apiVersion": "v1",
                "kind": "ReplicationController",
                "metadata": meta,
                "spec": {"replicas": drawn.current, "selector": drawn.labels, "template": template},
            },
            {
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "metadata": meta,
                "spec": {
                    "scaleTargetRef": reference,
                    "minReplicas": 1,
                    "maxReplicas": 1000,
                    "behavior": behavior,
                    "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": drawn.target}}],
                },
            },
        )
    )
