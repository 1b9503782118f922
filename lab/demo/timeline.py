"""What happened when: read from the cluster, from Git and from the clients, a few times a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from lab.load import Counts, Load
from lab.shop.shop import Shop

EVERY_SECONDS = 0.1


def epoch(text: str) -> float:
    """Seconds since the epoch of a time in a status."""
    return datetime.fromisoformat(text).timestamp()


@dataclass(slots=True)
class Look:
    """One moment."""

    at: float
    status: dict[str, Any]
    weight: int | None
    """The canary's share in the route; None when the route is as Git has it."""
    image: str
    held: bool
    head: str
    """The newest commit on the server."""
    counts: Counts

    @property
    def phase(self) -> str:
        """The phase with the step or stage."""
        status = self.status
        phase = str(status.get("phase") or "")
        if phase == "Step":
            return f"Step {int(status.get('step') or 0) + 1}/{status.get('steps')}"
        return f"{phase}: {status['promotion']}" if status.get("promotion") else phase


@dataclass(slots=True)
class Timeline:
    """A thread that looks; the newest look and what changed are there to be read."""

    shop: Shop
    clients: Load
    on_look: Callable[[Look], None] = lambda _: None
    weights: list[int] = field(default_factory=list)
    """Each share in percent that the canary had, in order; 0 is the route without a canary."""
    converged: dict[str, float] = field(default_factory=dict)
    """When the Deployment last came to say an image without being held, by image."""
    verdict_at: float | None = None
    latest: Look | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._note(self._look())  # the last change may have come after the thread's last look

    def _run(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            try:
                self._note(self._look())
            except Exception as error:  # a look that fails is followed by another; what matters is waited for elsewhere
                self.last_error = error

    last_error: Exception | None = None

    def _look(self) -> Look:
        deployment = self.shop.deployment()
        annotations = deployment["metadata"].get("annotations") or {}
        return Look(
            at=time.time(),
            status=self.shop.status(),
            weight=self.shop.weight(),
            image=deployment["spec"]["template"]["spec"]["containers"][0]["image"],
            held="canary.delivery/held" in annotations,
            head=self.shop.repository.head(),
            counts=self.clients.counts(),
        )

    def _note(self, look: Look) -> None:
        weight = look.weight or 0
        if not self.weights or self.weights[-1] != weight:
            self.weights.append(weight)
        before = self.latest
        if not look.held and (before is None or before.held or before.image != look.image):
            self.converged[look.image] = look.at
        verdict = (look.status.get("release") or {}).get("verdictAt")
        if verdict:
            self.verdict_at = epoch(verdict)
        self.latest = look
        self.on_look(look)


def pushed_at(shop: Shop) -> float:
    """When the server's `main` last moved, by the server's own file."""
    return (shop.repository.bare / "refs" / "heads" / "main").stat().st_mtime
