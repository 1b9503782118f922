"""The gateway: Contour programs Envoy from Gateway API objects (and HTTPProxy)."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from lab import binaries, waiting
from lab.namespace import SYSTEM_ADDRESS
from lab.parts.part import Part, answers, listens

if TYPE_CHECKING:
    from lab.cluster import Lab

NAMESPACE: Final = "gateway-system"
GATEWAY: Final = "gw"
LISTENER: Final = "http"
GATEWAY_PORT: Final = 80
ENVOY_PORT: Final = GATEWAY_PORT + 8000  # Contour's rule for ports below 1024
ADMIN_PORT: Final = 9901
STATS_PORT: Final = 8002
_XDS_PORT: Final = 8001

_GATEWAY: Final = f"""
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{name: lab}}
spec: {{controllerName: projectcontour.io/gateway-controller}}
---
apiVersion: v1
kind: Namespace
metadata: {{name: {NAMESPACE}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: {GATEWAY}, namespace: {NAMESPACE}}}
spec:
  gatewayClassName: lab
  listeners:
  - {{name: {LISTENER}, protocol: HTTP, port: {GATEWAY_PORT}, allowedRoutes: {{namespaces: {{from: All}}}}}}
"""


class Contour(Part):
    """The control plane. It watches the API and serves Envoy its configuration."""

    name = "contour"

    @override
    def prepare(self) -> None:
        self.lab.apply(_GATEWAY)
        text = f"gateway: {{gatewayRef: {{name: {GATEWAY}, namespace: {NAMESPACE}}}}}\n"
        (self.folder / "contour.yaml").write_text(text)

    @override
    def command(self) -> Sequence[str | Path]:
        return [
            binaries.find("contour"),
            "serve",
            f"--kubeconfig={self.lab.kubeconfig}",
            "--no-incluster",
            "--insecure",
            "--xds-address=127.0.0.1",
            f"--xds-port={_XDS_PORT}",
            "--http-address=127.0.0.1",
            "--http-port=8010",
            "--health-address=127.0.0.1",
            "--health-port=8011",
            "--debug-http-address=127.0.0.1",
            "--debug-http-port=6060",
            "--stats-address=127.0.0.1",
            f"--stats-port={STATS_PORT}",
            f"--envoy-service-http-address={SYSTEM_ADDRESS}",
            "--disable-leader-election",
            # Gateway API 1.6 no longer serves the versions of these kinds that Contour 1.33 asks for; it would exit.
            "--disable-feature=tlsroutes",
            "--disable-feature=tcproutes",
            "--disable-feature=backendtlspolicies",
            "-c",
            self.folder / "contour.yaml",
        ]

    @override
    def ready(self) -> object:
        gateway = self.lab.get("gateway.networking.k8s.io/v1", "gateways", GATEWAY, NAMESPACE)
        conditions = gateway.get("status", {}).get("conditions", [])
        return any(item["type"] == "Accepted" and item["status"] == "True" for item in conditions) and listens(
            "127.0.0.1", _XDS_PORT
        )


class Envoy(Part):
    """The data plane. It is to start after Contour: it tries again only after up to 30 s.

    A second one shares the address of the first (SO_REUSEPORT), as behind a load balancer: the kernel gives each new
    connection to either, and to the other when one no longer listens.
    """

    name = "envoy"

    def __init__(self, lab: Lab, *, number: int = 1) -> None:
        if number > 1:
            self.name = f"envoy-{number}"  # type: ignore[misc]  # parts are told apart by their names
        self._number = number
        self.admin_port = ADMIN_PORT + number - 1
        super().__init__(lab)

    @override
    def prepare(self) -> None:
        file = self.folder / "envoy.json"
        bootstrap: list[str | Path] = [binaries.find("contour"), "bootstrap", file, "--xds-address=127.0.0.1"]
        bootstrap += [f"--xds-port={_XDS_PORT}", f"--admin-address={self.folder}/admin.sock"]
        bootstrap += [f"--namespace={NAMESPACE}", "--dns-lookup-family=v4"]
        subprocess.run(bootstrap, check=True, capture_output=True)
        # The admin page moves from a socket in the file system, whose path may be too long, to a port: in the page's
        # own address and in the cluster by which the listener of the stats reaches it.
        port = f'{{"socket_address": {{"address": "127.0.0.1", "port_value": {self.admin_port}}}}}'
        configuration = json.loads(re.sub(r'\{\s*"pipe":\s*\{[^{}]*admin\.sock[^{}]*\}\s*\}', port, file.read_text()))
        # Histograms are merged at each flush; the default of 5 s would blur a scrape of 1 s.
        configuration["stats_flush_interval"] = "1s"
        file.write_text(json.dumps(configuration))
        _keep_waiting_connections()

    @override
    def command(self) -> Sequence[str | Path]:
        return [
            binaries.find("envoy"),
            "-c",
            self.folder / "envoy.json",
            "--service-cluster",
            NAMESPACE,
            "--service-node",
            f"lab-{self._number}",
            "--concurrency",
            "1",
            "--disable-hot-restart",  # no shared memory, so that two labs do not meet
            "--log-level",
            "warning",
        ]

    @override
    def ready(self) -> object:
        """Its admin page answers; the listener comes with the first route."""
        return answers(f"http://127.0.0.1:{self.admin_port}/ready")

    def serves(self) -> bool:
        """Whether it has its routes and listens for clients."""
        return f"{SYSTEM_ADDRESS}:{ENVOY_PORT}" in self._ask("GET", "/listeners")

    def drain(self) -> None:
        """Take no new connections, end each kept one with its next answer, and wait until there is none."""
        self._ask("POST", "/drain_listeners")
        self._ask("POST", "/healthcheck/fail")
        waiting.until(f"{self.name} has no client left", lambda: not self._clients())

    def _clients(self) -> int:
        stats = self._ask("GET", "/stats?filter=downstream_cx_active")
        ours = f"listener.{SYSTEM_ADDRESS}_{ENVOY_PORT}.downstream_cx_active: "
        return next(int(line.removeprefix(ours)) for line in stats.splitlines() if line.startswith(ours))

    def _ask(self, method: str, path: str) -> str:
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin_port}{path}", method=method)
        with urllib.request.urlopen(request, timeout=5) as response:
            return str(response.read().decode())


def _keep_waiting_connections() -> None:
    """Let connections that wait at a socket which is closed go to the other that shares its address, as a load
    balancer's would; without it they are reset."""
    setting = Path("/proc/sys/net/ipv4/tcp_migrate_req")
    try:
        setting.write_text("1")
    except OSError:  # a kernel without it, or a lab without root: only a drain could lose a request
        return
