"""The two lines of a query to a web service: a path, and a JSONPath (RFC 9535) below it."""

from __future__ import annotations

from functools import lru_cache

import jsonpath
from jsonpath import JSONPath
from jsonpath.exceptions import JSONPathError

from canary.errors import SpecInvalid


@lru_cache(maxsize=1024)
def read_query(text: str) -> tuple[str, JSONPath]:
    """Return a query's path and JSONPath.

    Raises
    ------
    SpecInvalid
        It is not two lines, a path and a JSONPath; or the path would leave the source's address.
    """
    path, _, expression = (part.strip() for part in text.strip().partition("\n"))
    if not path.startswith("/") or not expression:
        raise SpecInvalid(
            f"a web query is a path that begins with / and, in the next line, a JSONPath that begins with $: {text!r}"
        )
    if any(part in {"..", "."} for part in path.partition("?")[0].split("/")) or any(c in path for c in " #\\"):
        raise SpecInvalid(f"the path of a web query may not have '..', '#', a backslash or a space: {path!r}")
    try:
        compiled = jsonpath.compile(expression)
    except JSONPathError as error:
        raise SpecInvalid(f"{expression!r} is no JSONPath: {error}") from error
    if not isinstance(compiled, JSONPath):
        raise SpecInvalid(f"give one JSONPath, not several: {expression!r}")
    return path, compiled
