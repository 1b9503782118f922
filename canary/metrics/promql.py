r"""The little PromQL that Canary writes: selectors with added matchers, and text that becomes part of a string.

Nothing is pasted: what a user gives as an argument is escaped where it stands, which has to be inside a
PromQL string.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from canary.errors import SpecInvalid

_SELECTOR: Final = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)?\s*(?:\{(.*)\})?\s*", re.DOTALL)
_MATCHER: Final = re.compile(
    r"""\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')\s*(,|$)"""
)
_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
_RE2_SPECIAL: Final = re.compile(r"([\\.+*?()|\[\]{}^$])")


def escape(text: str, quote: str = '"') -> str:
    r"""Text as the inside of a PromQL string that is open with `quote`; the other quote may not be escaped.

    >>> print(escape('a"b\\c'))
    a\"b\\c
    """
    if text.isprintable():  # nearly always, and of a query for a thousand releases it is a long text
        return text.replace("\\", "\\\\").replace(quote, f"\\{quote}")
    named = {"\\": "\\\\", quote: f"\\{quote}", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return "".join(named.get(char) or (char if char.isprintable() else f"\\U{ord(char):08x}") for char in text)


def regex_of(values: Sequence[str]) -> str:
    r"""A regular expression (RE2) that matches exactly these values.

    >>> regex_of(["a.b", "c"])
    'a\\.b|c'
    """
    if _RE2_SPECIAL.search("\n".join(values)) is None:
        return "|".join(values)  # nearly always: names and hashes
    return "|".join(_RE2_SPECIAL.sub(r"\\\1", value) for value in values)


@dataclass(frozen=True, slots=True)
class Selector:
    """An instant selector of one counter: `name{matchers}`."""

    name: str
    matchers: str
    """As the template's author wrote them, without the braces; empty for none."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a selector.

        Raises
        ------
        SpecInvalid
            It is an expression, or not a selector at all: raw counters are read and differenced here, so functions
            and ranges have no place.
        """
        found = _SELECTOR.fullmatch(text)
        if found is None or not (found[1] or found[2]):
            raise SpecInvalid(
                f'not a plain selector such as name{{label="value"}}: {text!r} (counters are differenced by Canary: '
                "leave out rate(), sum() and ranges)"
            )
        matchers = (found[2] or "").strip()
        position = 0
        while position < len(matchers):
            matcher = _MATCHER.match(matchers, position)
            if matcher is None:
                raise SpecInvalid(
                    f"cannot read the matchers from {matchers[position : position + 40]!r} on in {text!r}"
                )
            position = matcher.end()
        return cls(found[1] or "", matchers.rstrip(", \t\n"))

    def names(self, label: str) -> bool:
        """Whether some matcher is one of a label."""
        return any(matcher[1] == label for matcher in _MATCHER.finditer(self.matchers))

    def narrowed(self, regexes: Iterable[tuple[str, str]]) -> str:
        """The selector with further matchers, each a label and a regular expression."""
        added = [f'{label}=~"{escape(regex)}"' for label, regex in regexes]
        return f"{self.name}{{{','.join([*([self.matchers] if self.matchers else []), *added])}}}"


def fill(text: str, values: Mapping[str, str]) -> str:
    r"""Put values in the place of `${name}` in PromQL: escaped for the string, and for a regular expression in it.

    Raises
    ------
    SpecInvalid
        An unknown name, or a variable outside of a string in quotes: nothing can be made safe there.

    >>> fill('x{job="${args.job}"}', {"args.job": 'a"} or up{'})
    'x{job="a\\"} or up{"}'
    >>> fill('x{job=~"${args.job}-.*"}', {"args.job": "a.b"})
    'x{job=~"a\\\\.b-.*"}'
    """
    parts: list[str] = []
    position = 0
    for found in _VARIABLE.finditer(text):
        value = _value(found, values)
        opened, quote = _string_open_at(text, found.start())
        if quote not in ('"', "'"):
            raise SpecInvalid(
                f"{found[0]} stands outside of a label's value in {text!r}: a variable may stand only between quotes"
            )
        if text[:opened].rstrip().endswith(("=~", "!~")):
            value = regex_of([value])
        parts += [text[position : found.start()], escape(value, quote)]
        position = found.end()
    return "".join([*parts, text[position:]])


def fill_label(text: str, values: Mapping[str, str], *, regex: bool = False) -> str:
    """Put values in the place of `${name}` in a label's value: no PromQL yet; in a regular expression they are escaped.

    Raises
    ------
    SpecInvalid
        An unknown name.
    """
    return _VARIABLE.sub(lambda found: regex_of([_value(found, values)]) if regex else _value(found, values), text)


def _value(found: re.Match[str], values: Mapping[str, str]) -> str:
    if found[1] not in values:
        raise SpecInvalid(f"{found[0]} is not a variable (known: {', '.join(sorted(values)) or 'none'})")
    return values[found[1]]


def _string_open_at(text: str, position: int) -> tuple[int, str]:
    """Where the string begins that is open at a position of the template's own text, and its quote; empty if none."""
    opened, quote, index = 0, "", 0
    while index < position:
        char = text[index]
        if quote and char == "\\" and quote != "`":
            index += 1
        elif char == quote:
            quote = ""
        elif not quote and char in "\"'`":
            opened, quote = index, char
        index += 1
    return opened, quote
