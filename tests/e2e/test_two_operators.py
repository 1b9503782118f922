"""Two replicas of the operator, both with exactly the rights of deploy/: one writes at a time, whatever becomes of it.

The API server's own audit tells them apart: each has a token of its own.
"""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from lab import audit
from lab.cluster import Lab
from lab.invariants import Trial
from lab.load import Load
from lab.observer import Observer
from lab.parts.operator import NAMESPACE, PORT, TICKS, Operator
from tests.e2e.operators import running
from tests.e2e.shops import QuickShop, Shops

pytestmark = pytest.mark.lab
STEPS = ((10, "2s", "6s"), (50, "2s", "6s"))
TAKEN_OVER_SECONDS = 40.0
"""A Lease that nobody renews is free after 15 s."""


@dataclass
class Pair:
    """Both replicas."""

    lab: Lab
    parts: Sequence[Operator]

    def leader(self) -> Operator:
        """Who holds the Lease."""
        lease = self.lab.get("coordination.k8s.io/v1", "leases", "canary", NAMESPACE)
        return next(part for part in self.parts if part.name == lease["spec"].get("holderIdentity"))

    def other(self, part: Operator) -> Operator:
        return next(one for one in self.parts if one is not part)

    def writes(self, since: float, *, by: Operator | None = None) -> list[audit.Write]:
        """What was changed since then, but for the Lease, which both may try to take."""
        found = audit.writes(self.lab.apiserver.audit_log, since=since)
        return [w for w in found if w.done and w.resource != "leases" and (by is None or w.token == by.token)]

    def writers(self, since: float) -> list[str]:
        """The replicas that wrote since then, in turn."""
        names = {part.token: part.name for part in self.parts}
        return [name for name, _ in itertools.groupby(names[write.token] for write in self.writes(since))]


@pytest.fixture(scope="module")
def pair(running_lab: Lab) -> Iterator[Pair]:
    """Two operators; the first leads."""
    parts = [
        Operator(running_lab, {**TICKS, "identity": name}, name=name, port=port, mortal=True)
        for name, port in (("operator", PORT), ("operator-2", PORT + 1))
    ]
    with running(running_lab, *parts):
        yield Pair(running_lab, parts)


@pytest.fixture
def shops(pair: Pair) -> Iterator[Shops]:
    opened = Shops(pair.lab)
    yield opened
    pair.lab.faults.mend()
    opened.close()


def _watched(pair: Pair, shop: QuickShop, clients: Load, *, good: bool) -> Observer:
    observer = Observer(pair.lab)
    observer.expect(shop.namespace, Trial("v1", "v2", good=good, replicas=shop.app.replicas))
    observer.listen(shop.namespace, clients)
    return observer


def _await(shop: QuickShop, what: str, look: object) -> None:
    shop.wait(what, look, seconds=TAKEN_OVER_SECONDS)


def test_the_other_replica_goes_on_with_the_release_when_the_leader_is_killed_in_it(pair: Pair, shops: Shops) -> None:
    shop = shops.open("leader-killed", steps=STEPS, bake="2s")
    first, began = pair.leader(), time.time()
    second = pair.other(first)
    assert first.orders is not None
    first.orders.strike_once(signal.SIGKILL, "after", "SetWeight", shop.namespace, weight=10)
    with shop.load(60) as clients, _watched(pair, shop, clients, good=True) as observer:
        shop.answers("v1", clients)
        shop.push("v2", version="v2")
        _await(shop, "the leader's death", lambda: not first.process.alive)
        shop.settle("shop/checkout:v2", seconds=120)
        assert clients.stop().failed == 0
    assert observer.violations == []
    assert shop.status()["history"][0]["outcome"] == "Promoted"
    assert pair.leader() is second
    assert pair.writers(began) == [first.name, second.name]
    first.start()  # it follows now
    assert pair.leader() is second


def test_a_leader_that_stood_still_before_a_raise_does_not_make_it_when_it_goes_on(pair: Pair, shops: Shops) -> None:
    shop = shops.open("leader-frozen", steps=STEPS)
    first, began = pair.leader(), time.time()
    second = pair.other(first)
    assert first.orders is not None
    first.orders.strike_once(signal.SIGSTOP, "before", "SetWeight", shop.namespace, weight=50)
    with shop.load(60) as clients, _watched(pair, shop, clients, good=False) as observer:
        shop.answers("v1", clients)
        shop.push("v2", version="v2")
        _await(shop, "the leader to stand still", lambda: first.process.stands_still)
        shop.canary("abort", "checkout")
        shop.wait_for_phase("RollingBack", "Reverting", "AwaitingGit", "Stable", seconds=TAKEN_OVER_SECONDS)
        shop.wait("weight 0", lambda: shop.weight() in (0, None))
        assert pair.leader() is second
        thawed = time.time()
        first.process.thaw()
        _await(shop, "its next look at the Lease", lambda: _looked(first))
        shop.settle("shop/checkout:v1", seconds=60)
        assert clients.stop().failed == 0
    assert observer.violations == []
    assert pair.writes(thawed, by=first) == []
    assert pair.writers(began) == [first.name, second.name]


def _looked(part: Operator) -> bool:
    log = part.process.log.read_text().rpartition("elected")[2]
    return '"deposed"' in log
