"""Bounded strings and lists: without bounds the API server refuses the CRD's CEL rules as too costly."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"

Label = Annotated[str, Field(min_length=1, max_length=63, pattern=rf"^{_LABEL}$")]
"""A DNS label: namespaces, channels, metric names."""
ServiceName = Annotated[str, Field(min_length=1, max_length=56, pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")]
"""A Service's name; at most 56, so that `<name>-canary` is one too."""
WorkloadName = Annotated[str, Field(min_length=1, max_length=56, pattern=rf"^{_LABEL}(\.{_LABEL})*$")]
"""A Deployment's name; at most 56, so that `<name>-canary` fits in the labels that carry it."""
ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=rf"^{_LABEL}(\.{_LABEL})*$")]
"""Any object's name."""
Hostname = Annotated[str, Field(min_length=1, max_length=253, pattern=rf"^(\*\.)?{_LABEL}(\.{_LABEL})*$")]
"""A host name, `*.` allowed in front, as in an HTTPRoute."""
Identifier = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]
"""A Prometheus label's or an argument's name."""
Line = Annotated[str, Field(min_length=1, max_length=256)]
"""A short text."""
Expression = Annotated[str, Field(min_length=1, max_length=2048)]
"""PromQL."""
Hash = Annotated[str, Field(max_length=64)]
"""A hash in a status: of a template or of a commit."""
Message = Annotated[str, Field(max_length=2048)]
"""A text in a status, for people."""


@dataclass(frozen=True, slots=True)
class KeyedBy:
    """A list whose items are told apart by one field: a map to server-side apply, refused when two share the key."""

    field: str
    """The field's name in YAML; in Python it must be the same."""

    def __get_pydantic_core_schema__(self, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._unique, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(schema) | {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [self.field]}

    def _unique(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        counted = Counter(getattr(item, self.field) for item in items)
        twice = sorted(str(key) for key, count in counted.items() if count > 1)
        if twice:
            raise ValueError(f"{self.field} {twice[0]!r} is given twice; give each item its own")
        return items
