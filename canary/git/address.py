"""Addresses of repositories: parsed once, compared by parts, shown without secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from canary.errors import SpecInvalid

_DEFAULT_PORTS: Final = {"https": 443, "http": 80, "ssh": 22}
_SCP_LIKE: Final = re.compile(r"(?:(?P<user>[A-Za-z0-9._-]+)@)?(?P<host>[A-Za-z0-9.-]+):(?P<path>[^/:][^:]*)")
_USERINFO: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/\s@]*@")


@dataclass(frozen=True, slots=True)
class Address:
    """A repository's address in parts, so that `https://host/team` does not cover `https://host/team-two`."""

    scheme: str
    """`https`, `http`, `ssh` or `file`."""
    host: str
    """Lower case; empty for `file`."""
    port: int
    """0 for `file`."""
    segments: tuple[str, ...]
    """The path's parts, without a trailing `.git`."""

    def covers(self, other: Address) -> bool:
        """Whether `other` is this address, or below it."""
        same_server = (self.scheme, self.host, self.port) == (other.scheme, other.host, other.port)
        return same_server and other.segments[: len(self.segments)] == self.segments


def parse_address(url: str) -> Address:
    """Read a URL or the scp-like `git@host:path` form.

    Raises
    ------
    SpecInvalid
        For another scheme (`ext::` runs programs), for a password inside the URL, and for paths that could be read in
        two ways.
    """
    shown = redact(url)
    if not url.isprintable():  # urlsplit() would silently leave line breaks out
        raise SpecInvalid(f"repository address {shown!r} has a line break or control character in it")
    scp = _SCP_LIKE.fullmatch(url) if "://" not in url else None
    if scp is not None:
        return Address("ssh", scp["host"].lower(), 22, _segments(scp["path"], shown))
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SpecInvalid(f"repository address {shown}: {error}") from error
    scheme = parts.scheme.lower()
    if scheme not in {"https", "http", "ssh", "file"}:
        raise SpecInvalid(f"repository address {shown}: the scheme must be https, http, ssh or file")
    if parts.password is not None or (parts.username is not None and scheme != "ssh"):
        raise SpecInvalid(f"repository address {shown} carries a credential: put it into the operator's configuration")
    if parts.query or parts.fragment:
        raise SpecInvalid(f"repository address {shown}: a query or fragment is not a part of a repository's address")
    if (scheme == "file") == bool(parts.hostname):
        raise SpecInvalid(f"repository address {shown}: the host is missing, or does not belong there")
    return Address(
        scheme, (parts.hostname or "").lower(), port or _DEFAULT_PORTS.get(scheme, 0), _segments(parts.path, shown)
    )


def redact(text: str) -> str:
    """Return the text without the user part of any URL in it."""
    return _USERINFO.sub(lambda match: match["scheme"], text)


def _segments(path: str, shown: str) -> tuple[str, ...]:
    segments = tuple(part for part in path.split("/") if part)
    unclear = any(part in {".", ".."} or part.startswith("-") for part in segments)
    if unclear or not path.isprintable() or set(path) & set("%\\ "):
        raise SpecInvalid(f"repository address {shown}: the path must be plain (no `..`, no escapes, no spaces)")
    if segments:
        segments = (*segments[:-1], segments[-1].removesuffix(".git"))
    return segments
