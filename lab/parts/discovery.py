"""The pods as targets for Prometheus."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from typing_extensions import override

from lab.parts.part import Part


class Discovery(Part):
    """Writes the file that Prometheus reads."""

    name = "discovery"

    @property
    def output(self) -> Path:
        return self.folder / "pods.json"

    @override
    def command(self) -> Sequence[str | Path]:
        return [sys.executable, "-m", "lab.discovery", f"--kubeconfig={self.lab.kubeconfig}", f"--output={self.output}"]

    @override
    def ready(self) -> object:
        return self.output.exists()
