"""Releases one after the other in one shop, under load, each seen to its right end: what faults are injected into."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lab import waiting
from lab.invariants import Trial
from lab.load import Counts
from lab.observer import Observer
from lab.shop.shop import Shop

GOOD_RATIO: Final = 0.01
BAD_RATIO: Final = 0.7
"""Of the answers of a bad version: found by the first fair look at it, whatever else is broken."""
KILL_SECONDS: Final = 2.0
"""Until the gateway knows that a pod is gone, and what was on its way to it has failed."""
POLL_SECONDS: Final = 0.25


class WrongEnd(AssertionError):
    """A release ended otherwise than it has to."""


@dataclass(slots=True)
class PodKill:
    """A pod that a test killed: requests die with it, whoever releases."""

    namespace: str
    at: float
    """Seconds since the epoch."""
    made_up_at: float | None = None
    """Since when nobody is sent to it. None: not yet."""

    def killed(self, at: float) -> bool:
        """Whether a request that failed then died with the pod."""
        end = math.inf if self.made_up_at is None else self.made_up_at
        return self.at - 0.1 <= at <= end + KILL_SECONDS


def failed(namespace: str, counts: Counts, kills: Sequence[PodKill] = ()) -> tuple[list[str], int]:
    """Give the failed requests that nobody injected, in words, and how many died with a pod that a test killed."""
    killed = [kill for kill in kills if kill.namespace == namespace]
    with_pod = [f for f in counts.failures if any(kill.killed(f["time"]) for kill in killed)]
    ours = [f"{namespace} at {f['time']:.2f}: {f['kind']} {f.get('version', '')}" for f in counts.failures]
    left = [text for text, failure in zip(ours, counts.failures, strict=True) if failure not in with_pod]
    untold = counts.failed - len(counts.failures)  # only the first hundred are told one by one
    return left + [f"{namespace}: one of {untold} more"] * untold, len(with_pod)


class Trials:
    """One shop whose team pushes good and bad versions."""

    def __init__(self, shop: Shop, observer: Observer, *, seconds: float = 240) -> None:
        self.shop = shop
        self._observer = observer
        self._seconds = seconds
        self._stable = shop.app.version
        self._count = 0
        self.judged = 0
        """Releases that came to their right end."""

    def promote(self) -> None:
        """Push a good version and see it promoted. Raises WrongEnd, or waiting.NotInTime."""
        commit, version = self._push("good", GOOD_RATIO)
        self._settle(version)
        self._check("Promoted", version)
        if self._reverts(commit):
            raise WrongEnd(f"{self.shop.namespace}: the good commit {commit} was reverted")
        self._stable = version
        self.judged += 1

    def roll_back(self) -> None:
        """Push a bad version and see it rolled back and its commit reverted, once. Raises as `promote`."""
        pods = self._pods()
        commit, version = self._push("bad", BAD_RATIO)
        self._wait(f"the revert of {version}", lambda: self._reverts(commit))
        self.shop.app = replace(self.shop.app, version=self._stable, error_ratio=GOOD_RATIO)  # as it leaves Git
        self._settle(self._stable)
        self._check("RolledBack", version)
        if len(self._reverts(commit)) != 1:
            raise WrongEnd(f"{self.shop.namespace}: {commit} was reverted by {self._reverts(commit)}")
        if self.shop.repository.log("-1", "--format=%H") != self._reverts(commit)[0]:
            raise WrongEnd(f"{self.shop.namespace}: something came after the revert of {commit}")
        if gone := pods - self._pods():
            raise WrongEnd(f"{self.shop.namespace}: {len(gone)} pods of {self._stable} were replaced")
        self.judged += 1

    def _push(self, kind: str, error_ratio: float) -> tuple[str, str]:
        self._count += 1
        version = f"{kind}-{self._count}"
        self._observer.expect(
            self.shop.namespace,
            Trial(self._stable, version, good=kind == "good", replicas=self.shop.app.replicas),
        )
        return self.shop.push(f"checkout {version}", version=version, error_ratio=error_ratio), version

    def _settle(self, version: str) -> None:
        def settled() -> bool:
            status = self.shop.status()
            return (
                status.get("phase") == "Stable"
                and not status.get("release")
                and self.shop.image().endswith(f":{version}")
                and not self.shop.held()
                and self.shop.weight() is None
                and not self.shop.pods(canary=True)
            )

        self._wait(f"{version} to be stable", settled)

    def _check(self, outcome: str, version: str) -> None:
        past = self._wait("its history", lambda: self.shop.status().get("history"))[0]
        if past.get("outcome") != outcome or not past["images"][0].endswith(f":{version}"):
            raise WrongEnd(f"{self.shop.namespace}: {version} is not {outcome}: {past}")

    def _reverts(self, commit: str) -> list[str]:
        """Commits that say that they revert this one."""
        found = re.findall(
            r"^(\w{40})\n(?:(?!^\w{40}$).*\n)*?Rollout-Reverts: " + commit,
            self.shop.repository.log("--format=%H%n%(trailers:key=Rollout-Reverts)"),
            flags=re.MULTILINE,
        )
        return [str(revert) for revert in found]

    def _pods(self) -> set[str]:
        found: set[str] = self._wait("its pods", lambda: {pod.uid for pod in self.shop.pods()})
        return found

    def _wait(self, what: str, look: Callable[[], Any]) -> Any:
        """Look until there is something, also while the API server does not answer."""
        return waiting.until(
            f"{self.shop.namespace}: {what}",
            look,
            seconds=self._seconds,
            every_seconds=POLL_SECONDS,
            context=self._context,
        )

    def _context(self) -> str:
        try:
            return str(self.shop.status())
        except OSError as error:
            return str(error)
