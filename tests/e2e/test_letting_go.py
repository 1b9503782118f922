"""Letting go carries the resourceVersion of what was judged: a commit that lands meanwhile is never shipped unjudged."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from dataclasses import dataclass, field, replace

import pytest

from canary.api.patch import DEPLOYMENT, ObjectRef
from canary.core.decide import decide
from canary.core.effects import LetGo
from canary.core.phases import Phase
from canary.core.state import State
from canary.errors import ApiConflict
from canary.operator import kinds
from canary.operator.apply import Pass, apply
from canary.operator.cache import Cache
from canary.operator.client import KubernetesApi
from canary.operator.connection import load_configuration
from canary.operator.kinds import Obj
from canary.operator.look import Besides, look, named
from canary.workload.hashing import revision_of
from canary.workload.hold import HOLD_MANAGER, let_go
from tests.e2e.shops import QuickShop, Shops
from tests.e2e.stories import Stories

pytestmark = pytest.mark.lab
STORIES = Stories()

TRIES, AT_THE_SAME_TIME = 200, 10
LATEST_SECONDS = 0.04
"""Both writes begin at moments drawn from this span: about as long as one takes on a busy machine, so that either may
come first."""
HELD, LABEL = "canary.delivery/held", "canary.delivery/rollout"


def _image(deployment: Obj) -> str:
    image: str = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


def _not_asked(*_: object) -> None:
    raise AssertionError("only the letting go is done here")


def _is_held(deployment: Obj) -> bool:
    return deployment["spec"].get("paused") is True and HELD in deployment["metadata"]["annotations"]


@dataclass(slots=True)
class Race:
    """One Deployment that the operator lets go while its team writes the next version."""

    team: KubernetesApi
    operator: KubernetesApi
    shop: QuickShop
    name: str
    draw: random.Random
    judged: str = "shop/checkout:v1"
    seen: Counter[str] = field(default_factory=Counter)

    async def write(self, image: str) -> Obj:
        """The team's write, as any client does it: without a condition."""
        patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]
        return await self.team.patch(kinds.DEPLOYMENT, self.shop.namespace, self.name, patch, manager="team")

    async def decided(self) -> tuple[Pass, LetGo]:
        """What the operator decides of the Deployment as it is now: its own look, its own decision."""
        cache = Cache()
        deployment = await self.operator.get(kinds.DEPLOYMENT, self.shop.namespace, self.name)
        cache.put(kinds.DEPLOYMENT, deployment)
        assert _is_held(deployment)
        assert _image(deployment) == self.judged
        rollout = {
            "apiVersion": "canary.delivery/v1alpha1",
            "kind": "Rollout",
            "metadata": {"name": self.name, "namespace": self.shop.namespace, "uid": "1", "finalizers": [LABEL]},
            "spec": {
                "workload": {"name": self.name},
                "service": {"name": self.name, "port": 80},
                "traffic": {"gatewayAPI": {"route": {"name": self.name}}},
            },
        }
        state = State(phase=Phase.STABLE, stable=revision_of(deployment["spec"]["template"]))
        seen = await look(self.operator, cache, rollout, named(rollout), state, Besides(), 1.0)
        decision = decide(seen.named.plan, state, seen.observed, 1.0)
        (effect,) = (e for e in decision.effects if isinstance(e, LetGo))
        run = Pass(
            api=self.operator,
            cache=cache,
            rollout=rollout,
            seen=seen,
            state=decision.state,
            now=1.0,
            render_status=lambda _: None,
            ask_git=_not_asked,
            note_retried=_not_asked,
        )
        return run, effect

    async def let_go(self, run: Pass, effect: LetGo) -> None:
        await asyncio.sleep(self.draw.uniform(0, LATEST_SECONDS))
        try:
            await apply(run, effect)
        except ApiConflict:
            self.seen["refused"] += 1
            return
        self.seen["let go"] += 1
        after = run.cache.get(kinds.DEPLOYMENT, self.shop.namespace, self.name)
        assert after is not None
        assert _image(after) == self.judged, "a version that nobody judged was let go"

    async def commit(self, image: str) -> None:
        await asyncio.sleep(self.draw.uniform(0, LATEST_SECONDS))
        after = await self.write(image)
        assert _is_held(after), "a new version was not held"

    async def run(self, tries: int) -> None:
        for number in range(tries):
            await self.write(f"shop/checkout:x{number}")
            await self.write(self.judged)
            run, effect = await self.decided()
            await asyncio.gather(self.let_go(run, effect), self.commit(f"shop/checkout:y{number}"))


