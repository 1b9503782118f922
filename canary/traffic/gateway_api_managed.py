"""Gateway API, managed: the operator owns the whole HTTPRoute, named as the Rollout, by server-side apply.

Git has no such route, so nothing has to be kept against a sync and nothing has to be put back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from canary.api.names import LABEL_ROLLOUT
from canary.api.patch import HTTP_ROUTE, ContentType, Manifest, ObjectRef, Patch, controller_uid, labels_of
from canary.core.observed import TrafficView
from canary.errors import RouteNotOwned
from canary.traffic.acceptance import in_force, problem
from canary.traffic.gateway_api import ROUTE_MANAGER
from canary.traffic.protocol import Objects, Split
from canary.traffic.shares import is_backend, percent_of


@dataclass(frozen=True, slots=True)
class ManagedRoute:
    """The provider `gatewayAPI: {gateway: {name: ...}, hostnames: [...]}`."""

    split: Split
    gateway: str
    gateway_namespace: str
    """Empty for the Rollout's own."""
    section_name: str
    """Empty for every listener that allows the route."""
    hostnames: tuple[str, ...]

    @property
    def ref(self) -> ObjectRef:
        """Where the route is."""
        return ObjectRef(*HTTP_ROUTE, self.split.namespace, self.split.owner.name)

    def needs(self) -> tuple[ObjectRef, ...]:
        """Return the route."""
        return (self.ref,)

    def read(self, objects: Objects) -> TrafficView:
        """Read the route; if it is missing, or not as the Rollout says, it is told as not labelled.

        `decide()` asks for the label then, and `label` applies the route.
        """
        route = objects.get(self.ref)
        if route is None:
            return TrafficView(labelled=False, weight=None, in_force=False)
        return TrafficView(
            labelled=labels_of(route).get(LABEL_ROLLOUT) == self.split.owner.name and self._is_as_said(route),
            weight=self._weight(route),
            in_force=in_force(route),
            problem=problem(route),
            other_owner=self._other_owner(route),
            resource_version=route["metadata"]["resourceVersion"],
        )

    def label(self, objects: Objects, *, on: bool) -> tuple[Patch, ...]:
        """Make or correct the route, at its present weight. It goes with its Rollout, so nothing is to be taken off."""
        route = objects.get(self.ref)
        if not on or (route is not None and self._other_owner(route)):
            return ()
        return (self._apply(None if route is None else self._weight(route), None),)

    def set_weight(self, objects: Objects, weight: int, resource_version: str | None) -> tuple[Patch, ...]:
        """Apply the route with both backends."""
        route = objects.get(self.ref)
        owner = "" if route is None else self._other_owner(route)
        if owner:
            raise RouteNotOwned(f"{self.ref.describe()} is not this Rollout's but {owner}'s: Canary needs the name")
        return (self._apply(weight, resource_version),)

    def restore(self, objects: Objects) -> tuple[Patch, ...]:
        """Apply the route with the root Service alone."""
        route = objects.get(self.ref)
        if route is None or self._other_owner(route) or self._weight(route) is None:
            return ()
        return (self._apply(None, route["metadata"]["resourceVersion"]),)

    def _apply(self, weight: int | None, resource_version: str | None) -> Patch:
        split = self.split
        backends = [{"name": split.service, "port": split.port, "weight": 100 - (weight or 0)}]
        if weight is not None:
            backends.append({"name": split.canary, "port": split.port, "weight": weight})
        metadata: dict[str, Any] = {
            "name": self.ref.name,
            "namespace": self.ref.namespace,
            "labels": {LABEL_ROLLOUT: split.owner.name},
            "ownerReferences": [split.owner.reference()],
        }
        if resource_version is not None:
            metadata["resourceVersion"] = resource_version
        body = {
            "apiVersion": self.ref.api_version,
            "kind": self.ref.kind,
            "metadata": metadata,
            "spec": {
                "parentRefs": [self._parent()],
                "hostnames": list(self.hostnames),
                "rules": [{"backendRefs": backends}],
            },
        }
        return Patch(self.ref, body, ContentType.APPLY, ROUTE_MANAGER)

    def _parent(self) -> dict[str, str]:
        given = {"name": self.gateway, "namespace": self.gateway_namespace, "sectionName": self.section_name}
        return {key: value for key, value in given.items() if value}

    def _is_as_said(self, route: Manifest) -> bool:
        """Tell whether parents, hosts and ports are those of the Rollout; defaults are passed over."""
        parents = list(route["spec"].get("parentRefs") or ())
        wanted = self._parent()
        rules = route["spec"].get("rules") or ()
        backends = [ref for rule in rules for ref in rule.get("backendRefs") or ()]
        return (
            len(parents) == 1
            and all(parents[0].get(key) == wanted.get(key) for key in ("name", "namespace", "sectionName"))
            and list(route["spec"].get("hostnames") or ()) == list(self.hostnames)
            and len(rules) == 1
            and {ref.get("name") for ref in backends} - {self.split.canary} == {self.split.service}
            and all(ref.get("port") == self.split.port for ref in backends)
        )

    def _weight(self, route: Manifest) -> int | None:
        backends = [ref for rule in route["spec"].get("rules") or () for ref in rule.get("backendRefs") or ()]
        return percent_of(
            backends, lambda ref: is_backend(ref, self.split.service, self.split.namespace), self.split.canary
        )

    def _other_owner(self, route: Manifest) -> str:
        if controller_uid(route) == self.split.owner.uid:
            return ""
        owners = route["metadata"].get("ownerReferences") or ()
        return next((str(o["name"]) for o in owners if o.get("controller")), "somebody else")
