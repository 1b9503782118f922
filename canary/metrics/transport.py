"""HTTP to a metric source: who we are, whom we trust, how long we wait, and what an error means.

Secrets are files, which a Kubernetes Secret is mounted as. They are read again when they are used, so a rotated one
counts without a restart: tokens and passwords at each request; certificates when a connection is made, and when one of
their files has changed every connection is made anew.

Three habits of the library are closed: it follows redirects with all headers but `Authorization`, so API keys would go
along to wherever a redirect points; it takes proxies and passwords from the environment; and it quotes a header's value
in its error when that value is malformed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Lock
from typing import Any, Final, NoReturn

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from typing_extensions import override

from canary.errors import MetricsUnavailable, SpecInvalid
from canary.metrics.source import SourceConfig

REFUSALS: Final = frozenset({400, 422})
"""Statuses by which a source says that the query itself is wrong; it will be refused again."""
LONGEST_WAIT: Final = 300.0
"""Seconds for which a source that asks us to wait is believed. Arbitrary: releases wait with it."""


ERRORS: Final[tuple[tuple[type[Exception], type[MetricsUnavailable], str], ...]] = (
    (requests.exceptions.Timeout, MetricsUnavailable, "did not answer within {timeout:g} s"),
    (requests.exceptions.SSLError, MetricsUnavailable, "cannot be trusted: {error}"),
    (requests.exceptions.ConnectionError, MetricsUnavailable, "cannot be reached: {error}"),
    (requests.exceptions.JSONDecodeError, MetricsUnavailable, "answered with something that is not JSON"),
    (requests.exceptions.RequestException, MetricsUnavailable, "broke off: {error}"),
)
"""Every error of the library, the first that fits; what a caller sees; and what is said."""


class Transport(requests.Session):
    """A session for one source; safe to share between threads."""

    def __init__(self, config: SourceConfig, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.config = config
        self.trust_env = False
        self.mount("https://", HTTPAdapter(max_retries=0))
        self.mount("http://", HTTPAdapter(max_retries=0))
        self.verify = config.ca_file or True
        if config.cert_file and config.key_file:
            self.cert = (config.cert_file, config.key_file)
        self._monotonic = monotonic
        self._quiet_until = 0.0
        self._lock = Lock()
        self._tls_files = [each for each in (config.ca_file, config.cert_file, config.key_file) if each]
        self._tls_seen: tuple[tuple[int, ...], ...] | None = None

    @override
    def request(self, method: str, url: str, *rest: Any, **options: Any) -> requests.Response:  # type: ignore[override]  # callers pass keywords
        """Send one request, with today's secrets; a source that asked us to wait is not asked before.

        Raises
        ------
        MetricsUnavailable
            A secret cannot be read, or the source asked us to wait.
        """
        if (wait := self._quiet_until - self._monotonic()) > 0:
            raise MetricsUnavailable(
                f"{self.config.said} asked for a pause, of which {wait:.0f} s are left", retry_after_seconds=wait
            )
        self._renew_connections()
        secret = {each.name: each.prefix + read_secret(each.file) for each in self.config.secret_headers}
        options["headers"] = {**dict(self.config.headers), **(options.get("headers") or {}), **secret}
        if self.config.password_file is not None:
            options["auth"] = HTTPBasicAuth(
                self.config.username.encode(), read_secret(self.config.password_file).encode()
            )
        options["allow_redirects"] = False
        options.setdefault("timeout", self.config.timeout_seconds)
        response = super().request(method, url, *rest, **options)
        if response.status_code == requests.codes.too_many_requests:
            self._quiet_until = self._monotonic() + min(retry_after(response) or 0.0, LONGEST_WAIT)
        return response

    def _renew_connections(self) -> None:
        """Drop connections that were made with certificates which have been replaced since."""
        if not self._tls_files:
            return
        try:
            seen = tuple(_version(file) for file in self._tls_files)
        except OSError as error:
            raise MetricsUnavailable(f"file {error.filename} cannot be read: {error.strerror}") from error
        with self._lock:
            if self._tls_seen not in (None, seen):
                for adapter in self.adapters.values():
                    adapter.close()
            self._tls_seen = seen

    def fail(self, error: Exception) -> NoReturn:
        """Raise ours for an error of the library's; any other is raised as it is."""
        for known, ours, text in ERRORS:
            if isinstance(error, known):
                said = text.format(timeout=self.config.timeout_seconds, error=str(error)[:300])
                raise ours(f"{self.config.said} {said}") from error
        raise error

    def check(self, response: requests.Response, said: str) -> None:
        """Raise for any status but 200; `said` are the source's own words.

        Raises
        ------
        MetricsUnavailable, SpecInvalid
            By what the status means.
        """
        name, status = self.config.said, response.status_code
        if status == requests.codes.ok:
            return
        if status in REFUSALS:
            raise SpecInvalid(f"{name} refuses the query: {said}")
        if status in {401, 403}:
            raise MetricsUnavailable(f"{name} answered {status}, refusing the operator's credential: {said}")
        if status in {301, 302, 303, 307, 308}:
            to = response.headers.get("Location", "nowhere")[:200]
            raise MetricsUnavailable(
                f"{name} answered {status}: it redirects to {to}, which is not followed; ask there"
            )
        raise MetricsUnavailable(f"{name} answered {status}: {said}", retry_after_seconds=retry_after(response))


def read_secret(file: str) -> str:
    """Return a secret's one line.

    Raises
    ------
    MetricsUnavailable
        It is not there (it may be on its way: the kubelet puts a new one in the old one's place), or not one line.
    """
    try:
        secret = Path(file).read_text(encoding="utf-8").strip()
    except UnicodeDecodeError as error:
        raise MetricsUnavailable(f"secret file {file} is not text") from error
    except OSError as error:
        raise MetricsUnavailable(f"secret file {file} cannot be read: {error.strerror}") from error
    if not secret or not secret.isprintable():
        raise MetricsUnavailable(f"secret file {file} must hold one line of text")
    return secret


def retry_after(response: requests.Response) -> float | None:
    """Return how long the source asks us to wait, in seconds; None when it does not say."""
    said = response.headers.get("Retry-After") or response.headers.get("X-RateLimit-Reset") or ""
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except ValueError:
        return None


def _version(file: str) -> tuple[int, ...]:
    stat = Path(file).stat()
    return stat.st_mtime_ns, stat.st_ino, stat.st_size
