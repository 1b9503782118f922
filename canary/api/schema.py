"""Structural schemas, as Kubernetes wants them, from the pydantic models.

pydantic writes JSON Schema with references, unions with null, titles and defaults. A CRD may have none of these:
references are inlined, `anyOf: [X, null]` becomes X (absent is absent, null is refused), and defaults stay in Python,
so that an object in Git goes on meaning "whatever the operator's version thinks best".
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from pydantic import BaseModel

from canary.api.model import VALIDATIONS
from canary.api.served import NOT_SERVED

Schema = dict[str, Any]

_DROPPED: Final = frozenset({"title", "default", "$defs", "propertyNames"})
"""propertyNames is not in structural schemas; `canary.api.parse` checks the names of arguments."""
_FIRST: Final = ("description", "type")
_ROOT_DESCRIPTIONS: Final = {
    "apiVersion": "Version of this object's schema, canary.delivery/v1alpha1.",
    "kind": "Kind of this object.",
}


def structural(model: type[BaseModel]) -> Schema:
    """The schema of a whole custom resource: `openAPIV3Schema`, with the rules of what is not served."""
    schema = _converted(model)
    schema["properties"] |= {name: {"description": text, "type": "string"} for name, text in _ROOT_DESCRIPTIONS.items()}
    schema["properties"]["metadata"] = {"type": "object"}
    schema["required"] = ["spec"]
    _refuse_not_served(model.__name__, schema)
    return schema


@cache
def schema_of(model: type[BaseModel]) -> Schema:
    """The same, made once; not to be changed by the caller."""
    return structural(model)


@cache
def fields_of(model: type[BaseModel]) -> Schema:
    """The fields of any model, without what makes a custom resource of it; not to be changed by the caller."""
    return _converted(model)


def _converted(model: type[BaseModel]) -> Schema:
    raw = model.model_json_schema(by_alias=True, mode="validation")
    return _convert(raw, raw.get("$defs", {}))


def node_at(schema: Schema, path: str) -> Schema:
    """The part of a schema at a path such as `spec.metrics[].counter`; an empty path is all of it."""
    node = schema
    for part in path.split(".") if path else ():
        node = node["properties"][part.removesuffix("[]")]
        if part.endswith("[]"):
            node = node["items"]
    return node


def _convert(node: Schema, definitions: dict[str, Schema]) -> Schema:
    node = dict(node)
    if reference := node.pop("$ref", None):
        node = definitions[reference.rpartition("/")[2]] | node
    if alternatives := node.pop("anyOf", None):
        (only,) = (option for option in alternatives if option.get("type") != "null")
        return _convert(only | node, definitions)
    if "const" in node:
        node["enum"] = [node.pop("const")]
    if patterns := node.pop("patternProperties", None):  # a map with a pattern for its keys: not structural
        (node["additionalProperties"],) = patterns.values()
    if node.get("additionalProperties") in (False, True):
        del node["additionalProperties"]
    if isinstance(extra := node.get("additionalProperties"), dict):
        node["additionalProperties"] = _convert(extra, definitions)
    if "properties" in node:
        node["properties"] = {name: _convert(child, definitions) for name, child in node["properties"].items()}
    if "items" in node:
        node["items"] = _convert(node["items"], definitions)
    if "description" in node:
        node["description"] = " ".join(node["description"].split())
    kept = [*(name for name in _FIRST if name in node), *sorted(node.keys() - set(_FIRST) - _DROPPED)]
    return {name: node[name] for name in kept}


def _refuse_not_served(kind: str, schema: Schema) -> None:
    for entry in NOT_SERVED:
        if kind in entry.kinds:
            node_at(schema, entry.parent).setdefault(VALIDATIONS, []).append(
                {
                    "rule": entry.rule,
                    "message": entry.message,
                    "fieldPath": f".{entry.field}",
                    "reason": "FieldValueForbidden",
                }
            )
