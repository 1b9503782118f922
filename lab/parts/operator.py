"""The operator, as a process with exactly the rights of its ServiceAccount."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml
from typing_extensions import override

from lab import binaries
from lab.namespace import SYSTEM_ADDRESS
from lab.parts import prometheus
from lab.parts.git import URL as GIT_URL
from lab.parts.part import Part, answers

if TYPE_CHECKING:
    from lab.cluster import Lab

NAMESPACE: Final = "canary-system"
SERVICE_ACCOUNT: Final = "canary"
PORT: Final = 8090
TICKS: Final[Mapping[str, object]] = {"tickSeconds": 2}
"""The lab scrapes every second; a look every other second sees what came."""
_PROJECT: Final = Path(__file__).resolve().parents[2]


class Operator(Part):
    """`canary run`. Not among the lab's groups: a test starts as many as it wants, with the configuration it wants."""

    name = "operator"

    def __init__(self, lab: Lab, settings: Mapping[str, object] = TICKS, *, name: str = "operator") -> None:
        self.name = name  # type: ignore[misc]  # a second replica beside the first is a part of another name
        self.settings = settings
        """Added to the configuration."""
        super().__init__(lab)

    @override
    def prepare(self) -> None:
        self.kubeconfig = self.lab.kubeconfig_for(SERVICE_ACCOUNT, NAMESPACE)
        for templates in (_PROJECT / "analysis", _PROJECT / "lab" / "shop"):
            self.lab.kubectl("apply", "--server-side", f"--filename={templates}")
        configuration = {
            "identity": "lab",
            "listen": f"{SYSTEM_ADDRESS}:{PORT}",
            "metrics": {"default": {"prometheus": {"url": prometheus.URL}}},
            "git": {
                "cache": str(self.folder / "git"),
                "kustomize": str(binaries.find("kustomize")),
                "bindings": [{"name": "lab", "namespaces": "*", "repositories": f"{GIT_URL}/"}],
            },
            **self.settings,
        }
        (self.folder / "config.yaml").write_text(yaml.safe_dump(configuration))

    @override
    def environment(self) -> dict[str, str]:
        return {"KUBECONFIG": str(self.kubeconfig), "PYTHONPATH": str(_PROJECT)}

    @override
    def command(self) -> Sequence[str | Path]:
        return [Path(sys.executable).with_name("canary"), "run", "--config", self.folder / "config.yaml"]

    @override
    def ready(self) -> object:
        return answers(f"http://{SYSTEM_ADDRESS}:{PORT}/readyz")
