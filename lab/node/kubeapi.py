"""The API server over HTTP: plain requests, and a list that stays up to date by one watch."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import random
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

Object = dict[str, Any]
log = logging.getLogger("lab.node.api")

STRATEGIC_MERGE = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"

WATCH_SECONDS = 240
"""The server ends a watch after so long, and it is resumed where it ended."""


class ApiError(Exception):
    """The server answered with an error, or (status 0) did not answer."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason

    @property
    def retryable(self) -> bool:
        """Whether the same request may work later."""
        return self.status in (0, 408, 429) or self.status >= 500


class Backoff:
    """Seconds to wait after failures in a row: doubling, bounded, with jitter."""

    def __init__(self, first: float = 0.1, most: float = 5.0) -> None:
        self._first, self._most, self._failures = first, most, 0

    def reset(self) -> None:
        """It worked."""
        self._failures = 0

    async def wait(self) -> None:
        """It did not."""
        seconds = min(self._most, self._first * 2**self._failures)
        self._failures = min(self._failures + 1, 16)
        await asyncio.sleep(seconds * random.uniform(0.5, 1.0))


@dataclass(frozen=True, slots=True)
class Listed:
    """The whole list, at the start and whenever the watch could not be resumed."""

    items: list[Object]


@dataclass(frozen=True, slots=True)
class Changed:
    """One object was added or modified."""

    item: Object


@dataclass(frozen=True, slots=True)
class Deleted:
    """One object is gone."""

    item: Object


class KubeApi:
    """A client for one API server."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    @classmethod
    def from_kubeconfig(cls, path: Path) -> KubeApi:
        """Read the current context; client certificates and bearer tokens are served."""
        config = yaml.safe_load(path.read_text())
        contexts = {entry["name"]: entry["context"] for entry in config["contexts"]}
        context = contexts[config.get("current-context") or next(iter(contexts))]
        cluster = next(entry["cluster"] for entry in config["clusters"] if entry["name"] == context["cluster"])
        user = next(entry["user"] for entry in config["users"] if entry["name"] == context["user"]) or {}
        token = user.get("token") or (Path(user["tokenFile"]).read_text().strip() if "tokenFile" in user else None)
        return cls(
            httpx.AsyncClient(
                base_url=cluster["server"],
                verify=_tls(cluster, user, path.parent),
                headers={"Authorization": f"Bearer {token}"} if token else {},
                timeout=httpx.Timeout(10.0, pool=60.0),
                limits=httpx.Limits(max_connections=64),
                trust_env=False,  # never through a proxy: the server is in this network namespace
            )
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        content_type: str = "application/json",
        params: Mapping[str, str] | None = None,
    ) -> Object:
        """One request, one try.

        Raises
        ------
        ApiError
            for every answer that is not a success, and for no answer (status 0).
        """
        try:
            response = await self._client.request(
                method,
                path,
                content=None if body is None else json.dumps(body),
                headers={"Content-Type": content_type} if body is not None else {},
                params=params,
            )
        except httpx.HTTPError as error:
            raise ApiError(0, "NoAnswer", f"{method} {path}: {type(error).__name__}: {error}") from error
        return _answer(method, path, response.status_code, response.content)

    async def follow(
        self, path: str, params: Mapping[str, str] | None = None
    ) -> AsyncIterator[Listed | Changed | Deleted]:
        """The list and then its changes, for ever; every failure is met by trying again with a bounded backoff."""
        backoff = Backoff()
        version = ""
        while True:
            try:
                if not version:
                    listed = await self.request("GET", path, params=params)
                    version = listed["metadata"]["resourceVersion"]
                    yield Listed(listed.get("items") or [])
                async for kind, item in self._watch(path, dict(params or {}), version):
                    backoff.reset()
                    version = item["metadata"]["resourceVersion"]
                    if kind == "DELETED":
                        yield Deleted(item)
                    elif kind in ("ADDED", "MODIFIED"):
                        yield Changed(item)
                # Ended by the server. A server that ends every watch at once would be asked in a tight loop otherwise.
                await asyncio.sleep(0.05)
            except ApiError as error:
                if error.status == 410:
                    version = ""
                else:
                    log.warning("%s: %s; trying again", path, error)
                    await backoff.wait()

    async def _watch(self, path: str, params: dict[str, str], version: str) -> AsyncIterator[tuple[str, Object]]:
        params |= {
            "watch": "1",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        timeout = httpx.Timeout(10.0, read=WATCH_SECONDS + 30.0, pool=60.0)
        try:
            async with self._client.stream("GET", path, params=params, timeout=timeout) as response:
                if response.status_code != 200:
                    _answer("WATCH", path, response.status_code, await response.aread())
                async for line in response.aiter_lines():
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        status = event["object"]
                        raise ApiError(status.get("code", 500), status.get("reason", ""), status.get("message", ""))
                    yield event["type"], event["object"]
        except httpx.HTTPError as error:
            raise ApiError(0, "NoAnswer", f"WATCH {path}: {type(error).__name__}: {error}") from error
        except json.JSONDecodeError as error:
            raise ApiError(0, "TornAnswer", f"WATCH {path}: a line that is no JSON") from error


def _answer(method: str, path: str, status: int, content: bytes) -> Object:
    try:
        answer = json.loads(content)
    except ValueError:
        answer = {"message": content[:200].decode(errors="replace")}
    if not isinstance(answer, dict):
        answer = {"message": str(answer)[:200]}
    if 200 <= status < 300:
        return answer
    raise ApiError(status, str(answer.get("reason", "")), f"{method} {path}: {status} {answer.get('message', '')}")


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any], base: Path) -> ssl.SSLContext | bool:
    if not str(cluster["server"]).startswith("https"):
        return False
    context = ssl.create_default_context()
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif authority := _material(cluster, "certificate-authority", base):
        context = ssl.create_default_context(cadata=authority.decode())
    certificate, key = _material(user, "client-certificate", base), _material(user, "client-key", base)
    if certificate and key:
        with tempfile.NamedTemporaryFile() as file:  # the ssl module reads certificates from files only
            file.write(certificate + b"\n" + key)
            file.flush()
            context.load_cert_chain(file.name)
    return context


def _material(entry: Mapping[str, Any], name: str, base: Path) -> bytes | None:
    if f"{name}-data" in entry:
        return base64.b64decode(entry[f"{name}-data"])
    return (base / entry[name]).read_bytes() if name in entry else None
