"""Asking the operator for something: an annotation on the Rollout, written only if the state allows it.

The write carries the version of the Rollout that was looked at. When somebody wrote in between (the operator does so
all the time), it is looked at again: what is asked for always fits what is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import typer

from canary.cli.cluster import Seen
from canary.cli.lookup import find
from canary.cli.session import Place, console
from canary.errors import ApiConflict

ATTEMPTS: Final = 5
"""The operator writes a status about once a second at most: five reads in a row do not all lose. Arbitrary."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a command wants written, and the sentence that says so."""

    done: str
    """Said when it is written, or when nothing needs to be."""
    annotations: Mapping[str, str | None]
    """Empty: it is so already."""
    question: str = ""
    """Asked before it is written, when a person is there; empty: nothing is asked."""


def ask(place: Place, name: str, wish_of: Callable[[Seen], Wish], *, yes: bool = True) -> None:
    """Write what `wish_of` makes of the Rollout as it is now.

    Raises
    ------
    Refused
        By `wish_of`: the state does not allow it.
    ApiConflict
        Others wrote each time in between.
    """
    agreed = yes or not place.session.interactive()
    for attempt in range(ATTEMPTS):
        seen = find(place, name)
        wish = wish_of(seen)
        if wish.annotations:
            if wish.question and not agreed:
                typer.confirm(wish.question, abort=True)
                agreed = True  # once: the state may only have moved on, and is checked again below
            try:
                place.cluster.patch_annotations(seen, wish.annotations)
            except ApiConflict:
                if attempt == ATTEMPTS - 1:
                    raise
                continue
        console().print(wish.done, markup=False)
        return
