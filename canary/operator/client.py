"""The Kubernetes API as the operator uses it: few verbs, limits always set, foreign errors mapped in one table."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.dynamic import DynamicClient

from canary.errors import ApiConflict, ApiUnavailable, CanaryError, Forbidden, NotFound, SpecInvalid
from canary.operator.kinds import Kind, Obj

REQUEST_TIMEOUT_SECONDS: Final = 10.0
"""For one request that reads. A quarter of it would do on a healthy cluster."""
WRITE_TIMEOUT_SECONDS: Final = 4.0
"""For one that writes: less than the Lease's margin, so that no leader waits for a write when another may lead. The
Lease's renewal brings its own limit."""

PatchBody: TypeAlias = Obj | list[Obj]
"""A merge patch (an object) or a JSON patch (a list of operations)."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The answer to a list."""

    items: tuple[Obj, ...]
    resource_version: str
    """Of the list: what is not in it, and is not newer, does not exist."""


class Api(Protocol):
    """The verbs. All raise ApiUnavailable, ApiConflict, NotFound, Forbidden or SpecInvalid, which name verb and object.

    Cancelling a write leaves open whether it was done; every write that the operator makes may be made twice.
    """

    async def get(self, kind: Kind, namespace: str, name: str) -> Obj:
        """Read one object."""
        ...

    async def list(self, kind: Kind, namespace: str | None = None, *, labels: str = "") -> Listing:
        """Read the objects of a kind, in one namespace or (None) in all; `labels` is a label selector."""
        ...

    async def create(self, kind: Kind, obj: Obj, *, manager: str) -> Obj:
        """Create an object; ApiConflict when there is one of its name."""
        ...

    async def apply(self, kind: Kind, obj: Obj, *, manager: str) -> Obj:
        """Server-side apply, taking over fields that others manage."""
        ...

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
        """Merge patch or JSON patch; a `metadata.resourceVersion` in a merge patch makes it conditional.

        A dry run goes through admission, and nothing is stored.
        """
        ...

    async def replace(self, kind: Kind, obj: Obj, *, manager: str) -> Obj:
        """Put a whole object; conditional on its `metadata.resourceVersion`."""
        ...

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str = "", propagation: str = "Background"
    ) -> None:
        """Delete an object (only the one with this uid, if given); one that is gone, or another's, is fine."""
        ...


class KubernetesApi:
    """`Api` over kubernetes.aio's dynamic client."""

    def __init__(self, configuration: Configuration, *, count: Callable[[str, str], None] | None = None) -> None:
        self._client = ApiClient(configuration)
        # Not awaited: that would run discovery, and keep its result in a world-writable directory.
        self._dynamic = DynamicClient(self._client)  # type: ignore[no-untyped-call]  # the library's
        self._count = count
        self.writes: Counter[str] = Counter()
        """Writes asked for, by kind; whatever their outcome."""

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]  # the library's

    async def get(self, kind: Kind, namespace: str, name: str) -> Obj:
        """Read one object."""
        return await self._request("get", kind, kind.path(namespace, name), f"{namespace}/{name}")

    async def list(self, kind: Kind, namespace: str | None = None, *, labels: str = "") -> Listing:
        """Read the objects of a kind."""
        answer = await self._request(
            "get",
            kind,
            kind.path(namespace),
            "list",
            label_selector=labels or None,
            field_selector=kind.field_selector or None,
        )
        items = answer.get("items") or []
        for item in items:  # the API leaves both out of the items of a list
            item.setdefault("apiVersion", kind.api_version)
            item.setdefault("kind", kind.kind)
        return Listing(tuple(items), answer["metadata"].get("resourceVersion", ""))

    async def create(self, kind: Kind, obj: Obj, *, manager: str) -> Obj:
        """Create an object."""
        namespace, what = _named(obj)
        return await self._request("post", kind, kind.path(namespace), what, body=obj, field_manager=manager)

    async def apply(self, kind: Kind, obj: Obj, *, manager: str) -> Obj:
        """Server-side apply."""
        namespace, what = _named(obj)
        return await self._request(
            "patch",
            kind,
            kind.path(namespace, obj["metadata"]["name"]),
            what,
            body=obj,
            content_type="application/apply-patch+yaml",
            field_manager=manager,
            force_conflicts=True,
        )

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
        """Merge patch or JSON patch."""
        form = "json-patch" if isinstance(body, list) else "merge-patch"
        try:
            return await self._request(
                "patch",
                kind,
                kind.path(namespace, name, subresource),
                f"{namespace}/{name}",
                body=body,
                content_type=f"application/{form}+json",
                field_manager=manager,
                dry_run="All" if dry_run else None,
            )
        except SpecInvalid as error:
            if isinstance(body, list) and any(operation["op"] == "test" for operation in body):
                raise ApiConflict(str(error)) from error  # how the API answers a `test` that fails
            raise

    async def replace(self, kind: Kind, obj: Obj, *, manager: str) -> Obj:
        """Put a whole object."""
        namespace, what = _named(obj)
        path = kind.path(namespace, obj["metadata"]["name"])
        return await self._request("put", kind, path, what, body=obj, field_manager=manager)

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str = "", propagation: str = "Background"
    ) -> None:
        """Delete an object."""
        body: Obj = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            await self._request("delete", kind, kind.path(namespace, name), f"{namespace}/{name}", body=body)
        except NotFound:
            return
        except ApiConflict:
            if not uid:  # else it is the precondition that failed: the object of that name is another one now
                raise

    async def _request(
        self,
        method: str,
        kind: Kind,
        path: str,
        what: str,
        **params: Any,  # noqa: ANN401 -- the dynamic client's own parameters
    ) -> Obj:
        if method != "get" and not params.get("dry_run"):  # a dry run stores nothing
            self.writes[kind.kind] += 1
            if self._count is not None:
                self._count(kind.kind, method)
        limit = REQUEST_TIMEOUT_SECONDS if method == "get" else WRITE_TIMEOUT_SECONDS
        try:
            async with asyncio.timeout(limit):
                response = await self._dynamic.request(
                    method,
                    path,
                    serialize=False,
                    query_params=[],
                    header_params={},
                    _request_timeout=limit,
                    **params,
                )
                text = await response.read()
        except ApiException as error:
            raise mapped(error.status, _message(error), f"{method} {kind.kind} {what}", _retry_after(error)) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiUnavailable(f"{method} {kind.kind} {what}: the API server did not answer ({error!r})") from error
        answer: Obj = json.loads(text)
        return answer


ERRORS: Final[dict[int, type[CanaryError]]] = {
    400: SpecInvalid,
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    409: ApiConflict,
    410: ApiUnavailable,
    422: SpecInvalid,
}
"""By HTTP status; what is not here (429, 5xx, 408) may go away by itself."""


def mapped(status: int | None, message: str, what: str, retry_after_seconds: float | None = None) -> CanaryError:
    """Return our error for an answer of the API server."""
    cls = ERRORS.get(status or 0, ApiUnavailable)
    text = f"{what}: {message}"
    if issubclass(cls, ApiConflict | ApiUnavailable):
        return cls(text, retry_after_seconds=retry_after_seconds)
    return cls(text)


def _named(obj: Obj) -> tuple[str, str]:
    meta = obj["metadata"]
    namespace = meta.get("namespace", "")
    return namespace, f"{namespace}/{meta.get('name', '')}"


def _message(error: ApiException) -> str:
    body = str(error.body or "")
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.status} {error.reason} {body[:200]}".strip()


def _retry_after(error: ApiException) -> float | None:
    value = (error.headers or {}).get("Retry-After", "")
    return float(value) if str(value).isdigit() else None
