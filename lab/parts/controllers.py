"""Kubernetes' own controllers: only those that a Deployment's life needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from typing_extensions import override

from lab import binaries
from lab.parts.part import Part

# An unknown name ends the process, so this list belongs to the version in binaries.py.
_CONTROLLERS: Final = (
    "clusterrole-aggregation-controller",
    "deployment-controller",
    "disruption-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "horizontal-pod-autoscaler-controller",
    "job-controller",
    "namespace-controller",
    "pod-garbage-collector-controller",
    "replicaset-controller",
    "resourcequota-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
)


class ControllerManager(Part):
    """kube-controller-manager as the cluster's admin: its own rights are not what the lab tests."""

    name = "controller-manager"

    @override
    def command(self) -> Sequence[str | Path]:
        return [
            binaries.find("kube-controller-manager"),
            f"--kubeconfig={self.lab.kubeconfig}",
            f"--controllers={','.join(_CONTROLLERS)}",
            f"--service-account-private-key-file={self.lab.apiserver.service_account_key}",
            f"--root-ca-file={self.lab.apiserver.certificate}",
            f"--cert-dir={self.folder}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            "--horizontal-pod-autoscaler-sync-period=1s",
            # The defaults (20, burst 30) are for clusters; a lab waits for nothing that real life would not.
            "--kube-api-qps=200",
            "--kube-api-burst=400",
        ]

    @override
    def ready(self) -> object:
        """Ready is what it does: a namespace without its ServiceAccount cannot have pods."""
        return self.lab.api("GET", "/api/v1/namespaces/default/serviceaccounts/default")
