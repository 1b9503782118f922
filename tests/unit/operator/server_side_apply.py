"""Server-side apply as the API server does it: who owns which fields, and what goes when an owner says it no more.

Paths are tuples; an item of a list that is a map by some key (containers, variables, ports, owners) has that key's value
in its path, so that its fields are owned one by one. Every apply is forced, as the operator's are.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

Path: TypeAlias = tuple[Any, ...]
Owned: TypeAlias = Mapping[str, frozenset[Path]]
"""By field manager."""

KEYS: Final = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "ports": ("containerPort", "port"),
    "ownerReferences": ("uid",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
}
"""By a list's name, the keys of which one tells its items apart; lists that are not here are atomic."""
_ITEM: Final = "[]"


def applied(live: Any, owned: Owned, manager: str, body: Any) -> tuple[Any, Owned]:
    """Return the object after a forced apply, and who owns what then."""
    wanted, mine = frozenset(paths(body)), owned.get(manager, frozenset())
    others = frozenset(path for name, fields in owned.items() if name != manager for path in fields)
    after = copy.deepcopy(live)
    for path in sorted(mine - wanted - others, key=len, reverse=True):
        _remove(after, path)
    after = _merged(after, body, "")
    values = dict(_leaves(body))
    kept = {
        name: frozenset(p for p in fields if p not in values or _at(live, p) == values[p])
        for name, fields in owned.items()
        if name != manager
    }
    return after, {**kept, manager: wanted}


def written(before: Any, after: Any, owned: Owned) -> Owned:
    """Return who owns what after a write that was no apply: what it changed is its writer's."""
    return {name: frozenset(p for p in fields if _at(before, p) == _at(after, p)) for name, fields in owned.items()}


def paths(body: Any, at: Path = ()) -> Iterator[Path]:
    """Yield what an applied object says."""
    for path, _ in _leaves(body, at):
        yield path


def _leaves(body: Any, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(body, dict) and body:
        for key, value in body.items():
            yield from _leaves(value, (*at, key))
    elif isinstance(body, list) and (key := _key(at[-1] if at else "", body)):
        for item in body:
            yield (*at, (_ITEM, key, item[key])), None  # that it is there
            yield from _leaves(item, (*at, (_ITEM, key, item[key])))
    else:
        yield at, body


def _key(name: Any, items: Iterable[Any]) -> str:
    rows = list(items)
    return next((k for k in KEYS.get(name, ()) if rows and all(isinstance(r, dict) and k in r for r in rows)), "")


def _merged(live: Any, body: Any, name: str) -> Any:
    if isinstance(body, dict) and isinstance(live, dict):
        return {**live, **{k: _merged(live.get(k), v, k) for k, v in body.items()}}
    if isinstance(body, list) and isinstance(live, list) and (key := _key(name, [*live, *body])):
        said = {item[key]: item for item in body}
        rows = [_merged(item, said.pop(item[key]), "") if item[key] in said else item for item in live]
        return [*rows, *copy.deepcopy(list(said.values()))]
    return copy.deepcopy(body)


def _at(obj: Any, path: Path) -> Any:
    for part in path:
        obj = _step(obj, part)
    # That an item is there is all that is said of it; its fields are said one by one.
    return obj is not None if path and isinstance(path[-1], tuple) else obj


def _step(obj: Any, part: Any) -> Any:
    if isinstance(part, tuple):
        return next((i for i in obj or () if i.get(part[1]) == part[2]), None) if isinstance(obj, list) else None
    return obj.get(part) if isinstance(obj, dict) else None


def _remove(obj: Any, path: Path) -> None:
    *parents, last = path
    for part in parents:
        obj = _step(obj, part)
    if isinstance(obj, dict):
        obj.pop(last, None)
    elif isinstance(obj, list) and (item := _step(obj, last)) is not None:
        obj.remove(item)
