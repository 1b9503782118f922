"""The operator's configuration: a YAML file, and flags that override it.

What a Rollout may only name (metric sources, Git credentials) has its address and its secrets here, so that a
namespace's owner cannot make the operator call an address of their choice. Secrets are files, and are read when they
are used: a rotated one counts without a restart.
"""

from __future__ import annotations

import os
import socket
import tempfile
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError

from canary.api.model import SpecModel
from canary.api.names import OPERATOR_NAMESPACE
from canary.api.parse import sentence
from canary.api.schema import fields_of
from canary.errors import SpecInvalid
from canary.git.clone import GitSettings
from canary.git.credentials import (
    Anonymous,
    BasicCredential,
    BearerCredential,
    Binding,
    Bindings,
    Credential,
    SshCredential,
)
from canary.git.objects import Identity
from canary.metrics.source import MetricSource, SourceConfig
from canary.operator.source_kinds import PrometheusSpec
from canary.operator.source_spec import RemoteSpec, Seconds
from canary.operator.sources import SourceSpec, checked, open_sources


class Policies(StrEnum):
    """Whether the admission policies hold Deployments."""

    AUTO = "auto"
    """Looked up in the cluster, and tried by a dry run, at the start and whenever the binding changes."""
    ON = "on"
    OFF = "off"
    """The operator keeps Deployments paused itself."""


class BindingSpec(SpecModel):
    """Which Git credential may be used for which namespaces, repositories and paths."""

    name: Annotated[str, Field(min_length=1)]
    namespaces: Annotated[str, Field(min_length=1)]
    """A glob over the workload's namespace."""
    repositories: Annotated[str, Field(min_length=1)]
    """An address, or its beginning up to a slash."""
    paths: str = ""
    username: str = ""
    password_file: Path | None = None
    """With `username`: a password or an access token."""
    bearer_token_file: Path | None = None
    ssh_key_file: Path | None = None
    known_hosts_file: Path | None = None
    ca_file: Path | None = None


class GitSpec(SpecModel):
    """How reverts are pushed."""

    cache: Path | None = None
    """Where clones are kept; may be emptied at any time. Absent: a folder of the user's own below the temporary one."""
    author_name: str = ""
    author_email: str = ""
    kustomize: str = ""
    """The program. Absent: `kustomize` on PATH."""
    bindings: tuple[BindingSpec, ...] = ()


