"""Tests that are told at the same time: a release takes a minute, nearly all of it waiting.

    STORIES = Stories()

    @STORIES
    def test_a_good_commit_is_promoted(shops): ...

Each runs in a thread of its own, with shops that are closed when it ends; its test takes its outcome. What they share
is the lab and one operator, so none of them may break a part of it.

Of one module they begin together; with `--stories=only` those of all modules do, in a lab of their own; another
lab is for what cannot be told beside others (`python -m tests.e2e`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from typing import Any

from lab.cluster import Lab
from tests.e2e.shops import Shops

AT_ONCE = 9
"""Arbitrary: what two processors carry without making each other late."""
LONGEST_SECONDS = 900

Story = Callable[[Shops], None]


class Outcomes:
    """Stories under way."""

    def __init__(self, lab: Lab, pool: Executor) -> None:
        self._lab, self._pool = lab, pool
        self._running: dict[Story, Future[None]] = {}

    def begin(self, stories: Iterable[Story]) -> None:
        """Begin each that has not begun, the long ones first."""
        for story in sorted(stories, key=lambda story: not getattr(story, "long", False)):
            if story not in self._running:
                self._running[story] = self._pool.submit(self._tell, story)

    def of(self, story: Story) -> None:
        """Wait for the story's end; what it raised is raised."""
        self._running[story].result(LONGEST_SECONDS)

    def _tell(self, story: Story) -> None:
        shops = Shops(self._lab)
        try:
            story(shops)
        finally:
            shops.close()


class Stories:
    """The stories of one module."""

    def long(self, story: Story) -> Callable[[Any], None]:
        """Turn a story that takes minutes into a test; it begins before the others, so that it does not end long after."""
        story.long = True  # type: ignore[attr-defined]
        return self(story)

    def __call__(self, story: Story) -> Callable[[Any], None]:
        """Turn a story into a test that takes its outcome."""

        def outcome(at_once: Outcomes) -> None:
            at_once.of(story)

        outcome.__name__, outcome.__doc__, outcome.__module__ = story.__name__, story.__doc__, story.__module__
        outcome.story = story  # type: ignore[attr-defined]
        return outcome


def story_of(test: object) -> Story | None:
    """The story whose outcome a test function takes; None when it is a test like any other."""
    return getattr(test, "story", None)
