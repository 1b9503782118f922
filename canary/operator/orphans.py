"""Deployments that carry our label and that no Rollout asks for: each new version is held, and nobody releases it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from canary.api.names import BREAK_GLASS_GROUP, LABEL_ROLLOUT, LABEL_TRACK
from canary.api.patch import labels_of
from canary.operator import events, kinds
from canary.operator.cache import Cache, Name, name_of
from canary.operator.client import Api
from canary.operator.clock import Clock
from canary.operator.kinds import Obj
from canary.operator.telemetry import Telemetry

REASON: Final = "LabelledWithoutRollout"
LOOK_SECONDS: Final = 5.0
GRACE_SECONDS: Final = 20.0
"""A GitOps engine applies the Deployment before the Rollout, seconds apart."""
_log = structlog.get_logger(__name__)


class Orphans:
    """Tells of each once: an Event on the Deployment, and a metric for as long as it lasts."""

    def __init__(
        self, *, api: Api, cache: Cache, clock: Clock, telemetry: Telemetry, leads: Callable[[], bool]
    ) -> None:
        self._api = api
        self._cache = cache
        self._clock = clock
        self._telemetry = telemetry
        self._leads = leads
        self._labelled: set[Name] = set()
        self._since: dict[Name, float] = {}
        self._told: set[Name] = set()

    def seen(self, deployment: Obj) -> None:
        """Take note of a Deployment that changed: only labelled ones are ever looked at."""
        labels = labels_of(deployment)
        if LABEL_ROLLOUT in labels and LABEL_TRACK not in labels:
            self._labelled.add(name_of(deployment))

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            if self._leads():
                await self.look()
            else:
                self._forget(set())

    async def look(self) -> None:
        """Look at every labelled Deployment, in the caches only."""
        now, orphans = self._clock.monotonic(), set()
        for key in list(self._labelled):
            deployment = self._cache.get(kinds.DEPLOYMENT, *key)
            rollout = labels_of(deployment).get(LABEL_ROLLOUT) if deployment else None
            if deployment is None or rollout is None:
                self._labelled.discard(key)
            elif not self._asked_for(key, rollout):
                orphans.add(key)
                since = self._since.setdefault(key, now)
                if key not in self._told and now - since >= GRACE_SECONDS:
                    await self._tell(key, deployment, rollout)
        self._forget(orphans)

    def _asked_for(self, key: Name, name: str) -> bool:
        rollout = self._cache.get(kinds.ROLLOUT, key[0], name)
        return rollout is not None and rollout.get("spec", {}).get("workload", {}).get("name") == key[1]

    async def _tell(self, key: Name, deployment: Obj, rollout: str) -> None:
        self._told.add(key)
        self._telemetry.orphans.labels(*key).set(1)
        held = " It is held now." if deployment["spec"].get("paused") else ""
        message = (
            f"It has the label {LABEL_ROLLOUT}={rollout}, and no Rollout {rollout!r} of this namespace names it: every "
            f"new version of it is held, and nobody releases it.{held} Apply the Rollout; or take the label off, as a "
            f"member of {BREAK_GLASS_GROUP}."
        )
        _log.warning("labelled without a Rollout", deployment="/".join(key), rollout=rollout)
        await events.emit(self._api, deployment, REASON, message, warning=True, now=self._clock.now())

    def _forget(self, orphans: set[Name]) -> None:
        """Drop what is not one any more."""
        for key in self._since.keys() - orphans:
            del self._since[key]
        for key in self._told - orphans:
            self._telemetry.orphans.remove(*key)
        self._told &= orphans
