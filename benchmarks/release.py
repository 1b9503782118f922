"""One release of a benchmark's shop, and what was seen of it: all times are read from watches, clients and Git."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from benchmarks.history import History
from lab import waiting
from lab.cluster import Lab
from lab.demo.timeline import epoch, pushed_at
from lab.load import Load
from lab.shop.files import App
from lab.shop.shop import Shop

STEPS: Final = ((10, "3s", "10s"), (30, "3s", "10s"), (60, "3s", "10s"))
"""Several, so that a weight that rises after the verdict would be seen."""
TEMPLATE: Final = "quick-errors"
"""Looks every other second."""
GOOD_RATIO: Final = 0.01
BAD_RATIO: Final = 0.8
"""Of the answers: found by the first look after it, so that repetitions are quick. What is measured begins there."""
LIMIT_SECONDS: Final = 120.0
"""For each part of a release."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a Rollout's status says."""

    phase: str
    judging: bool
    """Samples count: what the canary does from now on is evidence."""
    verdict_at: float | None
    report_failed_at: float | None
    """The look of the judges that condemned, by its own time."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What the Deployment says."""

    image: str
    held: bool


@dataclass(frozen=True, slots=True)
class Watching:
    """The watches that all releases are read from."""

    weights: History[int]
    statuses: History[Told]
    workloads: History[Workload]

    @classmethod
    def of(cls, lab: Lab) -> Self:
        """Watches of the shops' objects, in every namespace; to be entered."""
        return cls(
            History(lab, "/apis/gateway.networking.k8s.io/v1/httproutes", "checkout", _weight),
            History(lab, "/apis/canary.delivery/v1alpha1/rollouts", "checkout", _told),
            History(lab, "/apis/apps/v1/deployments", "checkout", _workload),
        )


def _weight(route: dict[str, Any]) -> int:
    backends = {b["name"]: b.get("weight", 1) for b in route["spec"]["rules"][0]["backendRefs"]}
    share: int = round(100 * backends.get("checkout-canary", 0) / max(1, sum(backends.values())))
    return share


def _told(rollout: dict[str, Any]) -> Told:
    status = rollout.get("status") or {}
    release, report = status.get("release") or {}, status.get("report") or {}
    verdict = release.get("verdictAt")
    return Told(
        status.get("phase") or "",
        bool(release.get("analysisSince")),
        epoch(verdict) if verdict else None,
        epoch(report["at"]) if report.get("verdict") == "fail" else None,
    )


def _workload(deployment: dict[str, Any]) -> Workload:
    return Workload(
        deployment["spec"]["template"]["spec"]["containers"][0]["image"],
        "canary.delivery/held" in (deployment["metadata"].get("annotations") or {}),
    )


@dataclass(frozen=True, slots=True)
class Rollback:
    """A bad version's end. Seconds since the epoch, unless said."""

    version: str
    verdict_at: float
    judged_at: float
    """The look that condemned."""
    zero_written_at: float
    zero_served_at: float
    """The last answer of the bad version."""
    confirmed_at: float
    """The operator saw weight 0 accepted by the gateway."""
    pushed_at: float
    applied_at: float
    """Flux wrote the old version."""
    converged_at: float
    """The Deployment says the old version and is not held."""
    raises: int
    """Weights above the one before, from the condemning look to the next version."""
    restarted: int
    """Pods of stable that are others, or whose containers restarted."""
    answers: int
    """Of the bad version."""


