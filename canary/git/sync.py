"""How an engine is asked to sync now, as a merge patch on one object: the revert should not wait for a poll."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from canary.git.provenance import Engine, Provenance


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """A merge patch of one annotation; for an operation that is to be ended, of its phase too."""

    api_version: str
    kind: str
    namespace: str
    name: str
    annotation: str
    value: str
    ends: str = ""
    """The resourceVersion at which an operation is to be ended; empty to end none."""

    @property
    def patch(self) -> dict[str, Any]:
        """The body, for `application/merge-patch+json`."""
        annotated: dict[str, Any] = {"annotations": {self.annotation: self.value}}
        if not self.ends:
            return {"metadata": annotated}
        ended = {"operationState": {"phase": "Terminating"}}
        return {"metadata": {**annotated, "resourceVersion": self.ends}, "status": ended}


def sync_request(provenance: Provenance, token: str, *, ends: str = "") -> SyncRequest:
    """Return what to patch so that the engine looks at Git at once.

    `token` must differ from the last one; the revert's SHA makes asking twice for one commit harmless. Flux's new
    artifact wakes the Kustomization by itself (0.35 s from push to applied). Of Argo CD never the `operation` field:
    it forgets the sync options.

    `ends` is the resourceVersion of an Application whose operation is to be ended, because it keeps at an older commit
    (0.2 s from there to the newer one being applied); empty to end none. An operation that began since is not met.
    """
    source = provenance.source
    if provenance.engine is Engine.FLUX:
        return SyncRequest(
            "source.toolkit.fluxcd.io/v1",
            source.kind,
            source.namespace,
            source.name,
            "reconcile.fluxcd.io/requestedAt",
            token,
        )
    return SyncRequest(
        "argoproj.io/v1alpha1",
        source.kind,
        source.namespace,
        source.name,
        "argocd.argoproj.io/refresh",
        "normal",
        ends,
    )
