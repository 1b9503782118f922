"""An API server in memory: resourceVersions, generations, conflicts, uids, status and scale as subresources.

Server-side apply knows who owns which field (`server_side_apply.py`); conflicts are not made, for all of ours are forced.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import Any

from canary.errors import ApiConflict, NotFound
from canary.operator.client import Listing, PatchBody
from canary.operator.kinds import Kind, Obj
from tests.unit.operator.server_side_apply import Owned, applied, written


class FakeApi:
    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Obj] = {}
        self.owned: dict[tuple[str, str, str], Owned] = {}
        """Which fields of an object belong to which manager that applied it."""
        self.version = itertools.count(1)
        self.latest = 0
        self.log: list[tuple[str, str, str]] = []
        """Writes: verb, kind and name."""
        self.reads: list[tuple[str, str]] = []
        self.fail: Callable[[str, Kind, str], Exception | None] = lambda verb, kind, name: None
        """What a test lets go wrong, for a verb, kind and name."""
        self.admit: Callable[[Obj], Obj] = lambda obj: obj
        """What admission makes of a dry run."""
        self.watchers: list[Callable[[Kind, str, Obj], object]] = []

    def put(self, kind: Kind, obj: Obj) -> Obj:
        """Set an object as somebody else would."""
        obj = copy.deepcopy(obj)
        obj.setdefault("apiVersion", kind.api_version)
        obj.setdefault("kind", kind.kind)
        return self._store(kind, obj)

    def peek(self, kind: Kind, namespace: str, name: str) -> Obj:
        return self.objects[kind.plural, namespace, name]

    async def get(self, kind: Kind, namespace: str, name: str) -> Obj:
        self._maybe_fail("get", kind, name)
        return copy.deepcopy(self._find(kind, namespace, name))

    async def list(self, kind: Kind, namespace: str | None = None, *, labels: str = "") -> Listing:
        self._maybe_fail("list", kind, "")
        wanted = _selector(labels)
        items = [
            copy.deepcopy(obj)
            for (plural, ns, _), obj in self.objects.items()
            if plural == kind.plural
            and namespace in (None, ns)
            and all(obj["metadata"].get("labels", {}).get(k) in v for k, v in wanted.items())
        ]
        return Listing(tuple(items), str(self.latest))

    async def create(self, kind: Kind, obj: Obj, *, manager: str) -> Obj:
        meta = obj["metadata"]
        self._write("create", kind, meta["name"])
        if (kind.plural, meta.get("namespace", ""), meta["name"]) in self.objects:
            raise ApiConflict(f"create {kind.kind} {meta['name']}: exists")
        return self._store(kind, copy.deepcopy(obj))

    async def apply(self, kind: Kind, obj: Obj, *, manager: str) -> Obj:
        meta = obj["metadata"]
        self._write("apply", kind, meta["name"])
        key = kind.plural, meta.get("namespace", ""), meta["name"]
        known, version = self.objects.get(key, {}), meta.get("resourceVersion")
        if version is not None and version != known.get("metadata", {}).get("resourceVersion"):
            raise ApiConflict(f"apply {kind.kind} {meta['name']}: the object has been modified")
        after, owned = applied(known, self.owned.get(key, {}), manager, obj)
        return self._store(kind, after, owned)

    async def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        body: PatchBody,
        *,
        manager: str,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Obj:
        if dry_run:
            assert isinstance(body, dict)
            return self.admit(merged(self._find(kind, namespace, name), body))
        self._write(f"patch/{subresource}" if subresource else "patch", kind, name)
        known = self._find(kind, namespace, name)
        if isinstance(body, list):
            return self._store(kind, json_patched(known, body))
        version = body.get("metadata", {}).get("resourceVersion")
        if version is not None and version != known["metadata"]["resourceVersion"]:
            raise ApiConflict(f"patch {kind.kind} {name}: the object has been modified")
        after = merged(known, body)
        if subresource == "status":
            after = {**known, "status": after.get("status", {})}
        elif subresource != "scale" and "status" in known and kind.group == "canary.delivery":
            after["status"] = known["status"]
        return self._store(kind, after)

    async def replace(self, kind: Kind, obj: Obj, *, manager: str) -> Obj:
        meta = obj["metadata"]
        self._write("replace", kind, meta["name"])
        known = self._find(kind, meta.get("namespace", ""), meta["name"])
        if meta.get("resourceVersion") not in (None, known["metadata"]["resourceVersion"]):
            raise ApiConflict(f"replace {kind.kind} {meta['name']}: the object has been modified")
        return self._store(kind, {**copy.deepcopy(obj), "metadata": {**known["metadata"], **meta}})

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str = "", propagation: str = "Background"
    ) -> None:
        self._write("delete", kind, name)
        known = self.objects.get((kind.plural, namespace, name))
        if known is not None and uid in ("", known["metadata"]["uid"]):
            self._remove(kind, namespace, name)

    def _remove(self, kind: Kind, namespace: str, name: str) -> None:
        gone = self.objects.pop((kind.plural, namespace, name))
        self.owned.pop((kind.plural, namespace, name), None)
        self.latest = next(self.version)
        gone["metadata"]["resourceVersion"] = str(self.latest)
        for watcher in self.watchers:
            watcher(kind, "DELETED", copy.deepcopy(gone))

    def _store(self, kind: Kind, obj: Obj, owned: Owned | None = None) -> Obj:
        meta = obj["metadata"]
        key = (kind.plural, meta.get("namespace", ""), meta["name"])
        known = self.objects.get(key)
        if owned is not None:
            self.owned[key] = owned
        elif known is not None and key in self.owned:
            self.owned[key] = written(known, obj, self.owned[key])
        if known is not None and _without_version(known) == _without_version(obj):
            return copy.deepcopy(known)
        self.latest = next(self.version)
        changed_spec = known is None or known.get("spec") != obj.get("spec")
        before: Obj = known["metadata"] if known else {"uid": f"uid-{self.latest}", "generation": 0}
        meta.setdefault("uid", before["uid"])
        meta["generation"] = before.get("generation", 0) + (1 if changed_spec else 0)
        meta["resourceVersion"] = str(self.latest)
        self.objects[key] = obj
        if meta.get("deletionTimestamp") and not meta.get("finalizers"):
            self._remove(kind, meta.get("namespace", ""), meta["name"])
            return copy.deepcopy(obj)
        for watcher in self.watchers:
            watcher(kind, "MODIFIED" if known else "ADDED", copy.deepcopy(obj))
        return copy.deepcopy(obj)

    def _find(self, kind: Kind, namespace: str, name: str) -> Obj:
        try:
            return self.objects[kind.plural, namespace if kind.namespaced else "", name]
        except KeyError:
            raise NotFound(f"{kind.kind} {namespace}/{name} does not exist") from None

    def _write(self, verb: str, kind: Kind, name: str) -> None:
        self.log.append((verb, kind.kind, name))
        self._maybe_fail(verb, kind, name)

    def _maybe_fail(self, verb: str, kind: Kind, name: str) -> None:
        error = self.fail(verb, kind, name)
        if error is not None:
            raise error


def _selector(text: str) -> dict[str, list[str]]:
    """`a=b,c=d` or `a in (b,c)`."""
    if " in (" in text:
        key, _, values = text.partition(" in ")
        return {key: values.strip("()").split(",")}
    return {key: [value] for key, _, value in (part.partition("=") for part in text.split(",") if part)}


def merged(base: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    after = copy.deepcopy(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        if value is None:
            after.pop(key, None)
        else:
            after[key] = merged(after.get(key), value)
    return after


def json_patched(base: Obj, operations: list[Obj]) -> Obj:
    """RFC 6902, as far as it is used: test, add, replace, remove."""
    after = copy.deepcopy(base)
    for operation in operations:
        *path, last = [p.replace("~1", "/").replace("~0", "~") for p in operation["path"].split("/")[1:]]
        target: Any = after
        for part in path:
            target = target[int(part) if isinstance(target, list) else part]
        at: Any = int(last) if isinstance(target, list) and last != "-" else last
        match operation["op"]:
            case "test":
                if (target.get(at) if isinstance(target, dict) else target[at]) != operation.get("value"):
                    raise ApiConflict(f"test of {operation['path']} failed")
            case "remove":
                del target[at]
            case _ if isinstance(target, list):
                target.insert(len(target) if at == "-" else at, operation["value"])
            case _:
                target[at] = operation["value"]
    return after


def _without_version(obj: Obj) -> Obj:
    meta = {k: v for k, v in obj["metadata"].items() if k not in ("resourceVersion", "generation", "uid")}
    return {**obj, "metadata": meta}
