"""The API server of the rendered world: the operator's unit tests' one, with the admission policies of deploy/base/policies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from typing_extensions import override

from canary.operator import kinds
from canary.operator.kinds import Kind, Obj
from tests.property.manifests import NS
from tests.unit.operator.fake_api import FakeApi
from tests.unit.operator.server_side_apply import Owned

PIN, SPLIT, LABEL = "canary.delivery/pin", "canary.delivery/split", "canary.delivery/rollout"


class ApiServer(FakeApi):
    """Policies act on the operator's writes, whom they believe; what others write is written as it would be after them."""

    def __init__(self, *, policies: bool) -> None:
        super().__init__()
        self.policies = policies
        self.operator = False

    @contextmanager
    def by_the_operator(self) -> Iterator[None]:
        self.operator = True
        try:
            yield
        finally:
            self.operator = False

    def find(self, kind: Kind, name: str) -> Obj | None:
        return self.objects.get((kind.plural, NS, name))

    def all(self, kind: Kind) -> list[Obj]:
        return [obj for (plural, _, _), obj in self.objects.items() if plural == kind.plural]

    def owns(self, owner: Obj, obj: Obj) -> bool:
        return any(o["uid"] == owner["metadata"]["uid"] for o in obj["metadata"].get("ownerReferences", ()))

    def owned_by(self, owner: Obj) -> list[Obj]:
        return [rs for rs in self.all(kinds.REPLICA_SET) if self.owns(owner, rs)]

    def remove(self, kind: Kind, name: str) -> None:
        if self.find(kind, name) is not None:
            self._remove(kind, NS, name)

    @override
    async def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str = "", propagation: str = "Background"
    ) -> None:
        """In the foreground, a Deployment stays until the last of its pods has gone."""
        known = self.find(kind, name)
        if kind is kinds.DEPLOYMENT and propagation == "Foreground" and known is not None:
            if uid in ("", known["metadata"]["uid"]):
                ends = {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["foregroundDeletion"]}
                self._store(kind, {**known, "metadata": {**known["metadata"], **ends}})
            return
        await super().delete(kind, namespace, name, uid=uid, propagation=propagation)

    @override
    def _store(self, kind: Kind, obj: Obj, owned: Owned | None = None) -> Obj:
        if self.operator and self.policies and LABEL in obj["metadata"].get("labels", {}):
            before = self.find(kind, obj["metadata"]["name"]) or {}
            if kind is kinds.SERVICE:
                _follow_pin(obj, _mark(before, PIN), _mark(obj, PIN))
            elif kind is kinds.HTTP_ROUTE:
                _follow_split(obj, _mark(before, SPLIT), _mark(obj, SPLIT))
        return super()._store(kind, obj, owned)


def _mark(obj: Obj, key: str) -> str:
    return str(obj.get("metadata", {}).get("annotations", {}).get(key, ""))


def _follow_pin(obj: Obj, before: str, asked: str) -> None:
    """As pin.yaml."""
    if re.fullmatch("[a-z0-9]{1,32}", asked):
        obj["spec"]["selector"] = {**obj["spec"]["selector"], "pod-template-hash": asked}
    elif not asked and before:
        obj["spec"]["selector"] = {k: v for k, v in obj["spec"]["selector"].items() if k != "pod-template-hash"}


def _follow_split(obj: Obj, before: str, asked: str) -> None:
    """As route.yaml, of one rule with one backend."""
    root, canary, _, share = (asked or before).split() if asked or before else ("", "", "", "0")
    if not root:
        return
    refs = {ref["name"]: dict(ref) for ref in obj["spec"]["rules"][0]["backendRefs"]}
    if asked:
        if canary not in refs:
            refs[root]["weight"] = refs[root].get("weight", 1) * 100
            refs[canary] = {**refs[root], "name": canary, "weight": 0}
        total = refs[root]["weight"] + refs[canary]["weight"]
        refs[canary]["weight"] = total * int(share) // 100
        refs[root]["weight"] = total - refs[canary]["weight"]
    elif canary in refs:
        total = refs[root]["weight"] + refs.pop(canary)["weight"]
        refs[root]["weight"] = -(-total // 100)
    obj["spec"]["rules"] = [{**obj["spec"]["rules"][0], "backendRefs": list(refs.values())}]
