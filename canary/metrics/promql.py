r"""The little PromQL that Canary writes: selectors with added matchers, and text that becomes part of a string.

Nothing is pasted: what a user gives as an argument is escaped where it stands inside a PromQL string, and has to be a
number or a duration where it does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from canary.errors import SpecInvalid

_SELECTOR: Final = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{(.*)\})?\s*", re.DOTALL)
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_MATCHER: Final = re.compile(
    r"""\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')\s*(,|$)"""
)
_PLACEHOLDER: Final = re.compile(r"\{\{\s*([a-zA-Z][\w.-]*)\s*\}\}")
_BARE: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?(ms|s|m|h|d|w|y)?")
"""What may stand outside of a string: a number or a duration."""
_RE2_SPECIAL: Final = re.compile(r"([\\.+*?()|\[\]{}^$])")


def escape(text: str, quote: str = '"') -> str:
    r"""Text as the inside of a PromQL string that is open with `quote`; the other quote may not be escaped.

    >>> print(escape('a"b\\c'))
    a\"b\\c
    """
    named = {"\\": "\\\\", quote: f"\\{quote}", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return "".join(named.get(char) or (char if char.isprintable() else f"\\U{ord(char):08x}") for char in text)


def regex_of(values: Sequence[str]) -> str:
    r"""A regular expression (RE2) that matches exactly these values.

    >>> regex_of(["a.b", "c"])
    'a\\.b|c'
    """
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
        if found is None:
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
        return cls(found[1], matchers.rstrip(", \t\n"))

    def narrowed(self, regexes: Iterable[tuple[str, str]]) -> str:
        """The selector with further matchers, each a label and a regular expression."""
        added = [f'{label}=~"{escape(regex)}"' for label, regex in regexes]
        return f"{self.name}{{{','.join([*([self.matchers] if self.matchers else []), *added])}}}"


def fill(text: str, values: Mapping[str, str], what: str) -> str:
    r"""Put values in the place of `{{name}}`.

    Inside a string the value is escaped; outside it has to be a number or a duration, as nothing else can be made safe
    there.

    Raises
    ------
    SpecInvalid
        An unknown name, a value that may not stand there, or a placeholder in a raw string, which knows no escapes.

    >>> fill('x{job="{{args.job}}"}', {"args.job": 'a"} or up{'}, "m")
    'x{job="a\\"} or up{"}'
    """
    parts: list[str] = []
    position = 0
    for found in _PLACEHOLDER.finditer(text):
        name = found[1]
        if name not in values:
            known = ", ".join(sorted(values)) or "none"
            raise SpecInvalid(f"{what}: unknown placeholder {{{{{name}}}}} (known: {known})")
        parts.append(text[position : found.start()])
        value = values[name]
        match _quote_open_at(text, found.start()):
            case "`":
                raise SpecInvalid(f"{what}: {{{{{name}}}}} stands in a `raw` string: use double quotes")
            case "":
                if not _BARE.fullmatch(value):
                    raise SpecInvalid(
                        f"{what}: {{{{{name}}}}} stands outside of a string, so it must be a number or a duration, "
                        f"not {value!r}"
                    )
                parts.append(value)
            case quote:
                parts.append(escape(value, quote))
        position = found.end()
    return "".join([*parts, text[position:]])


def fill_plain(text: str, values: Mapping[str, str], what: str) -> str:
    """Put values in the place of `{{name}}` in a label's value: no PromQL yet, so nothing is escaped."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in values:
            known = ", ".join(sorted(values)) or "none"
            raise SpecInvalid(f"{what}: unknown placeholder {{{{{found[1]}}}}} (known: {known})")
        return values[found[1]]

    return _PLACEHOLDER.sub(value, text)


def label_name(text: str, what: str) -> str:
    """Check a label's name.

    Raises
    ------
    SpecInvalid
        It is none.
    """
    if not _LABEL.fullmatch(text):
        raise SpecInvalid(f"{what}: {text!r} is not a label's name")
    return text


def _quote_open_at(text: str, position: int) -> str:
    """Which quote is open at a position of the template's own text; empty if none is."""
    quote_char = ""
    index = 0
    while index < position:
        char = text[index]
        if quote_char and char == "\\" and quote_char != "`":
            index += 1
        elif quote_char and char == quote_char:
            quote_char = ""
        elif not quote_char and char in "\"'`":
            quote_char = char
        index += 1
    return quote_char
