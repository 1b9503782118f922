"""What every text that a regular expression matches whole must begin with: it narrows where one has to look."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_PLAIN: Final = frozenset("_-/:@%=,;#&~<> '\"!")
_OPTIONAL: Final = frozenset("*?{")


@lru_cache(maxsize=8192)
def literal_prefix(pattern: str) -> str:
    r"""The literal characters that a pattern begins with; empty when it does not say, or when alternatives differ.

    >>> literal_prefix(r"shop/.+-checkout:[a-z]+")
    'shop/'
    >>> literal_prefix(r"a\.b-?c"), literal_prefix("a|b"), literal_prefix("(?i)a")
    ('a.b', '', '')
    """
    if _has_alternatives(pattern):
        return ""
    found: list[str] = []
    index = 0
    while index < len(pattern):
        char, width = pattern[index], 1
        if char == "\\" and index + 1 < len(pattern) and not pattern[index + 1].isalnum():
            char, width = pattern[index + 1], 2
        elif not (char.isalnum() or char in _PLAIN):
            break
        index += width
        if index < len(pattern) and pattern[index] in _OPTIONAL:
            break  # the character may be missing
        found.append(char)
    return "".join(found)


def _has_alternatives(pattern: str) -> bool:
    """Whether `|` stands outside of every group; one in a set of characters counts too, which only costs time."""
    depth = index = 0
    while index < len(pattern):
        char = pattern[index]
        index += 2 if char == "\\" else 1
        depth += (char == "(") - (char == ")")
        if char == "|" and depth <= 0:
            return True
    return False
