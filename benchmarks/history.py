"""Every change of the objects of one kind with the time at which it was told: a watch, so nothing in between is missed."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Self, TypeVar
from urllib.parse import urlsplit

from lab.cluster import Lab
from lab.parts import apiserver

T = TypeVar("T")
_LONGEST_SECONDS = 7200


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """What was told."""

    at: float
    """Seconds since the epoch, when the event came here: some milliseconds after the write."""
    seen: T


class History(Generic[T]):
    """The changes of the objects of one name in each namespace. What is taken from an object is `take`'s business."""

    def __init__(self, lab: Lab, path: str, name: str, take: Callable[[dict[str, Any]], T]) -> None:
        self._lab = lab
        self._path = path
        self._name = name
        self._take = take
        self._changes: dict[str, list[Change[T]]] = defaultdict(list)
        self._lost = ""
        self._closing = False
        self._began = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._run, daemon=True, name=f"watch {self._path}").start()
        if not self._began.wait(10):
            raise TimeoutError(f"no watch of {self._path} within 10 s {self._lost}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True

    def of(self, namespace: str, *, since: float = 0.0) -> list[Change[T]]:
        """The changes in a namespace, oldest first. Raises when the watch was lost: then changes may be missing."""
        if self._lost:
            raise ConnectionError(f"the watch of {self._path} ended: {self._lost}")
        return [change for change in self._changes[namespace] if change.at >= since]

    def first(self, namespace: str, since: float, wanted: Callable[[T], bool]) -> float | None:
        """When something was first so, since then."""
        return next((change.at for change in self.of(namespace, since=since) if wanted(change.seen)), None)

    def _run(self) -> None:
        address = urlsplit(apiserver.URL)
        context = ssl.create_default_context(cafile=str(self._lab.apiserver.certificate))
        connection = http.client.HTTPSConnection(
            address.hostname or "", address.port, context=context, timeout=_LONGEST_SECONDS
        )
        headers = {"Authorization": f"Bearer {self._lab.apiserver.admin_token}", "Accept": "application/json"}
        query = f"?watch=1&timeoutSeconds={_LONGEST_SECONDS}&fieldSelector=metadata.name={self._name}"
        try:
            connection.request("GET", self._path + query, headers=headers)
            response = connection.getresponse()
            if response.status != http.HTTPStatus.OK:
                raise ConnectionError(f"HTTP {response.status}")  # noqa: TRY301 - told like any other end of it
            self._began.set()
            for line in response:
                event = json.loads(line)
                at = time.time()
                if event["type"] in {"ADDED", "MODIFIED"}:
                    obj = event["object"]
                    self._changes[obj["metadata"]["namespace"]].append(Change(at, self._take(obj)))
            self._lost = "closed"
        except Exception as error:  # told to whoever reads
            self._lost = "" if self._closing else repr(error)
