"""A Rollout's world in the fake API server, and a stand-in for the controllers that make it move."""

from __future__ import annotations

import copy
from typing import Any

from canary.operator import kinds
from canary.operator.kinds import Obj
from tests.unit.operator.fake_api import FakeApi

NS = "shop"
LABELS = {"app": "checkout"}


def template(image: str) -> Obj:
    return {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "app", "image": image}]}}


def rollout(**spec: Any) -> Obj:
    return {
        "apiVersion": kinds.ROLLOUT.api_version,
        "kind": "Rollout",
        "metadata": {"namespace": NS, "name": "checkout"},
        "spec": {
            "workload": {"name": "checkout"},
            "service": {"name": "checkout", "port": 80},
            "traffic": {"gatewayAPI": {"route": {"name": "checkout"}}},
            "strategy": {"canary": {"steps": [{"weight": 10, "atLeast": "5s", "atMost": "20s"}], "bake": "5s"}},
            "analysis": {"templates": [{"name": "errors"}]},
            **spec,
        },
    }


TEMPLATE: Obj = {
    "apiVersion": kinds.ROLLOUT.api_version,
    "kind": "AnalysisTemplate",
    "metadata": {"namespace": NS, "name": "errors"},
    "spec": {
        "identity": {"labels": [{"name": "hash", "stable": "${stableHash}", "canary": "${canaryHash}"}]},
        "metrics": [
            {"name": "errors", "counter": {"bad": 'requests{code="500"}', "total": "requests"}, "compare": {}},
        ],
    },
}


