"""What is found, and by which rule."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is; the words are SARIF's."""

    ERROR = "error"
    """It is refused, or it never works."""
    WARNING = "warning"
    """It works, and hardly as meant."""
    NOTE = "note"
    """Worth knowing."""


class Rule(StrEnum):
    """What is looked for; the value is the rule's id."""

    YAML = "yaml"
    FIELD = "field"
    TEMPLATE = "template"
    PROMQL = "promql"
    QUERY = "query"
    SERIES = "series"
    GROUPING = "grouping"
    IDENTITY = "identity"
    TRAFFIC = "traffic"


SENTENCES = {
    Rule.YAML: "The file is YAML, and no key stands twice.",
    Rule.FIELD: "Every field exists, is served, and says what can be.",
    Rule.TEMPLATE: "A Rollout's templates and their arguments fit.",
    Rule.PROMQL: "Selectors and queries are PromQL.",
    Rule.QUERY: "Variables stand in queries of other languages where they may, and web queries can be read.",
    Rule.SERIES: "A query reads few series and gives one sample.",
    Rule.GROUPING: "One query serves all Rollouts that use the template.",
    Rule.IDENTITY: "The series of one workload are told from all others.",
    Rule.TRAFFIC: "The steps can gather the evidence that they wait for.",
}
"""What holds when nothing is found, by rule."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is found in one place."""

    file: str
    line: int
    """From 1."""
    level: Level
    rule: Rule
    message: str
    """What, which object, and what to do."""
