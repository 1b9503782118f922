"""Google Cloud Monitoring (once Stackdriver), by its Prometheus API: PromQL, with Google's tokens.

Its older language, MQL, is deprecated, so it is not served.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any, Final

import requests
from requests.auth import AuthBase
from typing_extensions import override

from canary.errors import MetricsUnavailable, SpecInvalid
from canary.metrics.prometheus import PrometheusSource
from canary.metrics.source import SourceConfig

SCOPES: Final = ("https://www.googleapis.com/auth/monitoring.read",)


class StackdriverSource(PrometheusSource):
    """A `MetricSource` over one project of Google Cloud Monitoring."""

    def __init__(self, config: SourceConfig, *, credentials_file: str | None) -> None:
        super().__init__(config)
        self.transport.auth = GoogleToken(config, credentials_file)


class GoogleToken(AuthBase):
    """Puts a token on each request: of a service account's key, or of where the process runs (Workload Identity).

    Raises
    ------
    SpecInvalid
        The library is not installed.
    """

    def __init__(self, config: SourceConfig, file: str | None) -> None:
        try:
            import google.auth  # noqa: PLC0415 -- an extra
            import google.auth.transport.requests  # noqa: PLC0415
            from google.oauth2 import service_account  # noqa: PLC0415
        except ImportError as error:
            raise SpecInvalid(
                "metric sources of the kind stackdriver need google-auth: install canary-delivery[google]"
            ) from error
        self._auth: Any = google.auth  # it has no types
        self._account: Any = service_account.Credentials
        self._ask = google.auth.transport.requests.Request
        self._config = config
        self._file = file
        self._text: str | None = None
        self._credentials: Any = None
        self._lock = Lock()

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token()}"
        return request

    def _token(self) -> str:
        with self._lock:
            try:
                self._load()
                if not self._credentials.valid:
                    self._credentials.refresh(self._ask())
            except OSError as error:
                raise MetricsUnavailable(f"secret file {self._file} cannot be read: {error.strerror}") from error
            except (self._auth.exceptions.GoogleAuthError, ValueError) as error:
                raise MetricsUnavailable(
                    f"{self._config.said} gets no token from Google: {' '.join(str(error).split())[:300]}"
                ) from error
            return str(self._credentials.token)

    def _load(self) -> None:
        """Take the credentials anew when their file has changed."""
        text = Path(self._file).read_text(encoding="utf-8") if self._file else ""
        if text == self._text:
            return
        if self._file:
            self._credentials = self._account.from_service_account_file(self._file, scopes=SCOPES)
        else:
            self._credentials, _ = self._auth.default(scopes=SCOPES)
        self._text = text
