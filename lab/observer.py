"""An observer of releases that knows nothing of the operator: it samples what the API server and the clients tell, some
times a second, and judges each sample by the rules of `lab.invariants`.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Final, Self

from lab.cluster import ApiRefused, Lab
from lab.invariants import RULES, Answers, Sample, Trial, Violation
from lab.load import Load

EVERY_SECONDS: Final = 0.25


class Observer:
    """Watches shops in a thread of its own while `with` lasts."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._trials: dict[str, Trial] = {}
        self._loads: dict[str, Load] = {}
        self._inside: dict[str, Load] = {}
        self._last: dict[str, Sample] = {}
        self._answers: dict[str, Answers] = {}
        self._late_until = float("-inf")
        self._late = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self.samples = 0
        self.violations: list[Violation] = []
        self.trouble: Exception | None = None
        """What ended it before its time."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if self.trouble is not None and error is None:
            raise self.trouble

    def expect(self, namespace: str, trial: Trial) -> None:
        """Say what is tried in this namespace from now on: before it is pushed."""
        with self._lock:
            self._trials[namespace] = trial

    def listen(self, namespace: str, load: Load, *, inside: bool = False) -> None:
        """Count what these clients get in this namespace; `inside`, they are clients of the root Service."""
        with self._lock:
            (self._inside if inside else self._loads)[namespace] = load

    @contextlib.contextmanager
    def gateway_late(self, after_seconds: float) -> Iterator[None]:
        """Inside the block, and so long after it, the gateway may not hear of weights: its controller is down."""
        with self._lock:
            self._late += 1
        try:
            yield
        finally:
            with self._lock:
                self._late -= 1
                self._late_until = max(self._late_until, time.time() + after_seconds)

    @property
    def gateway_is_late(self) -> bool:
        """Whether the gateway may not have heard of what changed."""
        with self._lock:
            return self._late > 0 or time.time() < self._late_until

    def _run(self) -> None:
        while not self._over.wait(EVERY_SECONDS):
            try:
                self._look()
            except (OSError, http.client.HTTPException, ApiRefused):
                continue  # the API server is what is broken just now
            except Exception as error:  # told at the end; without a word the run would count as unviolated
                self.trouble = error
                return

    def _look(self) -> None:
        with self._lock:
            trials, loads, inside = dict(self._trials), dict(self._loads), dict(self._inside)
        at = time.time()
        seen = _Listed.of(self._lab)
        late = self.gateway_is_late
        for namespace, trial in trials.items():
            sample = seen.sample(namespace, at, trial)
            if sample is None or self._trials[namespace] != trial:
                continue
            sample = replace(sample, answers=_answers(loads.get(namespace)), inside=_answers(inside.get(namespace)))
            self.samples += 1
            self._judge(namespace, sample, late=late)

    def _judge(self, namespace: str, now: Sample, *, late: bool) -> None:
        before = self._last.get(namespace)
        self._last[namespace] = now
        if before is None or before.trial != now.trial:
            self._answers[namespace] = Answers(now.at, now.answers.get(now.trial.candidate, 0))
            return
        found = {rule.__name__: rule(before, now) for rule in RULES}
        found["no_answer_at_weight_0"] = self._answers[namespace].look(now, late=late)
        self.violations += [Violation(namespace, rule, now.at, text) for rule, text in found.items() if text]


@dataclass(frozen=True, slots=True)
class _Listed:
    """One round of questions; the Rollouts are asked for first, what follows from them later."""

    rollouts: list[dict[str, Any]]
    routes: list[dict[str, Any]]
    replica_sets: list[dict[str, Any]]
    pods: list[dict[str, Any]]
    slices: list[dict[str, Any]]

    @classmethod
    def of(cls, lab: Lab) -> Self:
        paths = (
            "/apis/canary.delivery/v1alpha1/rollouts",
            "/apis/gateway.networking.k8s.io/v1/httproutes",
            "/apis/apps/v1/replicasets",
            "/api/v1/pods",
            "/apis/discovery.k8s.io/v1/endpointslices?labelSelector=kubernetes.io/service-name=checkout",
        )
        return cls(*(lab.api("GET", path)["items"] for path in paths))

    def sample(self, namespace: str, at: float, trial: Trial) -> Sample | None:
        """One shop; None while it has no Rollout."""
        rollout = next((item for item in self._in(namespace, self.rollouts)), None)
        if rollout is None:
            return None
        status = rollout.get("status") or {}
        route = next((item for item in self._in(namespace, self.routes)), None)
        canary = {pod["metadata"]["name"] for pod in self._in(namespace, self.pods) if _track(pod)}
        ready = [
            endpoint
            for item in self._in(namespace, self.slices)
            for endpoint in item.get("endpoints") or ()
            if endpoint.get("conditions", {}).get("ready")
        ]
        return Sample(
            at,
            trial,
            phase=status.get("phase") or "",
            stage=status.get("promotion") or "",
            attempts=int(status.get("attempts") or 0),
            weight=None if route is None else _weight(route),
            replica_sets=_sum(
                (_version(rs["spec"]["template"]), int(rs["spec"]["replicas"]))
                for rs in self._in(namespace, self.replica_sets)
                if not _track(rs)
            ),
            pods=_sum(
                (_version(pod), 1)
                for pod in self._in(namespace, self.pods)
                if not _track(pod) and "deletionTimestamp" not in pod["metadata"]
            ),
            endpoints=len(ready),
            canary_endpoints=sum(endpoint.get("targetRef", {}).get("name") in canary for endpoint in ready),
        )

    @staticmethod
    def _in(namespace: str, items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        return (item for item in items if item["metadata"]["namespace"] == namespace)


def _answers(load: Load | None) -> dict[str, int]:
    if load is None:
        return {}
    counts = load.counts()
    return {version: counts.of(version) for version in counts.versions}


def _track(obj: dict[str, Any]) -> bool:
    return "canary.delivery/track" in (obj["metadata"].get("labels") or {})


def _version(pod: dict[str, Any]) -> str:
    return str(pod["spec"]["containers"][0]["image"]).rpartition(":")[2]


def _weight(route: dict[str, Any]) -> int | None:
    backends = {b["name"]: b.get("weight", 1) for b in route["spec"]["rules"][0]["backendRefs"]}
    if "checkout-canary" not in backends:
        return None
    share: int = round(100 * backends["checkout-canary"] / max(1, sum(backends.values())))
    return share


def _sum(counted: Iterable[tuple[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for name, number in counted:
        total[name] = total.get(name, 0) + number
    return total
