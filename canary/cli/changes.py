"""A Rollout's changes as they happen, through lost connections and old resource versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from canary.cli.cluster import Seen
from canary.cli.lookup import find
from canary.cli.session import Place
from canary.errors import ApiUnavailable, Forbidden, NotFound

WATCH_SECONDS: Final = 240.0
"""Length of one watch: below what proxies and the API server's own limit (5 to 10 minutes) cut."""
PAUSES_SECONDS: Final = (0.5, 1.0, 2.0, 5.0)
"""Between tries when the API server does not answer; the last is kept. Arbitrary."""
STARTING_TRIES: Final = 8
"""How often an API server that has just come back may refuse: for some seconds it knows neither rights nor CRDs."""


def changes(place: Place, name: str, timeout_seconds: float | None, trouble: Callable[[str], None]) -> Iterator[Seen]:
    """Yield the Rollout as it is, then after each change; ends after `timeout_seconds`.

    An API server that does not answer is told to `trouble` (and the empty text when it answers again), and tried again.

    Raises
    ------
    NotFound
        The Rollout does not exist, or was deleted.
    """
    clock = place.session.clock
    deadline = None if timeout_seconds is None else clock.monotonic() + timeout_seconds
    seen = find(place, name)
    yield seen
    failures = 0
    while (left := _left(deadline, clock.monotonic())) > 0:
        began = clock.monotonic()
        try:
            for changed in place.cluster.watch(seen, min(left, WATCH_SECONDS)):
                if changed is None:
                    gone = f'Rollout "{seen.name}" in namespace "{seen.namespace}" was deleted'
                    raise NotFound(gone)  # noqa: TRY301 -- asked once more below, if the server has just come back
                seen = changed
                yield seen
                if _left(deadline, clock.monotonic()) <= 0:
                    return
            fresh = place.cluster.get_rollout(seen.namespace, seen.name)
        except (ApiUnavailable, Forbidden, NotFound) as error:
            just_back = 0 < failures <= STARTING_TRIES
            if not isinstance(error, ApiUnavailable) and not just_back:
                raise
            trouble(f"{error}; trying again")
            pause = PAUSES_SECONDS[min(failures, len(PAUSES_SECONDS) - 1)]
            failures += 1
            clock.sleep(min(pause, max(0.0, _left(deadline, clock.monotonic()))))
            continue
        trouble("")
        failures = 0
        if fresh.resource_version != seen.resource_version:
            seen = fresh
            yield seen
        elif clock.monotonic() - began < PAUSES_SECONDS[0]:
            clock.sleep(PAUSES_SECONDS[0])  # a server that ends each watch at once is not to be hammered


def _left(deadline: float | None, now: float) -> float:
    return WATCH_SECONDS if deadline is None else deadline - now
