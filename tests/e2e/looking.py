"""Looks at something, again and again, in a thread of its own while a block runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def looking(look: Callable[[], object], *, every_seconds: float) -> Iterator[None]:
    """Look until the block ends; the first error of a look ends it, and is raised then."""
    end, errors = threading.Event(), list[Exception]()

    def run() -> None:
        while not end.wait(every_seconds):
            try:
                look()
            except Exception as error:
                errors.append(error)
                return

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
    if errors:
        raise errors[0]