def _deployment(shop: QuickShop, name: str) -> str:
    """A Deployment of no pods: what rolls is told by its ReplicaSets."""
    app = replace(shop.app, replicas=0)
    text = app.deployment().replace("  name: checkout\n", f"  name: {name}\n  labels: {{{LABEL}: {name}}}\n", 1)
    return text.replace("app: checkout", f"app: {name}")


def _ran(shop: QuickShop) -> set[str]:
    """The images of all ReplicaSets that there ever were."""
    found = shop.items("apis/apps/v1 replicasets")
    return {rs["spec"]["template"]["spec"]["containers"][0]["image"] for rs in found}


async def _races(shop: QuickShop, names: list[str], seed: int) -> Counter[str]:
    team = KubernetesApi(await load_configuration(shop.lab.kubeconfig))
    operator = KubernetesApi(await load_configuration(shop.lab.kubeconfig_for("canary", "canary-system")))
    try:
        races = [Race(team, operator, shop, name, random.Random(f"{seed}-{name}")) for name in names]
        await asyncio.gather(*(race.run(TRIES // len(names)) for race in races))
    finally:
        await team.close()
        await operator.close()
    return sum((race.seen for race in races), Counter())


@STORIES
def test_of_200_commits_that_race_with_the_letting_go_none_is_shipped_unjudged(shops: Shops) -> None:
    seed = int(os.environ.get("CANARY_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"CANARY_SEED={seed}")  # noqa: T201 -- shown when the test fails
    shop = shops.bare("races")
    names = [f"race-{number}" for number in range(AT_THE_SAME_TIME)]
    shop.lab.apply("---\n".join(_deployment(shop, name) for name in names))
    shop.wait("the controller", lambda: len(shop.items("apis/apps/v1 replicasets")) == len(names))
    seen = asyncio.run(_races(shop, names, seed))
    assert sum(seen.values()) == TRIES
    # Else the moments were drawn so that one of the two always came first, and nothing was shown.
    assert min(seen["refused"], seen["let go"]) >= TRIES // 20, seen
    assert _ran(shop) == {"shop/checkout:v1"}


@STORIES
def test_without_that_resource_version_the_same_commit_would_be_shipped(shops: Shops) -> None:
    # The control: it is the condition that protects here, not the admission policy, which lets the operator let go.
    shop = shops.bare("no-condition")
    shop.lab.apply(_deployment(shop, "race"))
    shop.wait("the controller", lambda: _ran(shop) == {"shop/checkout:v1"})

    async def late() -> None:
        team = KubernetesApi(await load_configuration(shop.lab.kubeconfig))
        operator = KubernetesApi(await load_configuration(shop.lab.kubeconfig_for("canary", "canary-system")))
        race = Race(team, operator, shop, "race", random.Random(0))
        try:
            await race.write("shop/checkout:x")
            await race.write(race.judged)
            run, effect = await race.decided()
            await race.write("shop/checkout:y")
            with pytest.raises(ApiConflict):
                await apply(run, effect)
            body = dict(let_go(ObjectRef(*DEPLOYMENT, shop.namespace, "race"), "").body)
            body["metadata"] = {"annotations": body["metadata"]["annotations"]}
            await operator.patch(kinds.DEPLOYMENT, shop.namespace, "race", body, manager=HOLD_MANAGER)
        finally:
            await team.close()
            await operator.close()

    asyncio.run(late())
    shop.wait("the version to be shipped", lambda: "shop/checkout:y" in _ran(shop))
