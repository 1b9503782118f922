"""What the watches and our own writes have shown, by kind, namespace and name."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from typing import Final, TypeAlias

from canary.operator.kinds import Kind, Obj

Name: TypeAlias = tuple[str, str]
"""Namespace (empty for cluster-scoped kinds) and name."""

TOMBSTONES: Final = 10_000
"""Deleted objects that are remembered, so that a late answer does not bring them back. Arbitrary; 10,000 are about 2
MB."""


def name_of(obj: Obj) -> Name:
    """Return an object's namespace and name."""
    meta = obj["metadata"]
    return meta.get("namespace", ""), meta["name"]


def version_of(obj: Obj) -> int:
    """Return an object's resourceVersion as a number: since Kubernetes 1.35 they are ordered by contract."""
    text = obj["metadata"].get("resourceVersion", "0")
    return int(text) if text.isdigit() else 0


class Cache:
    """The newest version seen of each object. Used from the loop's thread only; objects in it are not to be changed."""

    def __init__(self) -> None:
        self._objects: dict[Kind, dict[Name, Obj]] = defaultdict(dict)
        self._owned: dict[tuple[Kind, str], set[Name]] = defaultdict(set)
        self._gone: OrderedDict[tuple[Kind, str], int] = OrderedDict()

    def get(self, kind: Kind, namespace: str, name: str) -> Obj | None:
        """Return an object, or None when there is none."""
        return self._objects[kind].get((namespace if kind.namespaced else "", name))

    def all(self, kind: Kind, namespace: str | None = None) -> list[Obj]:
        """Return the objects of a kind, of one namespace or of all."""
        return [obj for (ns, _), obj in self._objects[kind].items() if namespace is None or ns == namespace]

    def owned(self, kind: Kind, owner_uid: str) -> list[Obj]:
        """Return the objects of a kind whose controller has this uid."""
        return [self._objects[kind][name] for name in self._owned.get((kind, owner_uid), ())]

    def put(self, kind: Kind, obj: Obj) -> bool:
        """Take an event's object or the answer to a write; return whether it was news.

        A watch may be behind what a write's answer showed: what is older than what is known is dropped.
        """
        name, version, uid = name_of(obj), version_of(obj), obj["metadata"].get("uid", "")
        if self._gone.get((kind, uid), -1) >= version:
            return False
        known = self._objects[kind].get(name)
        if known is not None and version_of(known) >= version:
            return False
        self._drop(kind, name)
        obj["metadata"].pop("managedFields", None)  # half of an object's size, and read by nobody here
        if kind.slim is not None:
            kind.slim(obj)
        self._objects[kind][name] = obj
        owner = controller_uid(obj)
        if owner:
            self._owned[kind, owner].add(name)
        return True

    def remove(self, kind: Kind, obj: Obj) -> bool:
        """Take a deletion; return whether it was news."""
        name, version, uid = name_of(obj), version_of(obj), obj["metadata"].get("uid", "")
        self._gone[kind, uid] = max(version, self._gone.get((kind, uid), 0))
        while len(self._gone) > TOMBSTONES:
            self._gone.popitem(last=False)
        known = self._objects[kind].get(name)
        if known is None or known["metadata"].get("uid", "") != uid:
            return False
        self._drop(kind, name)
        return True

    def replace(
        self, kind: Kind, objects: Iterable[Obj], resource_version: str, *, namespace: str | None = None
    ) -> dict[Name, Obj]:
        """Take the whole list of a namespace, or of all; return what came, changed or went, by name.

        This is how a deletion is noticed that happened while a watch was being restarted.
        """
        at = int(resource_version) if resource_version.isdigit() else 0
        listed: set[Name] = set()
        news: dict[Name, Obj] = {}
        for obj in objects:
            listed.add(name_of(obj))
            if self.put(kind, obj):
                news[name_of(obj)] = obj
        for name, obj in list(self._objects[kind].items()):
            if name not in listed and version_of(obj) <= at and namespace in (None, name[0]):
                self._drop(kind, name)
                news[name] = obj
        return news

    def _drop(self, kind: Kind, name: Name) -> None:
        known = self._objects[kind].pop(name, None)
        owner = controller_uid(known) if known else ""
        if owner:
            names = self._owned[kind, owner]
            names.discard(name)
            if not names:
                del self._owned[kind, owner]


def controller_uid(obj: Obj) -> str:
    """Return the uid of the object's controller; empty when it has none."""
    for reference in obj["metadata"].get("ownerReferences", ()):
        if reference.get("controller"):
            return str(reference["uid"])
    return ""
