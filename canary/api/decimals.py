"""Numbers with a fraction, written as strings: JSON's floats are not the same number in every client.

Kubernetes' API conventions advise against floats in an API; the texts here are exact and bounded, and are
quoted in YAML: `alpha: "0.01"`.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from canary.api.model import VALIDATIONS

PATTERN: Final = r"^-?[0-9]{1,12}(\.[0-9]{1,9})?$"
_WHOLE: Final = re.compile(PATTERN)
"""For fullmatch only: `$` alone lets a line break pass."""
MAX_LENGTH: Final = 24


class DecimalText(str):
    """A decimal number in a string, between `lowest` and `highest` inclusive; `.value` is the float.

    Raises
    ------
    ValueError
        The text is not a plain decimal number, or is out of bounds.
    """

    __slots__ = ()

    lowest: ClassVar[str] = "-1000000000000"
    highest: ClassVar[str] = "1000000000000"
    example: ClassVar[str] = "0.5"

    def __new__(cls, text: str) -> Self:
        """Validate, so that `.value` always exists."""
        number = super().__new__(cls, text)
        plain = len(text) <= MAX_LENGTH and _WHOLE.fullmatch(text)
        if not plain or not float(cls.lowest) <= number.value <= float(cls.highest):
            raise ValueError(f"{cls._message()}, not {text[:MAX_LENGTH]!r}")
        return number

    @property
    def value(self) -> float:
        """The number."""
        return float(str(self))

    @classmethod
    def _message(cls) -> str:
        return f'must be a number in quotes such as "{cls.example}", from {cls.lowest} to {cls.highest}'

    @classmethod
    def _read(cls, raw: object) -> Self:
        if not isinstance(raw, str):  # YAML without quotes: the API server refuses it too, less kindly
            raise ValueError(f"{cls._message()}; put it in quotes")  # noqa: TRY004 - pydantic reports ValueError only
        return cls(raw)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._read,
            serialization=core_schema.to_string_ser_schema(),
            json_schema_input_schema=core_schema.str_schema(),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_LENGTH,
            "pattern": PATTERN,
            VALIDATIONS: [
                {
                    "rule": f"double(self) >= double('{cls.lowest}') && double(self) <= double('{cls.highest}')",
                    "message": cls._message(),
                }
            ],
        }


class Number(DecimalText):
    """Any plain number: a threshold's bound."""

    __slots__ = ()


class Alpha(DecimalText):
    """A probability of a false alarm."""

    __slots__ = ()
    lowest = "0.000001"
    highest = "0.2"
    example = "0.01"


class ToleratedRatio(DecimalText):
    """How many times stable's rate is tolerated of the canary."""

    __slots__ = ()
    lowest = "1"
    highest = "100"
    example = "1.5"


class Percentage(DecimalText):
    """A share of 100, never all of it."""

    __slots__ = ()
    lowest = "1"
    highest = "99.9999"
    example = "99.9"


class Factor(DecimalText):
    """A positive multiple."""

    __slots__ = ()
    lowest = "0.001"
    highest = "10000"
    example = "14.4"
