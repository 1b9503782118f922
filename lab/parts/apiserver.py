"""The Kubernetes API server, with RBAC, and the identities that the lab's parts use."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from typing_extensions import override

from lab import audit, binaries
from lab.namespace import SERVICE_NETWORK, SYSTEM_ADDRESS
from lab.parts import etcd
from lab.parts.part import Part
from lab.process import PartDied

PORT: Final = 6443
URL: Final = f"https://{SYSTEM_ADDRESS}:{PORT}"


class ApiServer(Part):
    """kube-apiserver. It makes its own certificate; clients trust exactly that file."""

    name = "apiserver"

    @override
    def prepare(self) -> None:
        self.admin_token = secrets.token_hex(16)
        # group system:masters: bypasses RBAC, as a cluster's creator does
        (self.folder / "tokens.csv").write_text(f'{self.admin_token},admin,admin,"system:masters"\n')
        (self.folder / "audit-policy.yaml").write_text(audit.POLICY)
        key = self.folder / "service-account.key"
        made = subprocess.run(["openssl", "genrsa", "-out", key, "2048"], capture_output=True, text=True, check=False)
        if made.returncode:
            raise PartDied(f"the key of the service accounts could not be made by openssl: {made.stderr}")

    @property
    def certificate(self) -> Path:
        """What a client must trust; there once the server has started."""
        return self.folder / "certificates" / "apiserver.crt"

    @property
    def audit_log(self) -> Path:
        """What the operator wrote: see `lab.audit`."""
        return self.folder / "audit.log"

    @property
    def service_account_key(self) -> Path:
        return self.folder / "service-account.key"

    @override
    def command(self) -> Sequence[str | Path]:
        return [
            binaries.find("kube-apiserver"),
            f"--etcd-servers={etcd.CLIENT_URL}",
            "--bind-address=0.0.0.0",
            f"--advertise-address={SYSTEM_ADDRESS}",
            f"--secure-port={PORT}",
            f"--cert-dir={self.certificate.parent}",
            f"--service-cluster-ip-range={SERVICE_NETWORK}",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self.folder}/tokens.csv",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.service_account_key}",
            f"--service-account-signing-key-file={self.service_account_key}",
            "--enable-aggregator-routing=true",  # aggregated APIs by their endpoints: the server is no client of kube-proxy
            "--endpoint-reconciler-type=none",  # no Service leads to the API: no pod looks for it
            "--profiling=false",
            f"--audit-policy-file={self.folder}/audit-policy.yaml",
            f"--audit-log-path={self.audit_log}",
        ]

    @override
    def ready(self) -> object:
        return self.lab.api("GET", "/readyz") == "ok"