class Team:
    """A shop with its clients, which pushes one version after the other."""

    def __init__(self, lab: Lab, namespace: str, watching: Watching) -> None:
        self.shop = Shop(lab, App(namespace=namespace, steps=STEPS, bake="3s", template=TEMPLATE))
        self.watching = watching
        self.stable = "v1"
        self.count = 0
        self.load: Load | None = None

    @property
    def namespace(self) -> str:
        return self.shop.namespace

    def install(self) -> None:
        self.shop.install()
        self.shop.wait_for_phase("Stable", seconds=LIMIT_SECONDS)
        waiting.until(
            f"{self.namespace} has three pods",
            lambda: self.shop.deployment()["status"].get("readyReplicas") == 3,
            seconds=LIMIT_SECONDS,
        )

    @property
    def clients(self) -> Load:
        if self.load is None:
            raise LookupError(f"{self.namespace} has no clients")
        return self.load

    def promote(self) -> float:
        """Release a good version; give the seconds from the push to the end."""
        version, began, attempts = self._next("good"), time.time(), self.shop.attempts()
        self.shop.push(f"checkout {version}", version=version)
        self.shop.wait_for_release(f"shop/checkout:{version}", attempts=attempts, seconds=LIMIT_SECONDS * 2)
        outcome = self.shop.status()["history"][0]["outcome"]
        if outcome != "Promoted":
            raise AssertionError(f"{self.namespace}: {version} is {outcome}, not Promoted")
        self.stable = version
        return time.time() - began

    def roll_back(self, in_mid_step: Callable[[], None] | None = None) -> Rollback:
        """Push a bad version and read how it ended; `in_mid_step` is called as soon as it is judged."""
        version, shop, watching, name = self._next("bad"), self.shop, self.watching, self.namespace
        began, attempts = time.time(), shop.attempts()
        pods = {pod.uid: pod.restarts for pod in shop.pods()}
        shop.push(f"checkout {version}", version=version, error_ratio=BAD_RATIO)
        if in_mid_step:
            waiting.until(
                f"{version} of {name} to be judged",
                lambda: watching.statuses.first(name, began, lambda t: t.judging and not t.verdict_at),
                seconds=LIMIT_SECONDS,
                every_seconds=0.01,
            )
            in_mid_step()
        shop.app = replace(shop.app, version=self.stable, error_ratio=GOOD_RATIO)  # as the revert leaves Git
        shop.wait_for_release(f"shop/checkout:{self.stable}", attempts=attempts, seconds=LIMIT_SECONDS)
        after = {pod.uid: pod.restarts for pod in shop.pods()}
        time.sleep(0.5)  # the load writes its counts four times a second
        return self._read(version, began, sum(after.get(uid) != restarts for uid, restarts in pods.items()))

    def _read(self, version: str, began: float, restarted: int) -> Rollback:
        watching, name = self.watching, self.namespace
        told = [change.seen for change in watching.statuses.of(name, since=began)]
        verdict = next((t.verdict_at for t in told if t.verdict_at), None)
        if verdict is None:
            raise LookupError(f"{name}: no verdict on {version} was seen")
        seen = self.clients.counts().versions.get(version)
        if seen is None:
            raise LookupError(f"{name}: no answer of {version} was seen")
        judged = next((t.report_failed_at for t in told if t.report_failed_at and t.report_failed_at > began), verdict)
        weights = watching.weights.of(name, since=began)
        stable = f"shop/checkout:{self.stable}"

        def first(history: History[Any], what: str, since: float, wanted: Callable[[Any], bool]) -> float:
            at = history.first(name, since, wanted)
            if at is None:
                raise LookupError(f"{name}: {what} of {version} was not seen")
            return at

        bad_from = first(watching.workloads, "the arrival", began, lambda w: w.image == f"shop/checkout:{version}")
        applied = first(watching.workloads, "the old version", bad_from, lambda w: w.image == stable)
        later = [change.seen for change in weights if change.at >= judged]
        before = [change.seen for change in weights if change.at < judged]
        course = [*before[-1:], *later]
        return Rollback(
            version,
            verdict_at=verdict,
            judged_at=judged,
            zero_written_at=first(watching.weights, "weight 0", verdict, lambda weight: weight == 0),
            zero_served_at=seen["last"],
            confirmed_at=first(watching.statuses, "the revert", verdict, lambda t: t.phase == "Reverting"),
            pushed_at=pushed_at(self.shop),
            applied_at=applied,
            converged_at=first(watching.workloads, "the end", applied, lambda w: w.image == stable and not w.held),
            raises=sum(b > a for a, b in itertools.pairwise(course)),
            restarted=restarted,
            answers=seen["requests"],
        )

    def _next(self, kind: str) -> str:
        self.count += 1
        return f"{kind}-{self.count}"
