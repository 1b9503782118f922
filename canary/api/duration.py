"""Durations as users write them: `90s`, `5m`, `1h30m`."""

from __future__ import annotations

import re
from typing import Any, Final, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from canary.api.model import VALIDATIONS

PATTERN: Final = r"^([0-9]{1,4}h)?([0-9]{1,5}m)?([0-9]{1,6}s)?$"
"""Hours, then minutes, then seconds: what CEL's and Go's `duration` read too, without the forms nobody means."""
LONGEST_SECONDS: Final = 7 * 24 * 3600
"""A week: longer is a mistake in the unit. Arbitrary."""
MAX_LENGTH: Final = 16
_WHOLE: Final = re.compile(PATTERN)
"""For fullmatch only: `$` alone lets a line break pass."""
_MESSAGE: Final = "must be a duration such as 90s, 5m or 1h30m, more than 0s and at most 168h"


class Duration(str):
    """A validated duration; compares and prints as the user wrote it, `.seconds` is its length.

    Raises
    ------
    ValueError
        The text is not a duration, is zero, or is longer than a week.

    >>> Duration("1h30m").seconds
    5400
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Validate, so that no Duration exists that has no length."""
        duration = super().__new__(cls, text)
        if len(text) > MAX_LENGTH or not _WHOLE.fullmatch(text) or not 0 < duration.seconds <= LONGEST_SECONDS:
            raise ValueError(f"{_MESSAGE}, not {text[:MAX_LENGTH]!r}")
        return duration

    @property
    def seconds(self) -> int:
        """Length in seconds."""
        matched = _WHOLE.fullmatch(self)
        hours, minutes, seconds = (int(part[:-1]) if part else 0 for part in (matched.groups() if matched else ()))
        return hours * 3600 + minutes * 60 + seconds

    @classmethod
    def of_seconds(cls, seconds: int) -> Duration:
        """Write a number of seconds the shortest way.

        >>> str(Duration.of_seconds(5400))
        '1h30m'
        """
        parts = ((seconds // 3600, "h"), (seconds % 3600 // 60, "m"), (seconds % 60, "s"))
        return cls("".join(f"{count}{unit}" for count, unit in parts if count))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(strict=True))

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "type": "string",
            "minLength": 2,
            "maxLength": MAX_LENGTH,
            "pattern": PATTERN,
            VALIDATIONS: [
                {"rule": "duration(self) > duration('0s') && duration(self) <= duration('168h')", "message": _MESSAGE}
            ],
        }
