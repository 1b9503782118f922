"""Gateway API, attached: the HTTPRoute is in Git and names the root Service; the canary is added while a release runs.

The wanted split stands in an annotation. With the admission policies only that is written: the policy makes the
backends follow, in this and every later write, so that a sync of Git's version changes nothing. Without them the
backends are written too, and have to be written again when a sync takes them back.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from canary.api.labelling import label, other_owner, unlabel
from canary.api.names import ANNOTATION_BACKENDS, ANNOTATION_SPLIT, FIELD_MANAGER, LABEL_ROLLOUT
from canary.api.patch import HTTP_ROUTE, ContentType, Manifest, ObjectRef, Patch, annotations_of, labels_of
from canary.core.observed import TrafficView
from canary.errors import NotFound, RouteNotOwned
from canary.traffic.acceptance import in_force, problem
from canary.traffic.protocol import Objects, Split
from canary.traffic.shares import is_backend, percent_of, shared, unshared

ROUTE_MANAGER = f"{FIELD_MANAGER}-route"


@dataclass(frozen=True, slots=True)
class AttachedRoute:
    """The provider `gatewayAPI: {route: {name: ...}}`."""

    split: Split
    route: str

    @property
    def ref(self) -> ObjectRef:
        """Where the route is."""
        return ObjectRef(*HTTP_ROUTE, self.split.namespace, self.route)

    def needs(self) -> tuple[ObjectRef, ...]:
        """Return the route."""
        return (self.ref,)

    def read(self, objects: Objects) -> TrafficView | None:
        """Read the weight off the rules, not off the annotation: what the gateway is told is what counts."""
        route = objects.get(self.ref)
        if route is None:
            return None
        return TrafficView(
            labelled=labels_of(route).get(LABEL_ROLLOUT) == self.split.owner.name,
            weight=self._weight(route),
            in_force=in_force(route),
            problem=self._unlike(route) or problem(route),
            other_owner=other_owner(route, self.split.owner.name),
            resource_version=route["metadata"]["resourceVersion"],
        )

    def label(self, objects: Objects, *, on: bool) -> tuple[Patch, ...]:
        """Label the route, or take the label off."""
        route = objects.get(self.ref)
        if route is None or other_owner(route, self.split.owner.name):
            return ()
        return (label(self.ref, route, self.split.owner.name) if on else unlabel(self.ref),)

    def set_weight(self, objects: Objects, weight: int, resource_version: str | None) -> tuple[Patch, ...]:
        """Write the annotation; Git's own backends are saved beside it at the first write."""
        route = self._own(objects)
        annotations = {ANNOTATION_SPLIT: self._value(weight)}
        if ANNOTATION_SPLIT not in annotations_of(route):
            original = [unshared(_backends(rule), self._is_root, self.split.canary) for rule in _rules(route)]
            annotations[ANNOTATION_BACKENDS] = json.dumps(original, separators=(",", ":"), sort_keys=True)
        if not self.split.policies:
            return (self._write_backends(route, annotations, weight, resource_version),)
        metadata: dict[str, Any] = {"annotations": annotations, "labels": {LABEL_ROLLOUT: self.split.owner.name}}
        if resource_version is not None:
            metadata["resourceVersion"] = resource_version
        return (Patch(self.ref, {"metadata": metadata}, field_manager=ROUTE_MANAGER),)

    def restore(self, objects: Objects) -> tuple[Patch, ...]:
        """Take the annotations off and leave Git's own backends, as Git has them now.

        What Git changed during the release stays: the saved backends of a rule are put back only where nobody changed
        it since. With the policies the annotation's end is enough for that in almost every case, and the rules keep
        their owner.
        """
        route = objects.get(self.ref)
        if route is None or other_owner(route, self.split.owner.name):
            return ()
        rules, marks = _rules(route), annotations_of(route)
        if ANNOTATION_SPLIT not in marks and ANNOTATION_BACKENDS not in marks and self._weight(route) is None:
            return ()
        undone = [unshared(_backends(rule), self._is_root, self.split.canary) for rule in rules]
        wanted = [self._saved(route, i) or back for i, back in enumerate(undone)]
        metadata: dict[str, Any] = {
            "resourceVersion": route["metadata"]["resourceVersion"],
            "annotations": {ANNOTATION_SPLIT: None, ANNOTATION_BACKENDS: None},
        }
        body: dict[str, Any] = {"metadata": metadata}
        by_policy = self.split.policies and self._valid(route) and wanted == undone
        if not by_policy and wanted != [_backends(rule) for rule in rules]:
            body["spec"] = {
                "rules": [
                    {**r, "backendRefs": w} if "backendRefs" in r else r for r, w in zip(rules, wanted, strict=True)
                ]
            }
        return (Patch(self.ref, body, field_manager=ROUTE_MANAGER),)

    def _unlike(self, route: Manifest) -> str:
        """Say in what the route differs from what the Rollout says of it; empty: in nothing.

        Another port would be split as well, but templates that name the port would measure nothing.
        """
        service, ports = (
            self.split.service,
            {ref.get("port") for rule in _rules(route) for ref in _backends(rule) if self._is_root(ref)},
        )
        if not ports:
            return f"no rule of HTTPRoute {self.route} has Service {service} as a backend"
        if self.split.port in ports:
            return ""
        told = ", ".join(sorted(str(port) for port in ports))
        return (
            f"HTTPRoute {self.route} sends to port {told} of Service {service}, "
            f"and the Rollout says {self.split.port}: correct spec.service.port, or the route"
        )

    def _is_root(self, ref: Manifest) -> bool:
        return is_backend(ref, self.split.service, self.split.namespace)

    def _value(self, weight: int) -> str:
        return f"{self.split.service} {self.split.canary} {100 - weight} {weight}"

    def _valid(self, route: Manifest) -> bool:
        """Tell whether the annotation is one of ours, for these Services: then the policy knows what to undo."""
        return annotations_of(route).get(ANNOTATION_SPLIT, "").startswith(f"{self.split.service} {self.split.canary} ")

    def _own(self, objects: Objects) -> Manifest:
        route = objects.get(self.ref)
        if route is None:
            raise NotFound(f"{self.ref.describe()} does not exist")
        owner = other_owner(route, self.split.owner.name)
        if owner:
            raise RouteNotOwned(
                f"{self.ref.describe()} belongs to Rollout {owner}: give each Rollout a route of its own"
            )
        return route

    def _weight(self, route: Manifest) -> int | None:
        """Return the canary's percentage; None when no rule has the canary.

        If the rules do not agree (a rule was added without the policies), one that differs from what was asked is told,
        so that it is asked again.
        """
        rules = [_backends(rule) for rule in _rules(route) if any(self._is_root(r) for r in _backends(rule))]
        found = [percent_of(refs, self._is_root, self.split.canary) for refs in rules]
        if all(percent is None for percent in found):
            return None
        asked = self._asked(route)
        if asked is not None and all(shared(refs, self._is_root, self.split.canary, asked) == refs for refs in rules):
            return asked  # also where a small weight cannot be shared exactly
        return next((percent or 0 for percent in found if (percent or 0) != asked), asked)

    def _asked(self, route: Manifest) -> int | None:
        last = annotations_of(route).get(ANNOTATION_SPLIT, "").rpartition(" ")[2]
        return int(last) if self._valid(route) and last.isdecimal() else None

    def _saved(self, route: Manifest, index: int) -> list[dict[str, Any]] | None:
        """Return what was saved of a rule, if sharing it gives what the rule is now: then nobody changed it since."""
        try:
            saved = json.loads(annotations_of(route).get(ANNOTATION_BACKENDS, "[]"))
            refs = saved[index]
            weight = self._asked(route)
            same = weight is not None and shared(refs, self._is_root, self.split.canary, weight) == _backends(
                _rules(route)[index]
            )
        except (ValueError, TypeError, LookupError, AttributeError):
            return None
        return refs if same else None

    def _write_backends(
        self, route: Manifest, annotations: dict[str, str], weight: int, resource_version: str | None
    ) -> Patch:
        """Return the write for clusters without the policies: rule by rule, each tested to be the one that was read.

        A forced write carries no resource version: a gateway's status write between reading and writing must not stop a
        decrease.
        """
        operations: list[dict[str, Any]] = []
        if resource_version is not None:
            operations.append({"op": "replace", "path": "/metadata/resourceVersion", "value": resource_version})
        if route["metadata"].get("annotations"):
            for key, value in annotations.items():
                escaped = key.replace("~", "~0").replace("/", "~1")
                operations.append({"op": "add", "path": f"/metadata/annotations/{escaped}", "value": value})
        else:
            operations.append({"op": "add", "path": "/metadata/annotations", "value": annotations})
        for i, rule in enumerate(_rules(route)):
            refs = _backends(rule)
            wanted = shared(refs, self._is_root, self.split.canary, weight)
            if wanted != refs:
                path = f"/spec/rules/{i}/backendRefs"
                operations.append({"op": "test", "path": path, "value": rule["backendRefs"]})
                operations.append({"op": "replace", "path": path, "value": wanted})
        return Patch(self.ref, operations, ContentType.JSON, ROUTE_MANAGER)


def _rules(route: Manifest) -> Sequence[Manifest]:
    return route["spec"].get("rules") or ()


def _backends(rule: Manifest) -> list[dict[str, Any]]:
    return [dict(ref) for ref in rule.get("backendRefs") or ()]
