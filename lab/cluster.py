"""The lab: a real control plane, gateway, Prometheus, Git server and Flux, started and stopped from Python.

It lives inside the namespace (`python -m lab exec -- ...`), where every address below is reached directly:

    with Lab.start({"gateway", "node"}) as lab:
        lab.apply(manifests)
"""

from __future__ import annotations

import base64
import subprocess
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import yaml

from lab import binaries, namespace, waiting
from lab.api import Api, ApiRefused
from lab.faults import Faults
from lab.parts import apiserver, gateway, prometheus
from lab.parts.apiserver import ApiServer
from lab.parts.controllers import ControllerManager
from lab.parts.discovery import Discovery
from lab.parts.etcd import Etcd
from lab.parts.flux import NAMESPACE as FLUX_NAMESPACE
from lab.parts.flux import KustomizeController, SourceController
from lab.parts.gateway import Contour, Envoy
from lab.parts.git import GitServer, Repository
from lab.parts.kube_proxy import KubeProxy
from lab.parts.metrics_api import MetricsApi
from lab.parts.node import Node
from lab.parts.part import Part
from lab.parts.prometheus import Prometheus

GROUPS: Final[dict[str, tuple[type[Part], ...]]] = {
    "git": (GitServer,),
    "node": (Node,),
    "services": (KubeProxy,),
    "gateway": (Contour, Envoy),
    "prometheus": (Discovery, Prometheus),
    "flux": (SourceController, KustomizeController),
}
"""What can be asked for beside the control plane, in the order of the start."""
_DEFINITIONS: Final = {
    "gateway": ("crds/gateway-api", "crds/contour"),
    "flux": ("crds/source-controller", "crds/kustomize-controller"),
}
_P = TypeVar("_P", bound=Part)
_PROJECT: Final = Path(__file__).resolve().parents[1]


class CommandFailed(RuntimeError):
    """kubectl ended with an error; the message is kubectl's."""


