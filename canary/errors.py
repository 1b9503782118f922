"""The exception tree, by what the caller can do about it.

CanaryError
├── Retryable            try again later: the world may have changed
│   ├── ApiUnavailable       the Kubernetes API did not answer
│   ├── ApiConflict          somebody wrote first: observe and decide again
│   ├── MetricsUnavailable   the metrics source did not answer, or answered with an error
│   └── GitUnavailable       the repository could not be reached, or did not take the push this time
└── NeedsHuman           the same call fails again until somebody changes something
    ├── SpecInvalid          an object says what cannot be, or what is not served yet
    ├── NotFound             an object that is named does not exist
    ├── RouteNotOwned        the route is another Rollout's
    ├── RevertRefused        the revert cannot be made or may not be pushed
    └── Forbidden            the API or the Git host refuses this identity

Messages say what, which object, and what to do. No class prints.
"""

from __future__ import annotations

from typing import ClassVar


class CanaryError(Exception):
    """Root of every error that Canary raises on purpose."""

    reason: ClassVar[str] = "Error"
    """CamelCase, for a condition's or an Event's `reason`."""
    exit_code: ClassVar[int] = 1
    """Of the command line; documented in docs/cli.md."""


class Retryable(CanaryError):
    """The same call may succeed later."""

    reason = "Retrying"
    exit_code = 4

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        """Seconds that the other side asked for; None leaves it to the backoff."""


class ApiUnavailable(Retryable):
    """The Kubernetes API did not answer."""

    reason = "ApiUnavailable"


class ApiConflict(Retryable):
    """The object changed since it was read."""

    reason = "ApiConflict"


class MetricsUnavailable(Retryable):
    """The metrics source did not answer, or answered with an error."""

    reason = "MetricsUnavailable"


class GitUnavailable(Retryable):
    """The Git repository could not be reached, or lost the race for this push."""

    reason = "GitUnavailable"


class NeedsHuman(CanaryError):
    """The same call fails until somebody changes something."""

    reason = "NeedsHuman"
    exit_code = 1


class SpecInvalid(NeedsHuman):
    """An object says what cannot be, or what this version does not serve yet."""

    reason = "SpecInvalid"


class NotFound(NeedsHuman):
    """An object that is named does not exist."""

    reason = "NotFound"
    exit_code = 3


class RouteNotOwned(NeedsHuman):
    """The route or Service is held by another Rollout."""

    reason = "RouteNotOwned"


class RevertRefused(NeedsHuman):
    """The revert cannot be made, or may not be pushed."""

    reason = "RevertRefused"


class Forbidden(NeedsHuman):
    """The API server or the Git host refuses this identity."""

    reason = "Forbidden"
