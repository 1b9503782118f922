"""How an engine is asked to sync now, as a merge patch on one object: the revert should not wait for a poll."""

from __future__ import annotations

from dataclasses import dataclass

from canary.git.provenance import Engine, Provenance


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """A merge patch of one annotation."""

    api_version: str
    kind: str
    namespace: str
    name: str
    annotation: str
    value: str

    @property
    def patch(self) -> dict[str, dict[str, dict[str, str]]]:
        """The body, for `application/merge-patch+json`."""
        return {"metadata": {"annotations": {self.annotation: self.value}}}


def sync_request(provenance: Provenance, token: str) -> SyncRequest:
    """Return what to patch so that the engine looks at Git at once.

    `token` must differ from the last one; the revert's SHA makes asking twice for one commit harmless. Flux's new
    artifact wakes the Kustomization by itself (0.35 s from push to applied). Of Argo CD never the `operation` field:
    it forgets the sync options.
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
        "argoproj.io/v1alpha1", source.kind, source.namespace, source.name, "argocd.argoproj.io/refresh", "normal"
    )