class Lab:
    """A running lab. One at a time in a namespace: the ports are fixed."""

    def __init__(self, groups: Collection[str]) -> None:
        unknown = sorted(set(groups) - set(GROUPS))
        if unknown:
            raise ValueError(f"the lab has no {', '.join(unknown)}; it has {', '.join(sorted(GROUPS))}")
        self.folder = namespace.state_folder() / "lab"
        self.logs = self.folder / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.kubeconfig = self.folder / "kubeconfig"
        """Of the cluster's admin, for use inside the namespace."""
        self.etcd = Etcd(self)
        self.apiserver = ApiServer(self)
        self.parts: dict[str, Part] = {"etcd": self.etcd, "apiserver": self.apiserver}
        """By name, in the order of the start."""
        wanted = [kind for group, kinds in GROUPS.items() if group in groups for kind in kinds]
        for part in (ControllerManager(self), *(kind(self) for kind in wanted)):
            self.parts[part.name] = part
        self._groups = groups
        self._adding = threading.Lock()
        self.faults = Faults(self.parts)

    @classmethod
    def start(cls, groups: Collection[str] = tuple(GROUPS), *, project: bool = True) -> Self:
        """Start the control plane and the groups named; with `project`, also Canary's CRDs, policies and rights."""
        lab = cls(groups)
        try:
            lab._start()
            if project:
                lab.install_project()
        except BaseException:
            lab.stop()
            raise
        return lab

    def _start(self) -> None:
        self.etcd.start()
        self.apiserver.process.start()  # makes its keys first
        self._api = Api(apiserver.URL, self.apiserver.certificate, self.apiserver.admin_token)
        self.apiserver.wait()
        self._write_kubeconfig(self.kubeconfig, self.apiserver.admin_token)
        self.parts["controller-manager"].launch()
        self._install_definitions()
        later = [part for name, part in self.parts.items() if name not in ("etcd", "apiserver")]
        for part in later:
            part.launch()
            if isinstance(part, Contour | Node):
                part.wait()  # Envoy must find Contour, and pods a node
        for part in later:
            part.wait()

    def add(self, part: Part) -> None:
        """Start one more part, for example the operator; faults reach it by its name, and it ends with the lab."""
        if part.name in self.parts:
            raise ValueError(f"the lab already has a part {part.name}")
        self.parts[part.name] = part
        part.start()

    def metrics_api(self) -> MetricsApi:
        """Give the resource metrics API, started when it is first asked for: without an autoscaler nobody reads it."""
        with self._adding:
            if MetricsApi.name not in self.parts:
                self.add(MetricsApi(self))
        return self._part(MetricsApi)

    def stop(self) -> None:
        """End everything that was started, the last first."""
        for part in reversed(self.parts.values()):
            part.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- the cluster

    def api(self, method: str, path: str, body: Any = None, *, content_type: str = "application/json") -> Any:
        """Ask the API server as the admin. Raises ApiRefused with the status it answered."""
        return self._api.request(method, path, body, content_type=content_type)

    def get(self, api_version: str, plural: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        """Give one object as it is now. Raises ApiRefused (404) when there is none."""
        prefix = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        place = f"/namespaces/{namespace}" if namespace else ""
        found: dict[str, Any] = self.api("GET", f"{prefix}{place}/{plural}/{name}")
        return found

    def kubectl(
        self,
        *arguments: str | Path,
        input: str | None = None,  # noqa: A002 - as subprocess names it
        kubeconfig: Path | None = None,
    ) -> str:
        """Run kubectl (as the admin, unless another kubeconfig is given) and give what it prints. Raises CommandFailed."""
        command = [binaries.find("kubectl"), f"--kubeconfig={kubeconfig or self.kubeconfig}", *arguments]
        done = subprocess.run(command, input=input, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode:
            raise CommandFailed(f"kubectl {' '.join(map(str, arguments))}: {done.stderr.strip()}")
        return done.stdout

    def apply(self, manifests: str) -> None:
        """Server-side apply of YAML documents by a field manager of the lab's own."""
        self.kubectl("apply", "--server-side", "--field-manager=lab", "-f", "-", input=manifests)

    def kubeconfig_for(self, service_account: str, namespace: str, *, file: Path | None = None) -> Path:
        """Give a kubeconfig that is this ServiceAccount and nothing more, by a token of 24 hours of its own."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}/token"
        token = self.api("POST", path, {"spec": {"expirationSeconds": 86400}})["status"]["token"]
        file = file or self.folder / f"kubeconfig-{namespace}-{service_account}"
        self._write_kubeconfig(file, token)
        return file

    def kubeconfig_outside(self) -> Path:
        """Give the admin's kubeconfig for use outside the namespace, through the relay."""
        file = self.folder / "kubeconfig-outside"
        url = f"https://localhost:{namespace.outside_ports()['api']}"
        self._write_kubeconfig(file, self.apiserver.admin_token, url=url)
        return file

    def _write_kubeconfig(self, file: Path, token: str, *, url: str = apiserver.URL) -> None:
        certificate = base64.b64encode(self.apiserver.certificate.read_bytes()).decode()
        cluster = {"server": url, "certificate-authority-data": certificate}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": "lab", "user": {"token": token}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
            "current-context": "lab",
        }
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump(content))

    def _install_definitions(self) -> None:
        folders = [
            binaries.assets(name) for group in _DEFINITIONS if group in self._groups for name in _DEFINITIONS[group]
        ]
        if not folders:
            return
        self.kubectl("apply", "--server-side", *(f"--filename={folder}" for folder in folders))
        self.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
        if "flux" in self._groups:
            self.apply(f"{{apiVersion: v1, kind: Namespace, metadata: {{name: {FLUX_NAMESPACE}}}}}")

    def install_project(self) -> None:
        """Apply Canary's CRDs and, but for the operator's Deployment, what `deploy/` has: the lab runs it as a process."""
        definitions = [file for file in (_PROJECT / "crds").glob("*.yaml") if file.name != "kustomization.yaml"]
        if definitions:
            self.kubectl("apply", "--server-side", *(f"--filename={file}" for file in definitions))
            self.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
        for folder in (_PROJECT / "deploy", _PROJECT / "deploy" / "base"):
            if (folder / "kustomization.yaml").is_file():
                documents = yaml.safe_load_all(self.kubectl("kustomize", folder))
                self.apply(yaml.safe_dump_all(item for item in documents if item and item["kind"] != "Deployment"))
                return

    # -- the parts

    @property
    def gateway_url(self) -> str:
        """Where clients send requests; the Host header chooses the route. A route's parentRef is Gateway `gw` in
        namespace `gateway-system`."""
        return f"http://{namespace.SYSTEM_ADDRESS}:{gateway.ENVOY_PORT}"

    @property
    def prometheus_url(self) -> str:
        return prometheus.URL

    def scrape(
        self, job: str, address: str, *, labels: Mapping[str, str] | None = None, path: str = "/metrics"
    ) -> None:
        """Let Prometheus scrape one more address (host:port), for example the operator's."""
        self._part(Prometheus).scrape(job, address, dict(labels or {}), path)

    def scrape_no_more(self, job: str) -> None:
        """Let Prometheus forget an address that `scrape` added."""
        self._part(Prometheus).forget(job)

    def git_url(self, repository: str) -> str:
        return self._part(GitServer).url(repository)

    def create_repo(
        self, repository: str, files: Mapping[str, str], *, credentials: tuple[str, str] | None = None
    ) -> Repository:
        """Make a repository on the Git server with one commit on `main`; with credentials, all access needs them."""
        return self._part(GitServer).create(repository, files, credentials=credentials)

    def _part(self, kind: type[_P]) -> _P:
        for part in self.parts.values():
            if isinstance(part, kind):
                return part
        raise LookupError(f"this lab was started without {kind.name}")

    def wait_for_condition(
        self, api_version: str, plural: str, name: str, namespace: str | None, condition: str, *, seconds: float = 60
    ) -> dict[str, Any]:
        """Wait until the object's condition is True and give the object."""
        seen: dict[str, Any] = {}

        def look() -> bool:
            seen.update(self.get(api_version, plural, name, namespace))
            status = {item["type"]: item["status"] for item in seen.get("status", {}).get("conditions", [])}
            return status.get(condition) == "True"

        def context() -> str:
            return yaml.safe_dump(seen.get("status", {}))

        waiting.until(f"{plural}/{name} {condition}", look, seconds=seconds, context=context)
        return seen


__all__ = ["GROUPS", "ApiRefused", "CommandFailed", "Lab"]