class Cluster:
    """Objects as a team has them; `settle()` does what Kubernetes' controllers and the gateway would."""

    def __init__(self, api: FakeApi) -> None:
        self.api = api
        api.put(kinds.DEPLOYMENT, self._deployment())
        api.put(
            kinds.SERVICE,
            {"metadata": {"namespace": NS, "name": "checkout"}, "spec": {"selector": LABELS, "ports": [{"port": 80}]}},
        )
        api.put(
            kinds.HTTP_ROUTE,
            {
                "metadata": {"namespace": NS, "name": "checkout"},
                "spec": {
                    "parentRefs": [{"name": "gw"}],
                    "rules": [{"backendRefs": [{"name": "checkout", "port": 80}]}],
                },
            },
        )
        api.put(kinds.ANALYSIS_TEMPLATE, TEMPLATE)
        self.settle()

    def _deployment(self) -> Obj:
        return {
            "metadata": {"namespace": NS, "name": "checkout"},
            "spec": {"replicas": 2, "selector": {"matchLabels": LABELS}, "template": template("v1")},
        }

    def deployment(self, name: str = "checkout") -> Obj:
        return self.api.peek(kinds.DEPLOYMENT, NS, name)

    def push(self, image: str) -> None:
        """What Flux's apply and the hold's policy make of a commit: the new template, held."""
        changed = copy.deepcopy(self.deployment())
        changed["spec"]["template"] = template(image)
        changed["spec"]["paused"] = True
        changed["metadata"].setdefault("annotations", {})["canary.delivery/held"] = "true"
        self.api.put(kinds.DEPLOYMENT, changed)
        self.settle()

    def settle(self) -> None:
        for name in ("checkout", "checkout-canary"):
            if (kinds.DEPLOYMENT.plural, NS, name) in self.api.objects:
                self._roll(name)
        self._slices("checkout")
        if (kinds.SERVICE.plural, NS, "checkout-canary") in self.api.objects:
            self._slices("checkout-canary")
        route = copy.deepcopy(self.api.peek(kinds.HTTP_ROUTE, NS, "checkout"))
        accepted = [
            {"type": kind, "status": "True", "reason": kind, "observedGeneration": route["metadata"]["generation"]}
            for kind in ("Accepted", "ResolvedRefs")
        ]
        route["status"] = {"parents": [{"parentRef": {"name": "gw"}, "controllerName": "x/y", "conditions": accepted}]}
        self.api.put(kinds.HTTP_ROUTE, route)
        service = self.api.peek(kinds.SERVICE, NS, "checkout")
        pin = service["metadata"].get("annotations", {}).get("canary.delivery/pin")
        selector = {**LABELS, **({"pod-template-hash": pin} if pin else {})}
        if service["spec"]["selector"] != selector:  # the pin's policy
            self.api.put(kinds.SERVICE, {**service, "spec": {**service["spec"], "selector": selector}})
            self._slices("checkout")
        self._follow_split(route)

    def _follow_split(self, route: Obj) -> None:
        """The route's policy."""
        split = route["metadata"].get("annotations", {}).get("canary.delivery/split", "").split()
        backends = [{"name": "checkout", "port": 80}]
        if split:
            backends = [
                {"name": split[0], "port": 80, "weight": int(split[2])},
                {"name": split[1], "port": 80, "weight": int(split[3])},
            ]
        if route["spec"]["rules"][0]["backendRefs"] != backends:
            changed = copy.deepcopy(route)
            changed["spec"]["rules"][0]["backendRefs"] = backends
            self.api.put(kinds.HTTP_ROUTE, changed)
            self.settle()

    def _roll(self, name: str) -> None:
        deployment = copy.deepcopy(self.deployment(name))
        spec, meta = deployment["spec"], deployment["metadata"]
        image = spec["template"]["spec"]["containers"][0]["image"]
        own_hash = f"hash-{image}-{'c' if name.endswith('canary') else 'd'}"
        if not spec.get("paused"):
            for (plural, _, set_name), other in list(self.api.objects.items()):
                owners = other["metadata"].get("ownerReferences", [])
                if plural == "replicasets" and owners[0]["uid"] == meta["uid"] and set_name != f"{name}-{image}":
                    self.api.put(kinds.REPLICA_SET, {**other, "spec": {**other["spec"], "replicas": 0}})
            self._replica_set(name, image, own_hash, deployment)
        status = {
            "observedGeneration": meta["generation"],
            "replicas": spec["replicas"],
            "readyReplicas": spec["replicas"],
            "availableReplicas": spec["replicas"],
            "updatedReplicas": 0 if spec.get("paused") else spec["replicas"],
        }
        self.api.put(kinds.DEPLOYMENT, {**deployment, "status": status})

    def _replica_set(self, name: str, image: str, own_hash: str, deployment: Obj) -> None:
        replicas, tmpl = deployment["spec"]["replicas"], copy.deepcopy(deployment["spec"]["template"])
        tmpl["metadata"]["labels"] = {**tmpl["metadata"]["labels"], "pod-template-hash": own_hash}
        owner = {"uid": deployment["metadata"]["uid"], "kind": "Deployment", "name": name, "controller": True}
        self.api.put(
            kinds.REPLICA_SET,
            {
                "metadata": {
                    "namespace": NS,
                    "name": f"{name}-{image}",
                    "labels": tmpl["metadata"]["labels"],
                    "ownerReferences": [owner],
                    "creationTimestamp": "2026-01-01T00:00:00Z",
                },
                "spec": {"replicas": replicas, "template": tmpl},
                "status": {"replicas": replicas, "readyReplicas": replicas},
            },
        )
        for plural, ns, pod in list(self.api.objects):
            if plural == "pods" and pod.startswith(f"{name}-{image}-"):
                del self.api.objects[plural, ns, pod]
        for number in range(replicas):
            self.api.put(
                kinds.POD,
                {
                    "metadata": {
                        "namespace": NS,
                        "name": f"{name}-{image}-{number}",
                        "labels": tmpl["metadata"]["labels"],
                        "creationTimestamp": "2026-01-01T00:00:00Z",
                    },
                    "spec": tmpl["spec"],
                    "status": {
                        "phase": "Running",
                        "conditions": [
                            {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
                        ],
                    },
                },
            )

    def _slices(self, service: str) -> None:
        selector = self.api.peek(kinds.SERVICE, NS, service)["spec"]["selector"]
        pods = [
            pod
            for (plural, _, _), pod in self.api.objects.items()
            if plural == "pods" and selector.items() <= pod["metadata"]["labels"].items()
        ]
        self.api.put(
            kinds.ENDPOINT_SLICE,
            {
                "metadata": {"namespace": NS, "name": service, "labels": {"kubernetes.io/service-name": service}},
                "endpoints": [
                    {
                        "addresses": ["10.0.0.1"],
                        "conditions": {"ready": True},
                        "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"]},
                    }
                    for pod in pods
                ],
            },
        )
