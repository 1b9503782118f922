"""The Kubernetes API by plain HTTP: quick enough to be polled, with no client library's cache between test and truth."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import threading
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

_SECONDS: Final = 30.0
"""How long an answer may take: an aggregated API and a busy machine make some slow."""

_BUSY_SECONDS: Final = 20
"""How long an API server may say that it is busy."""


class ApiRefused(RuntimeError):
    """The API server answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        """HTTP status."""


class _Kept:
    """A thread's connection, which is closed when the thread ends."""

    def __init__(self, connection: http.client.HTTPSConnection) -> None:
        self.connection = connection

    def __del__(self) -> None:
        self.connection.close()


class Api:
    """One identity at the API server. Each thread keeps a connection: a new one for each look costs more than the look."""

    def __init__(self, url: str, certificate: Path, token: str) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "", address.port
        self._certificate = certificate
        self._token = token
        self._context: ssl.SSLContext | None = None
        self._kept = threading.local()

    def request(self, method: str, path: str, body: Any = None, *, content_type: str = "application/json") -> Any:
        """Give the answer: decoded when it is JSON, else its text. Raises ApiRefused, or OSError when nobody answers."""
        end = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                return self._once(method, path, body, content_type)
            except ApiRefused as error:
                # 429: not now. For some seconds after a CRD has changed its storage is made anew.
                if error.status != 429 or time.monotonic() > end:
                    raise
                time.sleep(0.5)

    def _once(self, method: str, path: str, body: Any, content_type: str) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": content_type, "Accept": "application/json"}
        held: _Kept | None = getattr(self._kept, "held", None)
        kept = held.connection if held is not None else None
        if kept is not None and method == "GET":
            with contextlib.suppress(OSError, http.client.HTTPException):  # the server may have ended it meanwhile
                return self._ask(kept, method, path, data, headers)
        if kept is not None:
            kept.close()
        try:
            return self._ask(self._connect(), method, path, data, headers)
        except http.client.HTTPException as error:
            raise ConnectionError(f"{method} {path}: {error!r}") from error

    def _connect(self) -> http.client.HTTPSConnection:
        if self._context is None:
            self._context = ssl.create_default_context(cafile=str(self._certificate))
        connection = http.client.HTTPSConnection(self._host, self._port, timeout=_SECONDS, context=self._context)
        self._kept.held = _Kept(connection)
        return connection

    @staticmethod
    def _ask(
        connection: http.client.HTTPSConnection, method: str, path: str, data: bytes | None, headers: dict[str, str]
    ) -> Any:
        try:
            connection.request(method, path, body=data, headers=headers)
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        except BaseException:
            connection.close()  # half an answer must not be read as the next one
            raise
        if response.status >= 400:
            raise ApiRefused(response.status, text[:2000])
        return json.loads(text) if "json" in response.headers.get("Content-Type", "") else text
