"""Whatever breaks around a release: users are served, no bad version gets further, and all of it ends right.

Each fault once, in short; `make chaos` draws moments and combinations for as long as one wants (benchmarks/faults.py).
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.chaos import FAULTS, LANES, Chaos, second_envoy
from lab.cluster import Lab
from lab.observer import Observer
from lab.parts.operator import Operator
from lab.trials import Trials, failed
from tests.e2e.operators import running
from tests.e2e.shops import QuickShop, Shops

pytestmark = pytest.mark.lab

STEPS = ((10, "2s", "6s"), (50, "2s", "6s"))
DOWN_SECONDS = (0.5, 1.5)
BAD = {"version": "v2", "error_ratio": 0.7}


@pytest.fixture(scope="module")
def operator(running_lab: Lab) -> Iterator[Operator]:
    """An operator that dies where a test says."""
    part = Operator(running_lab, mortal=True)
    with running(running_lab, part, api_server_breaks=True):
        yield part


def test_releases_end_right_and_no_request_fails_while_everything_breaks_and_the_operator_dies_after_each_effect(
    lab: Lab, operator: Operator, shops: Shops
) -> None:
    observer, over = Observer(lab), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        opened = list(pool.map(lambda name: shops.open(name, steps=STEPS, bake="2s"), ("storm-good", "storm-bad")))
    chaos = Chaos(lab, observer, opened, random.Random(1), down_seconds=DOWN_SECONDS)

    def release(shop: QuickShop, *, good: bool) -> int:
        trials = Trials(shop, observer)
        with shop.load(100) as clients:
            observer.listen(shop.namespace, clients)
            shop.answers("v1", clients)
            while not over.is_set():
                (trials.promote if good else trials.roll_back)()
            assert failed(shop.namespace, clients.stop(), chaos.pod_kills)[0] == []
        return trials.judged

    assert operator.orders is not None
    with (
        second_envoy(lab),
        observer,
        lab.faults.kept("operator"),
        operator.orders.death_at_every_effect("after", phases=False),
        ThreadPoolExecutor(2) as pool,
    ):
        told = [pool.submit(release, shop, good=good) for shop, good in zip(opened, (True, False), strict=True)]
        try:
            _inject_all(chaos)
        finally:
            over.set()
        judged = [story.result() for story in told]
    assert observer.violations == []
    assert observer.samples > 50
    assert min(judged) >= 1
    assert set(chaos.injected) == set(FAULTS)
    edited = {"deployment/checkout-canary", "deployment/checkout", "service/checkout", "httproute/checkout"}
    assert set(chaos.touched) == {*edited, "rollout/checkout"}
    assert len(chaos.pod_kills) == 2
    deaths = {moment.split()[1] for moment in operator.orders.deaths()}
    assert deaths >= {"WriteStatus", "EnsureCopy", "SetWeight", "Pin", "LetGo", "DeleteCopy", "RevertInGit"}
    slowest = sorted(chaos.seconds.items(), key=lambda item: -item[1])
    print(f"{judged} releases, {len(operator.orders.deaths())} deaths, seconds of each fault: {slowest}")  # noqa: T201


def _inject_all(chaos: Chaos) -> None:
    """Each fault once: those of different parts at the same time, then what needs the API server to be there."""

    def inject(names: Iterable[str]) -> None:
        for name in names:
            chaos.inject(name)

    with ThreadPoolExecutor(len(LANES)) as pool:
        for lane in [pool.submit(inject, names) for names in LANES]:
            lane.result()
    inject(sorted(set(FAULTS) - set(chaos.injected)))


def test_a_revert_waits_for_git_alone_and_the_next_step_for_metrics_alone(lab: Lab, shops: Shops) -> None:
    """Git is down from before a verdict, then Prometheus, too; Git comes back first, and Prometheus comes back to hang."""
    with ThreadPoolExecutor(2) as pool:
        opening = pool.submit(shops.open, "git-down")
        steps = ((10, "15s", "25s"), (50, "60s", "90s"))
        good, bad = shops.open("no-data", no_data_after="5s", steps=steps), opening.result()
    with bad.load(100) as clients, good.load(100) as others:
        bad.answers("v1", clients)
        good.answers("v1", others)
        good.push("v2", version="v2")
        good.wait("10 %", lambda: good.weight() == 10)
        lab.faults.slow("prometheus", 1.0)  # the verdict comes although every answer is late
        commit = bad.push("v2", **BAD)
        bad.answers("v2", clients)
        lab.faults.stop("git")
        bad.wait("a try that failed", lambda: (bad.status().get("revert") or {}).get("final") is False)
        status, served = bad.status(), clients.counts().of("v2")
        lab.faults.stop("prometheus")
        assert status["phase"] == "Reverting"
        assert bad.condition("Stalled")["reason"] == status["revert"]["reason"]
        bad.wait("the Event", lambda: status["revert"]["reason"] in bad.events())
        good.wait_for_reason("NoData", seconds=90)
        assert bad.weight() in (0, None)
        assert bad.repository.head() == commit
        lab.faults.start("git")
        bad.settle("shop/checkout:v1", seconds=90)
        assert bad.trailers(bad.repository.head())["Rollout-Reverts"] == commit
        assert clients.counts().of("v2") == served
        assert good.condition("Stalled")["reason"] == "NoData"
        assert "NoData" in good.events()
        assert (good.phase(), good.weight()) == ("Step", 10)
        lab.faults.slow("prometheus", 0.0)
        lab.faults.start("prometheus")
        good.wait("the last step", lambda: good.weight() == 50, seconds=90)
        with lab.faults.frozen("prometheus"):
            good.wait_for_reason("NoData", seconds=90)
            _stays(good, "Step", 50, seconds=3)
        assert clients.stop().failed == 0
        assert others.stop().failed == 0


def _stays(shop: QuickShop, phase: str, weight: int, *, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:  # not for luck: what is claimed is that nothing happens meanwhile
        assert shop.phase() == phase
        assert shop.weight() == weight
        time.sleep(0.5)
