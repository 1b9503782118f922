"""A cluster of Rollouts in memory, honest about what a real one does: versions, conflicts, deletion, silence."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from canary.cli.cluster import Seen, Target
from canary.cli.reading import read
from canary.errors import ApiConflict, CanaryError, NotFound


class FakeCluster:
    def __init__(self, *documents: Mapping[str, Any], namespace: str = "shop") -> None:
        self.documents: dict[tuple[str, str], dict[str, Any]] = {}
        self.namespace = namespace
        self.user = "ada@example.com"
        self.fails_with: CanaryError | None = None
        """Raised by every call, as by an API server that is down."""
        self.before_patch: list[Callable[[], None]] = []
        """What others do between a read and a write, one for each write."""
        self.script: list[Callable[[], None]] = []
        """What happens while somebody watches, one after the other; a watch ends when nothing is left."""
        self.targets: list[Target] = []
        self._version = 0
        for document in documents:
            self.put(document)

    def connect(self, target: Target) -> FakeCluster:
        self.targets.append(target)
        if target.namespace:
            self.namespace = target.namespace
        return self

    def put(self, document: Mapping[str, Any]) -> None:
        stored = copy.deepcopy(dict(document))
        self._version += 1
        stored["metadata"]["resourceVersion"] = str(self._version)
        self.documents[stored["metadata"]["namespace"], stored["metadata"]["name"]] = stored

    def change(self, name: str, namespace: str = "shop", **status: Any) -> None:
        document = self.documents[namespace, name]
        self.put(document | {"status": document.get("status", {}) | status})

    def delete(self, name: str, namespace: str = "shop") -> None:
        del self.documents[namespace, name]

    def annotations(self, name: str, namespace: str = "shop") -> dict[str, str]:
        return dict(self.documents[namespace, name]["metadata"].get("annotations", {}))

    def get_rollout(self, namespace: str, name: str) -> Seen:
        self._answer()
        if (namespace, name) not in self.documents:
            raise NotFound(f'rollouts.canary.delivery "{name}" not found')
        return read(self.documents[namespace, name])

    def list_rollouts(self, namespace: str | None) -> tuple[Seen, ...]:
        self._answer()
        return tuple(read(d) for k, d in sorted(self.documents.items()) if namespace in (None, k[0]))

    def watch(self, seen: Seen, timeout_seconds: float) -> Iterator[Seen | None]:
        key, version = (seen.namespace, seen.name), seen.resource_version
        while True:
            self._answer()
            if key not in self.documents:
                yield None
                return
            if (found := read(self.documents[key])).resource_version != version:
                version = found.resource_version
                yield found
            if not self.script:
                return
            self.script.pop(0)()

    def patch_annotations(self, seen: Seen, changes: Mapping[str, str | None]) -> Seen:
        self._answer()
        if self.before_patch:
            self.before_patch.pop(0)()
        document = copy.deepcopy(self.documents[seen.namespace, seen.name])
        if document["metadata"]["resourceVersion"] != seen.resource_version:
            raise ApiConflict(f'somebody else wrote first: rollout "{seen.name}" was changed')
        kept = {**document["metadata"].get("annotations", {}), **changes}
        document["metadata"]["annotations"] = {k: v for k, v in kept.items() if v is not None}
        self.put(document)
        return read(self.documents[seen.namespace, seen.name])

    def whoami(self) -> str:
        self._answer()
        return self.user

    def _answer(self) -> None:
        if self.fails_with is not None:
            raise self.fails_with
