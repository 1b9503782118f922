"""Both sides of a release, looked at while it runs: whoever gets traffic has the pods for all of its share."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab.api import ApiRefused
from tests.e2e.looking import looking
from tests.e2e.shops import QuickShop

EVERY_SECONDS = 0.4
"""Many shops are looked at at once, on two processors."""
SLICES = "apis/discovery.k8s.io/v1 endpointslices"
SETS = "apis/apps/v1 replicasets"


@dataclass(slots=True)
class Sides:
    """What a thread saw."""

    short: list[str] = field(default_factory=list)
    """Looks at which a side had traffic and fewer ready endpoints than its share needs."""
    empty: int = 0
    """Looks at which the root Service had no endpoints."""
    ran: set[str] = field(default_factory=set)
    """Images of which the Deployment in Git wanted pods at any time."""
    looks: int = 0


@contextmanager
def sides(shop: QuickShop) -> Iterator[Sides]:
    """Look in a thread of its own while the block runs; then no side may have been short, nor the Service empty."""
    seen = Sides()
    with looking(lambda: _look(shop, seen), every_seconds=EVERY_SECONDS):
        yield seen
    assert seen.looks > 0
    assert seen.empty == 0, "the root Service had no endpoints"
    assert not seen.short, "traffic to a side that has not the pods for it:\n" + "\n".join(seen.short[:10])


def _look(shop: QuickShop, seen: Sides) -> None:
    before = _route(shop)
    ready = _ready(shop)
    after = _route(shop)
    root, canary = ready["checkout"], ready["checkout-canary"]
    images = {
        item["spec"]["template"]["spec"]["containers"][0]["image"]
        for item in shop.items(SETS)
        if item["spec"]["replicas"] and item["metadata"]["ownerReferences"][0]["name"] == "checkout"
    }
    seen.ran |= images
    seen.empty += not root
    if before != after:
        return  # what was read in between belongs to neither
    weight, size = after[1] or 0, shop.app.replicas
    released = after[1] is not None or len(images) > 1  # else no release is under way: a pod may be unready by itself
    if released and weight < 100 and root < size:
        seen.short.append(f"{100 - weight} % on {root} of {size} pods of the root Service: {_told(shop)}")
    if weight and canary < math.ceil(size * weight / 100):
        seen.short.append(f"{weight} % on {canary} of {size} canary pods: {_told(shop)}")
    seen.looks += 1


def _told(shop: QuickShop) -> str:
    status, selector = shop.status(), shop.service()["spec"]["selector"]
    return f"{status.get('phase')} {status.get('promotion') or ''} {shop.replica_sets()} {selector}"


def _ready(shop: QuickShop) -> Counter[str]:
    """How many ready addresses each Service has."""
    found: Counter[str] = Counter()
    for item in shop.items(SLICES):
        name = item["metadata"]["labels"]["kubernetes.io/service-name"]
        found[name] += sum(bool(e.get("conditions", {}).get("ready")) for e in item.get("endpoints") or [])
    return found


def _route(shop: QuickShop) -> tuple[str, int | None]:
    """The version of the route, and the canary's weight in it."""
    try:
        route = shop.lab.get("gateway.networking.k8s.io/v1", "httproutes", "checkout", shop.namespace)
    except ApiRefused:
        return "", None
    backends = {b["name"]: b.get("weight", 1) for b in route["spec"]["rules"][0]["backendRefs"]}
    share = backends.get("checkout-canary")
    total = max(1, sum(backends.values()))
    return str(route["metadata"]["generation"]), None if share is None else round(100 * share / total)
