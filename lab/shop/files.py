"""The shop's repository: a Deployment, its Service and route, and the Rollout beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HOST: Final = "checkout.shop.example"

_DEPLOYMENT: Final = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: checkout
  namespace: {namespace}
spec:
  replicas: {replicas}
  selector:
    matchLabels: {{app: checkout}}
  template:
    metadata:
      labels: {{app: checkout}}
      annotations: {{prometheus.io/scrape: "true", prometheus.io/port: "8080"}}
    spec:
      terminationGracePeriodSeconds: 10
      containers:
      - name: checkout
        image: shop/checkout:{version}
        ports: [{{containerPort: 8080}}]
        env:
        - {{name: ERROR_RATIO, value: "{error_ratio}"}}
{env}        readinessProbe:
          httpGet: {{path: /healthz, port: 8080}}
          periodSeconds: 1
"""

_SERVICE: Final = """\
apiVersion: v1
kind: Service
metadata:
  name: checkout
  namespace: {namespace}
spec:
  selector: {{app: checkout}}
  ports: [{{port: 80, targetPort: 8080}}]
"""

_ROUTE: Final = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: checkout
  namespace: {namespace}
spec:
  parentRefs:
  - {{name: gw, namespace: gateway-system}}
  hostnames: [{host}]
  rules:
  - backendRefs:
    - {{name: checkout, port: 80}}
"""

_ROLLOUT: Final = """\
apiVersion: canary.delivery/v1alpha1
kind: Rollout
metadata:
  name: checkout
  namespace: {namespace}
spec:
  workload: {{name: checkout}}
  service: {{name: checkout, port: 80}}
  traffic:
    gatewayAPI: {{route: {{name: checkout}}}}
  strategy:
    canary:
      steps:
{steps}      bake: {bake}
  analysis:
    templates: [{{name: {template}}}]
"""


@dataclass(frozen=True, slots=True)
class App:
    """What of the shop's files changes from commit to commit."""

    namespace: str = "shop"
    version: str = "v1"
    error_ratio: float = 0.01
    replicas: int = 3
    env: tuple[tuple[str, str], ...] = ()
    steps: tuple[tuple[int, str, str], ...] = ((5, "10s", "40s"), (10, "10s", "25s"), (50, "5s", "10s"))
    """Weight, atLeast, atMost."""
    bake: str = "5s"
    template: str = "envoy-errors"

    @property
    def host(self) -> str:
        """The name that clients ask for; one for each namespace."""
        return HOST if self.namespace == "shop" else f"{self.namespace}.example"

    def deployment(self) -> str:
        """The Deployment's file."""
        env = "".join(f'        - {{name: {name}, value: "{value}"}}\n' for name, value in self.env)
        return _DEPLOYMENT.format(
            namespace=self.namespace,
            replicas=self.replicas,
            version=self.version,
            error_ratio=self.error_ratio,
            env=env,
        )

    def rollout(self) -> str:
        """The Rollout's file."""
        steps = "".join(f"      - {{weight: {w}, atLeast: {least}, atMost: {most}}}\n" for w, least, most in self.steps)
        return _ROLLOUT.format(namespace=self.namespace, steps=steps, bake=self.bake, template=self.template)

    def files(self) -> dict[str, str]:
        """All of the app's folder, by path in the repository."""
        return {
            "app/deployment.yaml": self.deployment(),
            "app/service.yaml": _SERVICE.format(namespace=self.namespace),
            "app/route.yaml": _ROUTE.format(namespace=self.namespace, host=self.host),
            "app/rollout.yaml": self.rollout(),
        }


def flux_objects(namespace: str, url: str, *, interval: str = "10m", timeout: str = "2m") -> str:
    """What the platform's team made once: the repository, and what of it goes to this namespace."""
    return f"""\
apiVersion: v1
kind: Namespace
metadata: {{name: {namespace}}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {{name: {namespace}, namespace: flux-system}}
spec: {{url: {url}, ref: {{branch: main}}, interval: 2s, timeout: 20s}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: {namespace}, namespace: flux-system}}
spec:
  sourceRef: {{kind: GitRepository, name: {namespace}}}
  path: ./app
  prune: true
  interval: {interval}
  timeout: {timeout}
  retryInterval: 5s
  wait: true
  healthCheckExprs:
  - apiVersion: apps/v1
    kind: Deployment
    current: >-
      (has(metadata.annotations) && "canary.delivery/held" in metadata.annotations)
      || (has(status.observedGeneration) && status.observedGeneration == metadata.generation
          && has(status.updatedReplicas) && status.updatedReplicas == spec.replicas
          && has(status.availableReplicas) && status.availableReplicas == spec.replicas)
  - apiVersion: canary.delivery/v1alpha1
    kind: Rollout
    failed: has(status.conditions) && status.conditions.exists(c, c.type == "Stalled" && c.status == "True")
    current: has(status.observedGeneration) && status.observedGeneration == metadata.generation
"""
