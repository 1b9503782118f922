"""The two bases of every model: strict for what users write, tolerant for what the operator wrote earlier."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

VALIDATIONS: Final = "x-kubernetes-validations"


class SpecModel(BaseModel):
    """Part of a spec: an unknown field is an error, because a misspelt safety limit must not be ignored."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
    )


class StatusModel(BaseModel):
    """Part of a status: a field of a newer version is passed over, so that a downgrade can read it."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
    )


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """`json_schema_extra` with CEL rules, each `(rule, message)`; the model's validator says the same in Python."""
    return {VALIDATIONS: [{"rule": rule, "message": message} for rule, message in pairs]}


def exactly_one(*fields: str) -> str:
    """CEL: exactly one of these fields of `self` is present."""
    return f"[{', '.join(f'has(self.{field})' for field in fields)}].exists_one(given, given)"


def given(model: BaseModel, *names: str) -> list[str]:
    """Which of the fields `names` are present: names in Python, for validators that count alternatives."""
    return [name for name in names if getattr(model, name) is not None]
