"""The store of the API server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from typing_extensions import override

from lab import binaries
from lab.parts.part import Part, answers

CLIENT_URL: Final = "http://127.0.0.1:2379"
_PEER_URL: Final = "http://127.0.0.1:2380"


class Etcd(Part):
    """etcd, one member. It must be the first to start and the last to stop."""

    name = "etcd"

    @override
    def command(self) -> Sequence[str | Path]:
        return [
            binaries.find("etcd"),
            "--name=lab",
            f"--data-dir={self.folder}/data",
            f"--listen-client-urls={CLIENT_URL}",
            f"--advertise-client-urls={CLIENT_URL}",
            f"--listen-peer-urls={_PEER_URL}",
            f"--initial-advertise-peer-urls={_PEER_URL}",
            f"--initial-cluster=lab={_PEER_URL}",
            "--unsafe-no-fsync",  # a lab's data need not survive the machine
            "--log-level=warn",
        ]

    @override
    def ready(self) -> object:
        return answers(f"{CLIENT_URL}/health")
