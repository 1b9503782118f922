"""The operator, as a process with exactly the rights of its ServiceAccount."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml
from typing_extensions import override

from lab import binaries
from lab.audit import token_of
from lab.mortal import Orders
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

    def __init__(
        self,
        lab: Lab,
        settings: Mapping[str, object] = TICKS,
        *,
        name: str = "operator",
        port: int = PORT,
        mortal: bool = False,
    ) -> None:
        self.name = name  # type: ignore[misc]  # a second replica beside the first is a part of another name
        self.settings = settings
        """Added to the configuration."""
        self.port = port
        """Of its own pages."""
        super().__init__(lab)
        self.orders = Orders(self.folder / "orders") if mortal else None
        """Where a mortal one reads when it is to die."""

    @override
    def prepare(self) -> None:
        self.kubeconfig = self.lab.kubeconfig_for(SERVICE_ACCOUNT, NAMESPACE, file=self.folder / "kubeconfig")
        for templates in (_PROJECT / "analysis", _PROJECT / "lab" / "shop"):
            self.lab.kubectl("apply", "--server-side", f"--filename={templates}")
        configuration = {
            "identity": "lab",
            "listen": f"{SYSTEM_ADDRESS}:{self.port}",
            "metrics": {"default": {"prometheus": {"url": prometheus.URL}}},
            "git": {
                "cache": str(self.folder / "git"),
                "kustomize": str(binaries.find("kustomize")),
                "bindings": [{"name": "lab", "namespaces": "*", "repositories": f"{GIT_URL}/"}],
            },
            **self.settings,
        }
        (self.folder / "config.yaml").write_text(yaml.safe_dump(configuration))

    @property
    def token(self) -> str:
        """The id by which the API server's audit knows it."""
        return token_of(self.kubeconfig)

    @override
    def environment(self) -> dict[str, str]:
        return {"KUBECONFIG": str(self.kubeconfig), "PYTHONPATH": str(_PROJECT)}

    @override
    def command(self) -> Sequence[str | Path]:
        program: list[str | Path] = [Path(sys.executable).with_name("canary")]
        if self.orders is not None:
            program = [sys.executable, "-m", "lab.mortal", self.orders.file]
        return [*program, "run", "--config", self.folder / "config.yaml"]

    @override
    def ready(self) -> object:
        return answers(f"http://{SYSTEM_ADDRESS}:{self.port}/readyz")
