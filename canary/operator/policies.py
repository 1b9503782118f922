"""Whether the API server holds Deployments: tried, not assumed.

The policy's binding says that it is installed. Whether it acts is another thing: some seconds pass after an
installation, and nobody knows what else is wrong with it. So a change of a labelled Deployment's template is sent as a
dry run, which stores nothing and needs no right that the operator does not have: if it does not come back held, the
policies do not act.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from canary.api.names import ANNOTATION_HELD, GROUP, LABEL_ROLLOUT
from canary.api.patch import annotations_of, labels_of
from canary.errors import CanaryError
from canary.operator import kinds
from canary.operator.cache import Cache, name_of
from canary.operator.client import Api
from canary.operator.clock import Clock
from canary.operator.config import Policies
from canary.operator.kinds import Kind, Obj

AGAIN_SECONDS: Final = 1.0
LATER_SECONDS: Final = 30.0
SOON: Final = 60
"""While the policy is installed and does not act it is tried again: so many times soon, then later."""
PROBE: Final[Obj] = {
    "metadata": {"annotations": {ANNOTATION_HELD: None}},
    "spec": {"paused": None, "template": {"metadata": {"annotations": {f"{GROUP}/probe": "dry run"}}}},
}
"""What nobody may do, the operator neither: bring a template, and take the hold off in the same write. Held or not, a
Deployment comes back held, if the policy acts."""
_log = structlog.get_logger(__name__)


class Holding:
    """What the operator believes of the policies, and what it tries to find out."""

    def __init__(
        self, *, api: Api, cache: Cache, clock: Clock, chosen: Policies, tell: Callable[[bool], object]
    ) -> None:
        self._api = api
        self._cache = cache
        self._clock = clock
        self._chosen = chosen
        self._tell = tell
        self._again = asyncio.Event()
        self._acts: bool | None = None
        """What the last try showed since the binding changed; None before the first that could be made."""
        self._in_force: bool | None = None

    def seen(self, kind: Kind, obj: Obj) -> None:
        """Take note of a change: of the policy's binding, or of the first Deployment that it can be tried on."""
        if kind is kinds.POLICY_BINDING:
            self._acts = None
            self._again.set()
        elif kind is kinds.DEPLOYMENT and not self._acts and LABEL_ROLLOUT in labels_of(obj):
            self._again.set()

    async def run(self) -> None:
        """Look whenever something changed, and again and again while what is installed does not act."""
        unproven = 0
        while True:
            if not (self._installed and self._in_force is False):
                await self._again.wait()
            await self.look()
            unproven = unproven + 1 if self._installed and not self._acts else 0
            if unproven:
                await self._clock.sleep(AGAIN_SECONDS if unproven <= SOON else LATER_SECONDS)

    async def look(self) -> None:
        """Find out, and tell if it is not as it was."""
        self._again.clear()
        before, self._in_force = self._in_force, await self._find_out()
        if self._in_force != before:
            _log.info("policies", in_force=self._in_force, installed=self._installed, tried=self._acts)
            self._tell(self._in_force)

    @property
    def _installed(self) -> bool:
        return self._chosen is Policies.AUTO and bool(self._cache.all(kinds.POLICY_BINDING))

    async def _find_out(self) -> bool:
        if self._chosen is not Policies.AUTO:
            return self._chosen is Policies.ON
        if self._installed:
            await self._try()
        return self._installed and self._acts is not False

    async def _try(self) -> None:
        """Try it, if there is anything to try it on; what cannot be tried says nothing new."""
        deployment = next(filter(_is_labelled, self._cache.all(kinds.DEPLOYMENT)), None)
        if deployment is None:
            return
        try:
            answer = await self._api.patch(
                kinds.DEPLOYMENT, *name_of(deployment), PROBE, manager="canary-probe", dry_run=True
            )
        except CanaryError as error:  # gone, or refused by a webhook that knows no dry run
            _log.info("policies not tried", error=str(error))
            return
        self._acts = bool(answer["spec"].get("paused")) and ANNOTATION_HELD in annotations_of(answer)


def _is_labelled(deployment: Obj) -> bool:
    return LABEL_ROLLOUT in labels_of(deployment) and not deployment["metadata"].get("deletionTimestamp")
