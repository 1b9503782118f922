"""The Kubernetes API by plain HTTP: quick enough to be polled, with no client library's cache between test and truth."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any


class ApiRefused(RuntimeError):
    """The API server answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        """HTTP status."""


class Api:
    """One identity at the API server."""

    def __init__(self, url: str, certificate: Path, token: str) -> None:
        self._url = url
        self._certificate = certificate
        self._token = token
        self._context: ssl.SSLContext | None = None

    def request(self, method: str, path: str, body: Any = None, *, content_type: str = "application/json") -> Any:
        """Give the answer: decoded when it is JSON, else its text. Raises ApiRefused, or OSError when nobody answers."""
        if self._context is None:
            self._context = ssl.create_default_context(cafile=str(self._certificate))
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": content_type, "Accept": "application/json"}
        request = urllib.request.Request(self._url + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10, context=self._context) as response:
                text = response.read().decode()
                return json.loads(text) if "json" in response.headers.get("Content-Type", "") else text
        except urllib.error.HTTPError as error:
            with error:
                raise ApiRefused(error.code, error.read().decode(errors="replace")[:2000]) from None
