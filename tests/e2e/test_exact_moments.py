"""A commit, or the Rollout's end, at moments that are too short to be met by looking: the operator stands still in them.

It stops itself right before or after one effect (lab/mortal.py), somebody writes, and it goes on with what it had decided.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from lab.cluster import Lab
from lab.mortal import When
from lab.parts.operator import Operator
from tests.e2e.operators import running
from tests.e2e.shops import QuickShop, Shops
from tests.e2e.sides import SETS, sides
from tests.e2e.test_commit_in_promotion import LONG, SHORT, SLOW_START, ended, released
from tests.e2e.test_deletion import PATH, STEPS, Moment, left, phase, stage

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def operator(running_lab: Lab) -> Iterator[Operator]:
    part = Operator(running_lab, mortal=True)
    with running(running_lab, part):
        yield part


@pytest.fixture
def shops(lab: Lab, operator: Operator) -> Iterator[Shops]:
    opened = Shops(lab)
    yield opened
    operator.process.thaw()
    opened.close()


def stop(operator: Operator, shop: QuickShop, when: When, effect: str, **fields: object) -> None:
    assert operator.orders is not None
    operator.orders.strike_once(signal.SIGSTOP, when, effect, shop.namespace, **fields)


def stands(operator: Operator, shop: QuickShop, at: str) -> None:
    shop.wait(f"the operator to stand still {at}", lambda: operator.process.stands_still, seconds=LONG)


ROLLS_BACK = Moment(phase("RollingBack"), {"steps": ((50, "60s", "90s"),)})
CLEANS_UP = Moment(stage("Cleanup"), {"steps": STEPS[1:]}, runs="v2", held=False)


@pytest.mark.parametrize("moment", [ROLLS_BACK, CLEANS_UP], ids=["it_rolls_back", "it_cleans_up"])
def test_a_rollout_deleted_while(moment: Moment, operator: Operator, shops: Shops) -> None:
    shop = shops.by_hand(f"del-{moment.runs}", **{"bake": "2s", **moment.changes})
    with shop.load(20) as clients, sides(shop) as seen:
        shop.answers("v1", clients)
        shop.write(version="v2")
        shop.wait("its traffic", lambda: shop.phase() == "Step" and shop.weight(), seconds=LONG)
        if moment is ROLLS_BACK:
            stop(operator, shop, "before", "Emit", reason="Aborted")  # the state is written, and the traffic taken
            shop.canary("abort", "checkout")
        else:
            stop(operator, shop, "before", "DeleteCopy")
        stands(operator, shop, "there")
        answer = shop.lab.api("DELETE", PATH.format(shop.namespace))
        assert moment.reached(answer["status"]), answer["status"]
        operator.process.thaw()
        shop.wait("the Rollout to go", lambda: not shop.rollout(), seconds=LONG)
        shop.wait("the canary's pods to go", lambda: not shop.pods(canary=True))
        left(shop, moment)
        counts = clients.stop()
    assert counts.failed == 0, counts.failures
    if moment is ROLLS_BACK:
        assert seen.ran == {"shop/checkout:v1"}


def test_commits_at_the_unpause_and_at_the_end_of_a_promotion_wait_or_supersede(
    operator: Operator, shops: Shops
) -> None:
    """The first supersedes; of those that come after the unpause the newest is released in its turn, and no other."""
    shop = shops.by_hand("exact", env=SLOW_START, **SHORT)
    with shop.load(40) as clients, sides(shop) as seen:
        shop.answers("v1", clients)
        stop(operator, shop, "before", "LetGo")
        shop.write(version="v2")
        stands(operator, shop, "before it lets go")
        shop.write(version="v3")
        stop(operator, shop, "after", "LetGo")
        operator.process.thaw()
        ended(shop, "Superseded", 2)
        stands(operator, shop, "after it has let go")
        new_pods = _pod_hash(shop, "v3")  # the roll has begun: without its ReplicaSet nothing would have been let go
        shop.write(version="v4")
        stop(operator, shop, "before", "Pin", pod_template_hash=new_pods)
        operator.process.thaw()
        stands(operator, shop, "before the Service means the new pods")
        assert shop.status()["promotion"] == "Repin"
        shop.write(version="v5")
        stop(operator, shop, "before", "DeleteCopy")
        operator.process.thaw()
        stands(operator, shop, "before the canary goes")
        assert shop.status()["promotion"] == "Cleanup"
        shop.write(version="v6")
        operator.process.thaw()
        ended(shop, "Promoted", 3)
        released(shop, 6)
        counts = clients.stop()
    assert counts.failed == 0, counts.failures
    assert seen.ran == {"shop/checkout:v1", "shop/checkout:v3"}


def _pod_hash(shop: QuickShop, version: str) -> str:
    """Of the Deployment's own pods, as soon as its controller has made the ReplicaSet."""

    def found() -> str:
        return next(
            (
                str(rs["metadata"]["labels"]["pod-template-hash"])
                for rs in shop.items(SETS)
                if rs["metadata"]["ownerReferences"][0]["name"] == "checkout"
                and rs["spec"]["template"]["spec"]["containers"][0]["image"] == f"shop/checkout:{version}"
            ),
            "",
        )

    hashed: str = shop.wait(f"the ReplicaSet of {version}", found)
    return hashed
