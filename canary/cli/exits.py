"""Exit codes: one table, for scripts.

Every error of Canary carries its own code (`canary.errors`); this module adds those that only a command line knows.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from canary.errors import CanaryError, NeedsHuman, NotFound


class Exit(IntEnum):
    """What a command's exit code says."""

    OK = 0
    ERROR = 1
    USAGE = 2
    NOT_FOUND = 3
    UNAVAILABLE = 4
    ENDED_OTHERWISE = 5
    TIMED_OUT = 6
    JUDGED_BAD = 7
    UNDECIDED = 8
    NO_DATA = 9
    INTERRUPTED = 130


MEANINGS: Final = {
    Exit.OK: "Done; for `watch --until`: what was waited for has come; for `analyze`: Pass.",
    Exit.ERROR: "Refused or failed; trying again does not help until something is changed.",
    Exit.USAGE: "The command line is not understood.",
    Exit.NOT_FOUND: "The Rollout does not exist, or Canary's CRDs are not installed.",
    Exit.UNAVAILABLE: "The API server does not answer, or somebody else wrote first: try again.",
    Exit.ENDED_OTHERWISE: "`watch --until`: the release ended otherwise.",
    Exit.TIMED_OUT: "`watch --timeout`: what was waited for has not come in time.",
    Exit.JUDGED_BAD: "`analyze`: Fail, the canary is worse than is tolerated.",
    Exit.UNDECIDED: "`analyze`: Inconclusive, neither evidence sufficed in the time.",
    Exit.NO_DATA: "`analyze`: Error, there were no data to judge by.",
    Exit.INTERRUPTED: "Stopped by Ctrl-C.",
}
"""In the words of docs/cli.md, which is made from this table."""


class Refused(NeedsHuman):
    """The Rollout is not in a state in which this can be asked for."""

    reason = "Refused"
    exit_code = Exit.ERROR


class UsageWrong(CanaryError):
    """An argument or option says what cannot be."""

    reason = "Usage"
    exit_code = Exit.USAGE


class NotInstalled(NotFound):
    """The cluster does not know Canary's custom resources."""

    reason = "NotInstalled"
    exit_code = Exit.NOT_FOUND


class EndedOtherwise(CanaryError):
    """A release that was waited for ended in another way."""

    reason = "EndedOtherwise"
    exit_code = Exit.ENDED_OTHERWISE


class TimedOut(CanaryError):
    """What was waited for has not come in time."""

    reason = "TimedOut"
    exit_code = Exit.TIMED_OUT
