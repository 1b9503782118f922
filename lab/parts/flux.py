"""Flux: source-controller fetches from Git, kustomize-controller applies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from typing_extensions import override

from lab import binaries
from lab.parts.part import Part, answers

NAMESPACE: Final = "flux-system"
_STORAGE: Final = "127.0.0.1:9790"


class _Controller(Part):
    metrics_port: int
    health_port: int

    @override
    def environment(self) -> dict[str, str]:
        # TUF_ROOT: it would write below the real home otherwise.
        return {
            "KUBECONFIG": str(self.lab.kubeconfig),
            "RUNTIME_NAMESPACE": NAMESPACE,
            "TUF_ROOT": f"{self.folder}/tuf",
            "TMPDIR": str(self._temporary),
        }

    @property
    def _temporary(self) -> Path:
        folder = self.folder / "tmp"
        folder.mkdir(exist_ok=True)
        return folder

    @override
    def command(self) -> Sequence[str | Path]:
        return [
            binaries.find(self.name),
            "--enable-leader-election=false",
            "--events-addr=",
            f"--metrics-addr=127.0.0.1:{self.metrics_port}",
            f"--health-addr=127.0.0.1:{self.health_port}",
            "--log-level=info",
            *self.arguments(),
        ]

    def arguments(self) -> Sequence[str]:
        return []

    @override
    def ready(self) -> object:
        return answers(f"http://127.0.0.1:{self.health_port}/readyz")


class SourceController(_Controller):
    """Fetches repositories and serves what it fetched."""

    name = "source-controller"
    metrics_port = 9780
    health_port = 9781

    @override
    def arguments(self) -> Sequence[str]:
        storage = self.folder / "storage"
        storage.mkdir(exist_ok=True)
        return [f"--storage-path={storage}", f"--storage-addr={_STORAGE}", f"--storage-adv-addr={_STORAGE}"]


class KustomizeController(_Controller):
    """Builds and applies what was fetched."""

    name = "kustomize-controller"
    metrics_port = 9782
    health_port = 9783
