"""What git says on stderr, mapped to what the caller can do: one table, read from the top."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from canary.errors import CanaryError, Forbidden, GitUnavailable, NotFound
from canary.git.address import redact

_REFUSED: Final = r"returned error: 40[13]|HTTP 40[13]|[Pp]ermission( to \S+)? denied|access denied|not allowed to push"
_MISSING: Final = (
    r"[Rr]epository not found|returned error: 404|repository '.*' not found|does not appear to be a git repository"
)
_UNREACHABLE: Final = r"Failed to connect|Couldn't connect|Connection refused|No route to host|Network is unreachable"
_BROKEN: Final = r"early EOF|RPC failed|hung up unexpectedly|Connection reset|Connection closed|unexpected disconnect"

_TABLE: Final[tuple[tuple[str, type[CanaryError], str], ...]] = (
    # The identity is refused: the same call fails until somebody changes a right or a secret.
    (r"Host key verification failed|No \S+ host key is known", Forbidden,
     "the server's host key is not in the pinned known_hosts"),
    (r"Authentication failed|Invalid username or password|could not read (Username|Password)", Forbidden,
     "the server refuses the bound credential, or wants one and none is bound"),
    (_REFUSED, Forbidden, "this identity may not do that: check the credential's rights on the repository"),
    (_MISSING, Forbidden, "the repository does not exist, or this identity may not see it"),
    (r"unable to update url base from redirection|returned error: 30\d", Forbidden,
     "the address redirects, which is not followed with a credential: write the final address into the GitRepository"),
    (r"SSL certificate problem|server certificate verification failed|SSL: no alternative certificate", Forbidden,
     "the server's certificate is not trusted: bind a CA file"),
    (r"couldn't find remote ref", NotFound, "the branch does not exist"),
    # The network or the server, this time.
    (r"Could not resolve host|[Cc]ould not resolve hostname", GitUnavailable, "the host name does not resolve"),
    (_UNREACHABLE, GitUnavailable, "the server does not take connections"),
    (r"timed out|Operation too slow", GitUnavailable, "the server does not answer in time"),
    (r"returned error: (5\d\d|429)|HTTP (5\d\d|429)", GitUnavailable, "the server answers with an error of its own"),
    (_BROKEN, GitUnavailable, "the connection broke"),
)  # fmt: skip

_CORRUPT: Final = re.compile(
    r"not a git repository|object file .* is empty|loose object .* is corrupt|bad object|inflate: data stream error"
    r"|packfile .* (is corrupt|cannot be|index)|index-pack died|file .* far too short|invalid sha1 pointer"
    r"|unable to read tree"
)


def looks_corrupt(stderr: str) -> bool:
    """Whether the local clone, which is only a cache, is what failed."""
    return _CORRUPT.search(stderr) is not None


def failure(doing: str, stderr: str, secrets: Iterable[str] = ()) -> CanaryError:
    """Return the error for what git wrote; what the table does not know is worth a later try."""
    said = tidy(stderr, secrets)
    for pattern, error, hint in _TABLE:
        if re.search(pattern, stderr):
            return error(f"{doing}: {hint} (git: {said})")
    return GitUnavailable(f"{doing}: git: {said or 'failed without a word'}")


def tidy(text: str, secrets: Iterable[str] = (), limit: int = 600) -> str:
    """Return the lines that matter as one bounded line, without control characters, URLs' user parts, and secrets."""
    lines = (line.strip() for line in redact(text).splitlines())
    told = "; ".join(line for line in lines if line and not line.startswith(("hint:", "To ", "Done")))
    for secret in secrets:
        if secret:
            told = told.replace(secret, "***")
    plain = "".join(char if char.isprintable() else " " for char in told)
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"
