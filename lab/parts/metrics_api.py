"""The resource metrics API, aggregated by the API server as metrics-server's is."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from lab.namespace import SYSTEM_ADDRESS
from lab.parts.part import Part
from lab.process import PartDied

PORT: Final = 4443
_HOST: Final = "metrics-api.kube-system.svc"


class MetricsApi(Part):
    """What metrics-server is in a cluster; pods are measured by what they really answer."""

    name = "metrics-api"

    @override
    def prepare(self) -> None:
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        command += ["-days", "7", "-subj", f"/CN={_HOST}", "-addext", f"subjectAltName=DNS:{_HOST}"]
        made = subprocess.run(
            [*command, "-keyout", self._key, "-out", self._certificate], capture_output=True, text=True, check=False
        )
        if made.returncode:
            raise PartDied(f"the certificate of the metrics API could not be made by openssl: {made.stderr}")
        self.lab.apply(_objects(base64.b64encode(self._certificate.read_bytes()).decode()))

    @property
    def _key(self) -> Path:
        return self.folder / "metrics.key"

    @property
    def _certificate(self) -> Path:
        return self.folder / "metrics.crt"

    @override
    def command(self) -> Sequence[str | Path]:
        return [
            sys.executable,
            "-m",
            "lab.metrics_api",
            f"--kubeconfig={self.lab.kubeconfig}",
            f"--certificate={self._certificate}",
            f"--key={self._key}",
            f"--listen={SYSTEM_ADDRESS}:{PORT}",
        ]

    @override
    def ready(self) -> object:
        """Ready is what comes through the API server."""
        return self.lab.api("GET", "/apis/metrics.k8s.io/v1beta1/pods")

    def say(self, namespace: str, items: list[dict[str, Any]]) -> None:
        """Tell this of a namespace's pods (PodMetrics) from now on, instead of what they use."""
        trusted = ssl.create_default_context(cafile=str(self._certificate))
        trusted.check_hostname = False  # asked by its address; the API server checks the name
        request = urllib.request.Request(
            f"https://{SYSTEM_ADDRESS}:{PORT}/lab/{namespace}", data=json.dumps(items).encode(), method="PUT"
        )
        with urllib.request.urlopen(request, timeout=10, context=trusted):
            pass


def _objects(certificate: str) -> str:
    return f"""\
apiVersion: v1
kind: Service
metadata: {{name: metrics-api, namespace: kube-system}}
spec: {{ports: [{{name: https, port: 443, targetPort: {PORT}}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: metrics-api
  namespace: kube-system
  labels: {{kubernetes.io/service-name: metrics-api}}
addressType: IPv4
ports: [{{name: https, port: {PORT}, protocol: TCP}}]
endpoints: [{{addresses: [{SYSTEM_ADDRESS}], conditions: {{ready: true}}}}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {{name: v1beta1.metrics.k8s.io}}
spec:
  group: metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  service: {{name: metrics-api, namespace: kube-system, port: 443}}
  caBundle: {certificate}
"""
