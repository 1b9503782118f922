"""How variables get into a query, for each language: their values never end a string, or add to what is asked.

PromQL has an escape for every character, and `canary.metrics.promql` uses it. Of the others some have none, some have
several that depend on the server's version, and some nest one language in another. So no escape is guessed there: a
variable may stand only where the table says, and a value with a character that means something there is refused, with a
sentence that names it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from canary.api.language import Language
from canary.errors import SpecInvalid
from canary.metrics.promql import fill

_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
_TEXT: Final = "_.:/@+=,;#& ()-"
"""Besides letters and digits, what means nothing inside of a string in quotes: no quote, backslash, wildcard (`*`, `%`,
`?`), bracket, `$`, `|` or `~`, no line break."""
_WORD: Final = "_-"
_TAG: Final = "_.:/-"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a variable may stand."""

    opens: str
    """What is open around it: a quote, `{`; empty: nothing."""
    allowed: str
    """Characters that its value may have besides letters and digits."""
    said: str
    """The place in words."""


_IN_QUOTES: Final = (_Place("'", _TEXT, "between quotes"), _Place('"', _TEXT, "between quotes"))
_PLACES: Final[Mapping[Language, tuple[_Place, ...]]] = {
    Language.DATADOG: (_Place("{", _TAG, "inside of braces"),),
    Language.CLOUDWATCH: _IN_QUOTES,
    Language.NRQL: (_IN_QUOTES[0],),
    Language.GRAPHITE: (*_IN_QUOTES, _Place("", _WORD, "as a part of a path")),
    Language.INFLUXQL: (_IN_QUOTES[0],),
    Language.FLUX: (_IN_QUOTES[1],),
    Language.DYNATRACE: (_IN_QUOTES[1],),
    Language.WEB: _IN_QUOTES,
}
LABELLED: Final = frozenset(Language) - {Language.WEB, Language.CLOUDWATCH}
"""Languages whose answers name their series by labels, so that one answer can be for many releases."""
_CLOSES: Final = {"'": "'", '"': '"', "`": "`", "{": "}"}


def fill_in(language: Language, text: str, values: Mapping[str, str]) -> str:
    """Put values in the place of `${name}` in a query of some language.

    Raises
    ------
    SpecInvalid
        An unknown name; a variable where none may stand; or a value with a character that could change the query.

    >>> fill_in(Language.DATADOG, "avg:cpu{pod:${args.pod}}", {"args.pod": "shop-1"})
    'avg:cpu{pod:shop-1}'
    >>> fill_in(Language.WEB, "/orders?shop=${args.shop}", {"args.shop": "a&b"})
    '/orders?shop=a%26b'
    """
    if language is Language.PROMQL:
        return fill(text, values)
    if language is Language.WEB:
        path, line, rest = text.partition("\n")
        encoded = _VARIABLE.sub(lambda found: quote(_value(found, values), safe=""), path)
        return encoded + line + _fill(language, rest, values)
    return _fill(language, text, values)


def _fill(language: Language, text: str, values: Mapping[str, str]) -> str:
    places = {place.opens: place for place in _PLACES[language]}
    parts: list[str] = []
    position = 0
    for found in _VARIABLE.finditer(text):
        value = _value(found, values)
        place = places.get(_open_at(text, found.start(), brackets="{" in places))
        if place is None:
            where = " or ".join(dict.fromkeys(each.said for each in places.values()))
            raise SpecInvalid(f"{found[0]} may stand only {where} in a {language} query: {text[:200]!r}")
        if wrong := next((char for char in value if not (char.isalnum() or char in place.allowed)), None):
            raise SpecInvalid(
                f"{found[0]} is {value!r}, and {wrong!r} could change a {language} query {place.said}: only letters, "
                f"digits and {' '.join(place.allowed.replace(' ', '')) or 'nothing else'} are put in"
            )
        parts += [text[position : found.start()], value]
        position = found.end()
    return "".join([*parts, text[position:]])


def _value(found: re.Match[str], values: Mapping[str, str]) -> str:
    if found[1] not in values:
        raise SpecInvalid(f"{found[0]} is not a variable (known: {', '.join(sorted(values)) or 'none'})")
    return values[found[1]]


def _open_at(text: str, position: int, *, brackets: bool) -> str:
    """What is open at a position of the template's own text: a quote, a brace if those count, or nothing."""
    opened, index = "", 0
    while index < position:
        char = text[index]
        if variable := _VARIABLE.match(text, index):
            index = variable.end()
            continue
        if opened and char == "\\":
            index += 1
        elif opened and char == _CLOSES[opened]:
            opened = ""
        elif not opened and (char in "\"'`" or (brackets and char == "{")):
            opened = char
        index += 1
    return opened