class ConfigFile(SpecModel):
    """The file as it is written."""

    identity: str = ""
    """Who this process is in the Lease; stable for one container. Absent: $POD_NAME, else the host's name."""
    namespace: str = ""
    """Of the Lease. Absent: $POD_NAMESPACE, else canary-system."""
    lease: str = "canary"
    namespaces: tuple[str, ...] = ()
    """Watched; empty: all."""
    workers: Annotated[int, Field(ge=1, le=256)] = 8
    resync_seconds: Seconds = 600.0
    tick_seconds: Seconds = 5.0
    """Between looks of the judges; not below the scrape interval of the metrics."""
    query_threads: Annotated[int, Field(ge=1, le=64)] = 8
    listen: Annotated[str, Field(pattern=r"^[^\s]*:[0-9]+$")] = ":8080"
    """Host (empty: all) and port of /metrics, /healthz and /readyz."""
    policies: Policies = Policies.AUTO
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"
    metrics: dict[str, SourceSpec] = Field(default_factory=dict)
    """Metric sources by the name that templates call them."""
    git: GitSpec = GitSpec()
    argocd_namespace: Annotated[str, Field(min_length=1)] = "argocd"
    """Argo CD's own: where an Application is whose namespace a tracking id does not say."""


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration with every default filled in."""

    file: ConfigFile = field(default_factory=ConfigFile)
    kubeconfig: Path | None = None
    context: str | None = None

    @property
    def identity(self) -> str:
        """Who this process is in the Lease."""
        return self.file.identity or os.environ.get("POD_NAME") or socket.gethostname()

    @property
    def namespace(self) -> str:
        """Namespace of the Lease."""
        return self.file.namespace or os.environ.get("POD_NAMESPACE") or OPERATOR_NAMESPACE

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        host, _, port = self.file.listen.rpartition(":")
        return host or "0.0.0.0", int(port)  # noqa: S104 -- probes and Prometheus come from outside the pod

    def sources(self) -> tuple[SourceConfig, ...]:
        """Return how the metric sources are reached; a secret that is not there is told."""
        return checked(self.file.metrics)

    def longest_queries(self) -> dict[str, int]:
        """Return how many characters one query of a source may have, where it says so."""
        kinds = {name: spec.kind for name, spec in self.file.metrics.items()}
        return {name: kind.longest for name, kind in kinds.items() if isinstance(kind, PrometheusSpec)}

    def delays(self) -> dict[str, float]:
        """Return how many seconds each source looks back that gathers its points for a while."""
        kinds = {name: spec.kind for name, spec in self.file.metrics.items()}
        return {name: kind.delay_seconds for name, kind in kinds.items() if isinstance(kind, RemoteSpec)}

    def open_sources(self) -> dict[str, MetricSource]:
        """Return the metric sources by name, ready to be asked."""
        return open_sources(self.file.metrics)

    def bindings(self) -> Bindings:
        """Return the Git credentials, their secrets read now."""
        return Bindings(tuple(_binding(spec) for spec in self.file.git.bindings))

    def git_settings(self) -> GitSettings:
        """Return how git is run."""
        spec = self.file.git
        cache = spec.cache or Path(tempfile.gettempdir()) / f"canary-git-{os.getuid()}"
        if spec.author_name and spec.author_email:
            return GitSettings(cache, identity=Identity(spec.author_name, spec.author_email))
        return GitSettings(cache)


def load(path: Path | None, *, kubeconfig: Path | None = None, context: str | None = None, **flags: object) -> Config:
    """Read the configuration; `flags` are fields of the file, by their Python names, and None says nothing.

    Raises
    ------
    SpecInvalid
        The file cannot be read, or says what cannot be; the message names file and field.
    """
    document: dict[str, Any] = {}
    if path is not None:
        try:
            document = yaml.safe_load(path.read_text()) or {}
        except OSError as error:
            raise SpecInvalid(f"Configuration {path} cannot be read: {error.strerror}.") from error
        except yaml.MarkedYAMLError as error:
            where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
            raise SpecInvalid(f"Configuration {path}{where} is no YAML: {error.problem or error.context}.") from error
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            raise SpecInvalid(f"Configuration {path} is no YAML: {' '.join(str(error).split())}.") from error
        if not isinstance(document, dict):
            raise SpecInvalid(f"Configuration {path}: a mapping is wanted, not a {type(document).__name__}.")
    if isinstance(document.get("policies"), bool):  # YAML 1.1 reads on and off so
        document["policies"] = "on" if document["policies"] else "off"
    try:
        file = ConfigFile.model_validate(document)
        given = {name: value for name, value in flags.items() if value is not None}
        file = ConfigFile.model_validate({**file.model_dump(), **given})
    except ValidationError as error:
        problems = "; ".join(sentence(problem, fields_of(ConfigFile)) for problem in error.errors(include_url=False))
        raise SpecInvalid(f"Configuration {path or '(flags)'}: {problems}.") from error
    config = Config(file, kubeconfig, context)
    config.sources(), config.bindings()  # a secret that cannot be read is told at the start
    return config


def _binding(spec: BindingSpec) -> Binding:
    credential: Credential = Anonymous()
    if spec.password_file is not None:
        credential = BasicCredential(spec.username or "git", _secret(spec.password_file))
    elif spec.bearer_token_file is not None:
        credential = BearerCredential(_secret(spec.bearer_token_file))
    elif spec.ssh_key_file is not None:
        if spec.known_hosts_file is None:
            raise SpecInvalid(f"git.bindings {spec.name}: sshKeyFile needs knownHostsFile, host keys are not guessed.")
        credential = SshCredential(spec.ssh_key_file, spec.known_hosts_file)
    return Binding(spec.name, spec.namespaces, spec.repositories, credential, spec.paths, spec.ca_file)


def _secret(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise SpecInvalid(f"Secret file {path} cannot be read: {error.strerror}.") from error
