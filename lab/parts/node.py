"""The node: runs pods as processes of this machine, each bound to its pod's address."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from typing_extensions import override

from lab import binaries
from lab.namespace import POD_NETWORK
from lab.parts.part import Part

NAME: Final = "n1"
"""Of the Node."""
_PROJECT: Final = Path(__file__).resolve().parents[2]


class Node(Part):
    """The agent that stands in for a kubelet."""

    name = "node"

    @override
    def command(self) -> Sequence[str | Path]:
        return [
            sys.executable,
            "-m",
            "lab.node",
            f"--kubeconfig={self.lab.kubeconfig}",
            f"--state-dir={self.folder}",
            f"--node={NAME}",
            f"--pod-cidr={POD_NETWORK}",
            f"--bin-dir={binaries.find('app').parent}",
        ]

    @override
    def ready(self) -> object:
        """A node that says Ready. It must exist before the pods: the endpoints of earlier ones are never filled."""
        conditions = [
            condition
            for node in self.lab.api("GET", "/api/v1/nodes")["items"]
            for condition in node.get("status", {}).get("conditions", [])
        ]
        return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)

    @override
    def end(self) -> None:
        """End the agent, then the pods, which outlive their agent as under a kubelet."""
        super().end()
        sweep = [sys.executable, "-m", "lab.node", "--sweep", f"--state-dir={self.folder}"]
        subprocess.run(sweep, cwd=_PROJECT, capture_output=True, check=False, timeout=30)
