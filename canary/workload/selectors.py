"""Kubernetes' label selectors, as far as workloads use them."""

from __future__ import annotations

from collections.abc import Mapping

from canary.api.patch import Manifest


def matches(selector: Manifest, labels: Mapping[str, str]) -> bool:
    """Tell whether labels satisfy a LabelSelector; an empty one matches nothing here.

    In the API an empty selector matches all; no Deployment can have one, and to match nothing is the safe reading.
    """
    wanted = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or ()
    if not wanted and not expressions:
        return False
    return all(labels.get(k) == v for k, v in wanted.items()) and all(_satisfies(e, labels) for e in expressions)


def _satisfies(expression: Manifest, labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False
