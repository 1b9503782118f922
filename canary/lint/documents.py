"""YAML documents that remember where each field stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from canary.lint.finding import Finding, Level, Rule

OURS = frozenset({"Rollout", "AnalysisTemplate", "ClusterAnalysisTemplate"})
_STEP = re.compile(r"(?:\[[^\[\]]*\]|\.?[^.\[\]]*.)\Z", re.DOTALL)
"""The last index (`[]` stands for every item) or field of a path; never nothing, so that taking them off ends."""


@dataclass(frozen=True, slots=True)
class Document:
    """One object of Canary's in a file."""

    file: str
    content: Mapping[str, Any]
    lines: Mapping[str, int]
    """Line of each field, by paths like `spec.metrics[0].counter`."""

    @property
    def kind(self) -> str:
        """The object's kind."""
        return str(self.content["kind"])

    @property
    def name(self) -> str:
        """`namespace/name`, or what there is of it."""
        metadata = self.content.get("metadata")
        metadata = metadata if isinstance(metadata, Mapping) else {}
        return "/".join(str(metadata[part]) for part in ("namespace", "name") if metadata.get(part)) or "(no name)"

    def line(self, path: str) -> int:
        """Line of a field, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = _STEP.sub("", path)
        return self.lines.get(path, self.lines[""])

    def finding(self, path: str, level: Level, rule: Rule, message: str) -> Finding:
        """Return a finding in this object."""
        return Finding(self.file, self.line(path), level, rule, f"{self.kind} {self.name}: {message}")


def read(file: str, text: str) -> tuple[list[Document], list[Finding]]:
    """Return the objects of Canary's in a text, and what is wrong with it as YAML. Other objects are passed over."""
    loader = yaml.SafeLoader(text)
    documents: list[Document] = []
    findings: list[Finding] = []
    try:
        while loader.check_node():
            node = loader.get_node()
            assert node is not None, "there was one to be read"  # noqa: S101 -- for the types
            findings += [
                Finding(file, line, Level.ERROR, Rule.YAML, f"the key {key} stands twice; the last one wins")
                for key, line in _twice(node)
            ]
            content = loader.construct_document(node)
            for each in _ours(content):
                lines = dict(_lines(node, "")) if each is content else {"": _line(node)}
                documents.append(Document(file, each, lines))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error)
        findings.append(Finding(file, mark.line + 1 if mark else 1, Level.ERROR, Rule.YAML, f"not YAML: {what}"))
    finally:
        loader.dispose()
    return documents, findings


def _ours(content: object) -> Iterator[Mapping[str, Any]]:
    """Yield the object, or those in a List, that are Canary's."""
    if not isinstance(content, Mapping):
        return
    if content.get("kind") == "List" and isinstance(content.get("items"), list):
        for item in content["items"]:
            yield from _ours(item)
    elif content.get("kind") in OURS and str(content.get("apiVersion", "")).startswith("canary.delivery/"):
        yield content


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _lines(node: yaml.Node, path: str) -> Iterator[tuple[str, int]]:
    yield path, _line(node)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = f"{path}.{key.value}" if path else str(key.value)
            yield from _lines(value, below)
            yield below, _line(key)  # the key's own line, not the first of a block below it
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(value, f"{path}[{index}]")


def _twice(node: yaml.Node) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if str(key.value) in seen:
                yield str(key.value), _line(key)
            seen.add(str(key.value))
            yield from _twice(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _twice(value)
