"""Pod templates as Git writes them, compared with one another and with live ones.

Two *rendered* templates are compared as they are: both lack the API server's defaults. A *live* template has the
defaults, and whatever admission added, so it is compared by `beyond()`: what the manifest says must be there, and what
is there besides is returned as paths, for the caller to judge. A subset alone would not do: the manifest before a
variable was added is a subset of the live template with the variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeAlias

Template: TypeAlias = Mapping[str, Any]
Value: TypeAlias = object

Path: TypeAlias = tuple[str, ...]

NODE_LIMIT: Final = 50_000
"""Values in one object; YAML's aliases can make a small file an enormous one. Arbitrary."""

# Keys that the API server fills in when the manifest leaves them out (k8s.io/kubernetes
# pkg/apis/{core,apps}/v1/defaults.go).
_DEFAULTED: Final = frozenset({
    "apiVersion", "creationTimestamp", "defaultMode", "divisor", "dnsPolicy", "expirationSeconds", "failureThreshold",
    "hostPort", "imagePullPolicy", "periodSeconds", "protocol", "resources", "restartPolicy", "schedulerName", "scheme",
    "securityContext", "serviceAccount", "successThreshold", "terminationGracePeriodSeconds", "terminationMessagePath",
    "terminationMessagePolicy", "timeoutSeconds", "type",
})  # fmt: skip
_QUANTITIES: Final = frozenset({"resources", "sizeLimit", "divisor", "overhead"})
_SUFFIXES: Final = {
    "": 1,
    "n": "1e-9",
    "u": "1e-6",
    "m": "1e-3",
    "k": "1e3",
    "M": "1e6",
    "G": "1e9",
    "T": "1e12",
    "P": "1e15",
    "E": "1e18",
} | {f"{letter}i": 1024 ** (power + 1) for power, letter in enumerate("KMGTPE")}
_QUANTITY: Final = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([numkMGTPE]|[KMGTPE]i)?")
_MERGE_KEYS: Final = {"ports": "containerPort", "volumeMounts": "mountPath", "volumeDevices": "devicePath"}


def same_template(one: Template, other: Template) -> bool:
    """Whether two rendered templates say the same; empty and absent are one."""
    return _pruned(one) == _pruned(other)


def same_version(one: Template, other: Template) -> bool:
    """Whether two rendered templates run the same: equal but for labels and annotations (checksums, restartedAt)."""
    return _pruned(_unmarked(one)) == _pruned(_unmarked(other))


def size_within(value: object, limit: int = NODE_LIMIT) -> bool:
    """Whether a value read from YAML stays below the limit when its aliases are written out."""
    left = limit
    stack = [value]
    while stack and left > 0:
        node = stack.pop()
        left -= 1
        if isinstance(node, Mapping):
            stack.extend(list(node.values())[: left + 1])
        elif isinstance(node, list):
            stack.extend(node[: left + 1])
    return left > 0


def beyond(rendered: Template, live: Template) -> frozenset[Path] | None:
    """Return what a live template has beyond the rendered one, or None when it contradicts it.

    Left out of the answer: keys that the API server fills in, and labels and annotations, which do not make a version.
    """
    extras = _Extras()
    if not extras.match(_pruned(rendered), _pruned(live), ()):
        return None
    return frozenset(extras.paths)


def paths_of(rendered: Template) -> frozenset[Path]:
    """Return every path of a rendered template, named as `beyond()` names them."""
    return frozenset(_paths(_pruned(rendered), ()))


class _Extras:
    def __init__(self) -> None:
        self.paths: set[Path] = set()

    def match(self, said: Value, live: Value, path: Path) -> bool:
        if isinstance(said, Mapping) and isinstance(live, Mapping):
            self._note(path, [key for key in live if key not in said])
            return all(key in live and self.match(value, live[key], (*path, key)) for key, value in said.items())
        if isinstance(said, list) and isinstance(live, list):
            ours, theirs = _keyed(said, path), _keyed(live, path)
            if ours is None or theirs is None:
                return len(said) == len(live) and all(
                    self.match(one, other, (*path, str(index)))
                    for index, (one, other) in enumerate(zip(said, live, strict=True))
                )
            self._note(path, [key for key in theirs if key not in ours])
            return all(key in theirs and self.match(value, theirs[key], (*path, key)) for key, value in ours.items())
        return bool(said == live) or (
            _QUANTITIES.intersection(path) != set() and _quantity(said) == _quantity(live) is not None
        )

    def _note(self, path: Path, keys: Sequence[str]) -> None:
        if path[:2] in {("metadata", "labels"), ("metadata", "annotations")}:
            return
        self.paths |= {(*path, key) for key in keys if key not in _DEFAULTED and (*path, key) not in _MARKS}


_MARKS: Final = {("metadata",), ("metadata", "labels"), ("metadata", "annotations")}


def _keyed(items: list[Any], path: Path) -> dict[str, Any] | None:
    """Return a list's items by the key that Kubernetes merges them by; None unless each has one of its own."""
    name = _MERGE_KEYS.get(path[-1] if path else "", "name")
    if not all(isinstance(item, Mapping) and name in item for item in items):
        return None
    keys = [
        f"{item[name]}/{item.get('protocol', 'TCP')}" if name == "containerPort" else str(item[name]) for item in items
    ]
    return dict(zip(keys, items, strict=True)) if len(set(keys)) == len(keys) else None


def _paths(node: Value, path: Path) -> Iterator[Path]:
    yield path
    if isinstance(node, Mapping):
        children: Mapping[str, Any] | None = node
    elif isinstance(node, list):
        children = _keyed(node, path) or {str(index): item for index, item in enumerate(node)}
    else:
        children = None
    for key, value in (children or {}).items():
        yield from _paths(value, (*path, key))


def _pruned(node: Value) -> Value:
    """Return a value without nulls and empty maps, lists and strings below it: the API server does not keep them."""
    if isinstance(node, Mapping):
        inner = {str(key): _pruned(value) for key, value in node.items()}
        return {key: value for key, value in inner.items() if value is not None and value not in ("", [], {})}
    if isinstance(node, list):
        return [_pruned(value) for value in node]
    return node


def _unmarked(template: Template) -> Template:
    metadata = template.get("metadata")
    if not isinstance(metadata, Mapping):
        return template
    return {
        **template,
        "metadata": {key: value for key, value in metadata.items() if key not in {"labels", "annotations"}},
    }


def _quantity(value: object) -> Decimal | None:
    match = _QUANTITY.fullmatch(str(value))
    if match is None:
        return None
    try:
        return Decimal(match[1]) * Decimal(str(_SUFFIXES[match[2] or ""]))
    except InvalidOperation:
        return None
