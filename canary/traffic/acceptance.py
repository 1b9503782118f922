"""What a Gateway API route's status says: whether the gateway serves this generation, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterable

from canary.api.patch import Manifest

_WANTED = "Accepted", "ResolvedRefs"


def in_force(route: Manifest) -> bool:
    """Tell whether, for every parent of the route, a controller accepted this generation and resolved its backends."""
    parents = route["spec"].get("parentRefs") or ()
    return bool(parents) and all(_serves(route, parent) for parent in parents)


def problem(route: Manifest) -> str:
    """Return what the gateway says against this generation of the route, in a sentence; empty when it says nothing."""
    name = route["metadata"]["name"]
    if not route["spec"].get("parentRefs"):
        return f"HTTPRoute {name} names no parent: no gateway serves it"
    for status, condition in _conditions(route):
        if condition["type"] in _WANTED and condition["status"] == "False" and _is_current(condition, route):
            gateway = (status.get("parentRef") or {}).get("name", "")
            return (
                f"gateway {gateway} does not serve HTTPRoute {name}: "
                f"{condition['type']} is False, {condition.get('reason')}: {condition.get('message') or 'no message'}"
            )
    return ""


def _serves(route: Manifest, parent: Manifest) -> bool:
    met = {
        condition["type"]
        for status, condition in _conditions(route)
        if _identity(status.get("parentRef") or {}, route) == _identity(parent, route)
        and condition["status"] == "True"
        and _is_current(condition, route)
    }
    return met.issuperset(_WANTED)


def _conditions(route: Manifest) -> Iterable[tuple[Manifest, Manifest]]:
    """Yield the conditions of the parents that the spec still names; controllers may leave those of others behind."""
    wanted = {_identity(p, route) for p in route["spec"].get("parentRefs") or ()}
    for status in (route.get("status") or {}).get("parents") or ():
        if _identity(status.get("parentRef") or {}, route) in wanted:
            for condition in status.get("conditions") or ():
                yield status, condition


def _is_current(condition: Manifest, route: Manifest) -> bool:
    return int(condition.get("observedGeneration") or 0) >= int(route["metadata"].get("generation") or 0)


def _identity(parent: Manifest, route: Manifest) -> tuple[object, ...]:
    return (
        parent.get("group", "gateway.networking.k8s.io"),
        parent.get("kind", "Gateway"),
        parent.get("namespace") or route["metadata"]["namespace"],
        parent.get("name"),
        parent.get("sectionName") or "",
        parent.get("port"),
    )
