"""What the API can say and this version does not do yet: one table, for the CRDs' rules and for the operator.

A field that is declared and not served is refused, never ignored: whoever wrote `windows` counts on releases that wait.
To serve one of them is to take its line out here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from canary.api.strategy import STRATEGIES
from canary.api.traffic import PROVIDERS

ROLLOUT: Final = "Rollout"
TEMPLATES: Final = ("AnalysisTemplate", "ClusterAnalysisTemplate")


@dataclass(frozen=True, slots=True)
class NotServed:
    """A field, or one value of a field, that is refused."""

    kinds: tuple[str, ...]
    """Kinds that have the field."""
    path: str
    """Field in YAML; `[]` stands for every item of a list."""
    instead: str
    """What to do, as the end of the sentence."""
    value: str | None = None
    """The value that is refused. None: the field itself, whatever it says."""

    @property
    def message(self) -> str:
        """The sentence that users read, from the API server and from the operator."""
        what = self.path if self.value is None else f"{self.path}: {self.value}"
        return f"{what} is not served by this version of Canary; {self.instead}"

    @property
    def parent(self) -> str:
        """Path of the object that has the field."""
        return self.path.rpartition(".")[0]

    @property
    def field(self) -> str:
        """The field's own name."""
        return self.path.rpartition(".")[2]

    @property
    def rule(self) -> str:
        """CEL on the parent: true when the field does not say it."""
        absent = f"!has(self.{self.field})"
        return absent if self.value is None else f"{absent} || self.{self.field} != '{self.value}'"

    def said_by(self, document: Mapping[str, Any]) -> bool:
        """Whether an object says it."""
        found = _values_at(document, self.path.split("."))
        return any(self.value is None or value == self.value for value in found)


def _values_at(node: object, path: list[str]) -> Iterator[object]:
    """Every value at a path; nothing where the document has another shape: that is the models' to refuse."""
    if not path:
        yield node
        return
    name = path[0].removesuffix("[]")
    if not isinstance(node, Mapping) or node.get(name) is None:
        return
    children = node[name] if path[0].endswith("[]") else [node[name]]
    for child in children if isinstance(children, list) else []:
        yield from _values_at(child, path[1:])


def _rollout(path: str, instead: str, value: str | None = None) -> NotServed:
    return NotServed((ROLLOUT,), path, instead, value)


def _template(path: str, instead: str, value: str | None = None) -> NotServed:
    return NotServed(TEMPLATES, path, instead, value)


_PROVIDERS_SERVED: Final = frozenset({"gatewayAPI"})
_STRATEGIES_SERVED: Final = frozenset({"canary"})
_DEPLOYMENT: Final = "use a Deployment"
_STABLE: Final = "use stable or history"

NOT_SERVED: Final[tuple[NotServed, ...]] = (
    _rollout("spec.workload.kind", _DEPLOYMENT, "StatefulSet"),
    _rollout("spec.workload.kind", _DEPLOYMENT, "DaemonSet"),
    *(
        _rollout(f"spec.traffic.{key}", "use spec.traffic.gatewayAPI")
        for key in PROVIDERS.values()
        if key not in _PROVIDERS_SERVED
    ),
    *(
        _rollout(f"spec.strategy.{key}", "use spec.strategy.canary or remove it")
        for key in STRATEGIES.values()
        if key not in _STRATEGIES_SERVED
    ),
    _rollout("spec.rollback.git.mode", 'use push or "off"', "pullRequest"),
    _rollout("spec.windows", "remove it; `canary pause` holds releases by hand"),
    _rollout("spec.notify", "remove it; Events and alerts tell of releases"),
    _template("spec.metrics[].compare.against", _STABLE, "baseline"),
)
"""Every field and value that is refused, in the order of the spec."""


def not_served_in(kind: str, document: Mapping[str, Any]) -> Iterator[NotServed]:
    """What an object of a kind says that is not served, in the order of the table."""
    return (entry for entry in NOT_SERVED if kind in entry.kinds and entry.said_by(document))
