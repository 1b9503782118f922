"""Waiting with a bound: what is waited for is said in words, and the end of the wait shows what was last seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

_Seen = TypeVar("_Seen")


class NotInTime(TimeoutError):
    """What was waited for did not come; the message says what was seen instead."""


def until(
    what: str,
    look: Callable[[], _Seen],
    *,
    seconds: float = 30,
    every_seconds: float = 0.05,
    context: Callable[[], str] | None = None,
) -> _Seen:
    """Look until the look gives something true, and return that.

    An exception of the look counts as "not yet" and is shown when the time is over. `context` adds to that message,
    for example the last lines of a log.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            seen = look()
            if seen:
                return seen
            last = repr(seen)
        except NotInTime:
            raise
        except Exception as error:
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() >= end:
            more = f"\n{context()}" if context else ""
            raise NotInTime(f"after {seconds:g} s still not: {what}; last seen: {last}{more}")
        time.sleep(every_seconds)
