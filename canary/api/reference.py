"""docs/rollout-reference.md, made from the models: `python -m canary.api.reference [--check] FILE`.

From the same structural schemas as the CRDs, so that the page, `kubectl explain` and what the API server refuses
cannot differ.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from canary.api.crd import RESOURCES, Resource
from canary.api.model import VALIDATIONS
from canary.api.names import API_VERSION
from canary.api.rollout import Rollout
from canary.api.schema import Schema, structural
from canary.api.served import NOT_SERVED, NotServed
from canary.api.template import ClusterAnalysisTemplate

_INTRODUCTION: Final = f"""\
# Reference of the custom resources

<!-- Generated from canary/api by `python -m canary.api.reference`; `--check` fails when it differs. -->

`{API_VERSION}`. The same texts are in `kubectl explain rollouts.spec --recursive` and in
[`crds/`](../crds). An unknown field is an error: leave a field out to get its default. Defaults are filled in by the
operator, not by the API server, so an object in Git goes on meaning what it says.

Durations are written `90s`, `5m` or `1h30m`, up to `168h`. Numbers with a fraction are strings: `alpha: "0.01"`.
"""
_NOT_SERVED: Final = """
## Not served yet

The API is the whole one; what this version does not serve is refused with the sentence below, by the API server and by
the operator, and never silently ignored.

| kind | what | instead |
|---|---|---|
"""
_FIELDS: Final = "\n| field | type | |\n|---|---|---|\n"
_SAME: Final = "\nAs `AnalysisTemplate`, for Rollouts of every namespace.\n"
_SHOWN_ONCE: Final = frozenset({"apiVersion", "kind", "metadata"})
"""Every Kubernetes object has them."""
_DURATION: Final = "must be a duration"
"""Told once, above the tables."""


def render() -> str:
    """Return the whole document."""
    parts = [_INTRODUCTION]
    for resource in RESOURCES:
        parts += _resource(resource)
    parts.append(_NOT_SERVED)
    parts += [_not_served(entry) for entry in NOT_SERVED]
    return "".join(parts)


def _resource(resource: Resource) -> Iterator[str]:
    kind = resource.model.__name__
    schema = structural(resource.model)
    yield f"\n## {kind}\n\n{schema['description']}\n"
    yield f"\n{resource.scope}; `kubectl get {resource.plural}`, or `{', '.join(resource.short_names)}`.\n"
    if resource.model is ClusterAnalysisTemplate:  # its spec is the other's
        yield _SAME
        return
    for part, node in schema["properties"].items():
        if part in _SHOWN_ONCE:
            continue
        title = "spec" if part == "spec" else "status, written by the operator"
        yield f"\n### {kind}: {title}\n"
        yield from _rules(node)
        yield _FIELDS
        yield from _rows(node, part)
    if resource.model is Rollout:
        yield "\n`kubectl get rollouts` shows: "
        columns = [f"{column.name} (with `-o wide`)" if column.wide else column.name for column in resource.columns]
        yield f"{', '.join(columns)}.\n"


def _rows(node: Schema, path: str) -> Iterator[str]:
    """Yield a row for each field below a node, in the order of the models."""
    required = frozenset(node.get("required", ()))
    for name, field in node.get("properties", {}).items():
        here = f"{path}.{name}"
        must = ", required" if name in required else ""
        yield f"| `{here}` | {_type(field)}{must} | {_cell(_text(field))} |\n"
        inner, suffix = field, ""
        if "items" in field:
            inner, suffix = field["items"], "[]"
        yield from _rows(inner, here + suffix)


def _type(field: Schema) -> str:
    """Say what may stand there, as short as it can be said."""
    if "enum" in field:
        return " \\| ".join(f"`{value}`" for value in field["enum"])
    if "items" in field:
        return f"list of {_type(field['items'])}, up to {field['maxItems']}"
    if "additionalProperties" in field:
        return f"map of {_type(field['additionalProperties'])}, up to {field['maxProperties']}"
    if field["type"] == "integer" and "minimum" in field:
        return f"integer, {field['minimum']} to {field['maximum']}" if "maximum" in field else "integer"
    if any(message.startswith(_DURATION) for message in _messages(field)):
        return "duration"
    return str(field.get("format") or field["type"])


def _text(field: Schema) -> str:
    """Return the field's text and what its rules demand."""
    said = [str(field.get("description", ""))]
    said += [f"Rule: {message}." for message in _messages(field) if not message.startswith(_DURATION)]
    said += [f"Rule: {message}." for message in _messages(field.get("items", {}))]
    return " ".join(text for text in said if text)


def _rules(node: Schema) -> Iterator[str]:
    for message in _messages(node):
        yield f"\nRule: {message}.\n"


def _messages(node: Schema) -> list[str]:
    """Return a node's own rules in words, without those that refuse what is not served: they have a table."""
    refused = {entry.message for entry in NOT_SERVED}
    rules: list[dict[str, Any]] = node.get(VALIDATIONS, [])
    return [rule["message"] for rule in rules if rule["message"] not in refused]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _not_served(entry: NotServed) -> str:
    what = entry.path if entry.value is None else f"{entry.path}: {entry.value}"
    return f"| {', '.join(entry.kinds)} | `{what}` | {_cell(entry.instead)} |\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the document, or with --check say that it is out of date."""
    parser = argparse.ArgumentParser(prog="python -m canary.api.reference", description=main.__doc__)
    parser.add_argument("file", type=Path, help="where the document is: docs/rollout-reference.md")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when the file is out of date")
    options = parser.parse_args(arguments)
    wanted = render()
    if not options.check:
        options.file.write_text(wanted, encoding="utf-8")
        return 0
    present = options.file.read_text(encoding="utf-8") if options.file.exists() else ""
    if present != wanted:
        sys.stderr.write(
            f"{options.file} is not what canary/api says: run python -m canary.api.reference {options.file}\n"
        )
    return int(present != wanted)


if __name__ == "__main__":
    sys.exit(main())
