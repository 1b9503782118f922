"""Which Rollouts are to be woken when an object changes: indices by name, so that an event costs no search."""

from __future__ import annotations

from collections import defaultdict
from typing import TypeAlias

from canary.api.names import CANARY_SUFFIX
from canary.api.rollout import DEFAULT_TEMPLATE
from canary.operator import kinds
from canary.operator.cache import Name, name_of
from canary.operator.kinds import Kind, Obj
from canary.operator.origin import owners_of

Target: TypeAlias = tuple[Kind, str, str]
"""Kind, namespace (empty for cluster-scoped kinds) and name."""


class Interests:
    """For each object, the Rollouts whose observation it is part of."""

    def __init__(self) -> None:
        self._rollouts: dict[Target, set[Name]] = defaultdict(set)
        self._targets: dict[Name, frozenset[Target]] = {}

    def update(self, rollout: Name, targets: frozenset[Target]) -> None:
        """Say what a Rollout looks at now."""
        for target in self._targets.get(rollout, frozenset()) - targets:
            self._rollouts[target].discard(rollout)
            if not self._rollouts[target]:
                del self._rollouts[target]
        for target in targets:
            self._rollouts[target].add(rollout)
        self._targets[rollout] = targets

    def forget(self, rollout: Name) -> None:
        """Drop a Rollout that is gone."""
        self.update(rollout, frozenset())
        del self._targets[rollout]

    def of(self, kind: Kind, obj: Obj) -> frozenset[Name]:
        """Return the Rollouts to wake for a changed object."""
        found: set[Name] = set()
        for target in _seen_as(kind, obj):
            found |= self._rollouts.get(target, set())
        return frozenset(found)


def targets_of(rollout: Obj, deployment: Obj | None, argocd_namespace: str) -> frozenset[Target]:
    """Return what a Rollout looks at. Tolerant: a Rollout that is refused is still woken by what it could name."""
    namespace, name = name_of(rollout)
    spec = rollout.get("spec", {})
    workload = spec.get("workload", {}).get("name", "")
    service = spec.get("service", {}).get("name", "")
    targets: set[Target] = {
        (kinds.ROLLOUT, namespace, name),
        (kinds.DEPLOYMENT, namespace, workload),
        (kinds.DEPLOYMENT, namespace, workload + CANARY_SUFFIX),
        (kinds.SERVICE, namespace, service),
        (kinds.SERVICE, namespace, service + CANARY_SUFFIX),
    }
    route = spec.get("traffic", {}).get("gatewayAPI", {})
    route_name = route.get("route", {}).get("name") or name
    targets.add((kinds.HTTP_ROUTE, namespace, route_name))
    for template in spec.get("analysis", {}).get("templates") or ({"name": DEFAULT_TEMPLATE},):
        targets.add((kinds.ANALYSIS_TEMPLATE, namespace, template.get("name", "")))
        targets.add((kinds.CLUSTER_ANALYSIS_TEMPLATE, "", template.get("name", "")))
    if deployment is not None:
        targets.update(owners_of(deployment, argocd_namespace))
    return frozenset(targets)


def _seen_as(kind: Kind, obj: Obj) -> list[Target]:
    namespace, name = name_of(obj)
    if kind is kinds.REPLICA_SET:
        owners = obj["metadata"].get("ownerReferences", ())
        return [(kinds.DEPLOYMENT, namespace, o["name"]) for o in owners if o.get("kind") == "Deployment"]
    if kind is kinds.AUTOSCALER:
        reference = obj.get("spec", {}).get("scaleTargetRef", {})
        return [(kinds.DEPLOYMENT, namespace, reference.get("name", ""))]
    return [(kind, namespace, name)]
