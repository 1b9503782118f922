"""Tests that are told at the same time: a release takes a minute, nearly all of it waiting.

    STORIES = Stories()

    @STORIES
    def test_a_good_commit_is_promoted(shops): ...

Each runs in a thread of its own when the first test of its module is run; the test then takes its outcome. What they
share is the lab, so none of them may break a part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from tests.e2e.shops import Shops

AT_ONCE = 10
"""Arbitrary: what two processors carry without making each other late."""
LONGEST_SECONDS = 540


class Stories:
    """The stories of one module, in the order in which they begin."""

    def __init__(self) -> None:
        self._stories: dict[str, Callable[[Shops], None]] = {}
        self._running: dict[str, Future[None]] = {}

    def __call__(self, story: Callable[[Shops], None]) -> Callable[[Any], None]:
        """Turn a story into a test that takes its outcome."""
        name = story.__name__
        self._stories[name] = story

        def outcome(at_once: Stories) -> None:
            at_once._running[name].result(LONGEST_SECONDS)

        outcome.__name__, outcome.__doc__, outcome.__module__ = name, story.__doc__, story.__module__
        return outcome

    def begin(self, pool: ThreadPoolExecutor, chosen: Collection[str], shops: Shops) -> None:
        """Begin the stories that were chosen."""
        for name, story in self._stories.items():
            if name in chosen:
                self._running[name] = pool.submit(story, shops)
