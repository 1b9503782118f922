"""kube-proxy: Services are reached by their cluster address, with the rules that a real node has."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from typing_extensions import override

from lab import binaries
from lab.namespace import POD_NETWORK
from lab.parts.node import NAME as NODE_NAME
from lab.parts.part import Part, answers

_HEALTH: Final = "127.0.0.1:10256"


class KubeProxy(Part):
    """The real one, in nftables mode; how often it writes its rules is left as it is in clusters."""

    name = "kube-proxy"

    @override
    def command(self) -> Sequence[str | Path]:
        return [
            binaries.find("kube-proxy"),
            "--proxy-mode=nftables",
            f"--kubeconfig={self.lab.kubeconfig}",
            f"--hostname-override={NODE_NAME}",
            f"--cluster-cidr={POD_NETWORK}",
            f"--healthz-bind-address={_HEALTH}",
            "--metrics-bind-address=127.0.0.1:10249",
            # 0 leaves the kernel's own limits: those are the machine's, and a namespace may not set them.
            *(f"--conntrack-{limit}=0" for limit in ("max-per-core", "min")),
            *(f"--conntrack-tcp-timeout-{state}=0" for state in ("established", "close-wait")),
        ]

    @override
    def environment(self) -> dict[str, str]:
        return {"PATH": f"{binaries.find('nft').parent}:{os.environ['PATH']}"}

    @override
    def ready(self) -> object:
        return answers(f"http://{_HEALTH}/healthz")
