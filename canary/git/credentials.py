"""Which credential may be used for whom: the operator's configuration, never a Rollout's.

A Deployment's labels, a Kustomization and a GitRepository can each be written by a namespace's owner. So a credential
is bound here to namespaces, to repositories and to paths, and every use is looked up by all three: a workload of one
team that names another team's repository finds nothing (the confused deputy). A repository without a binding is never
contacted at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from canary.errors import Forbidden, SpecInvalid
from canary.git.address import Address, parse_address, redact


@dataclass(frozen=True, slots=True)
class Anonymous:
    """No credential: a public repository, or one on this machine."""


@dataclass(frozen=True, slots=True)
class BasicCredential:
    """A user name with a password or an access token, over http(s)."""

    username: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        # git's credential protocol is made of lines: a line break inside a value would add a field.
        _one_line("username", self.username)
        _one_line("password", self.password)


@dataclass(frozen=True, slots=True)
class BearerCredential:
    """A token that is sent as `Authorization: Bearer`, over http(s)."""

    token: str = field(repr=False)

    def __post_init__(self) -> None:
        _one_line("token", self.token)


@dataclass(frozen=True, slots=True)
class SshCredential:
    """A private key, and the host keys that are believed."""

    private_key: Path
    known_hosts: Path


Credential: TypeAlias = Anonymous | BasicCredential | BearerCredential | SshCredential


@dataclass(frozen=True, slots=True)
class Binding:
    """One line of the configuration: who may have what pushed where."""

    name: str
    """For messages; never a secret."""
    namespaces: str
    """A glob over the namespace of the workload, such as `team-shop-*`."""
    repositories: str
    """An address, or the part of it that a group of repositories has in common: `https://git.example.org/shop`."""
    credential: Credential = field(default_factory=Anonymous)
    paths: str = ""
    """The folder of the repository that may be changed; empty for all of it."""
    ca_file: Path | None = None
    """A bundle that the server's certificate is checked against; None for the system's."""

    def __post_init__(self) -> None:
        address = parse_address(self.repositories)
        if not self.namespaces:
            raise SpecInvalid(f"credential binding {self.name}: `namespaces` is empty; write `*` for all of them")
        over_http = isinstance(self.credential, BasicCredential | BearerCredential)
        over_ssh = isinstance(self.credential, SshCredential)
        if (over_http and address.scheme not in {"https", "http"}) or (over_ssh and address.scheme != "ssh"):
            raise SpecInvalid(
                f"credential binding {self.name}: this credential does not fit {redact(self.repositories)}"
            )

    def allows(self, namespace: str, address: Address, path: str) -> bool:
        """Whether this binding is for a workload of `namespace` whose manifests lie at `path` of a repository."""
        inside = PurePosixPath("/", path).is_relative_to(PurePosixPath("/", self.paths))
        plain = ".." not in PurePosixPath(path).parts
        covered = parse_address(self.repositories).covers(address)
        return covered and inside and plain and fnmatchcase(namespace, self.namespaces)


@dataclass(frozen=True, slots=True)
class Bindings:
    """All bindings, in the order of the configuration; the first that fits is used."""

    bindings: tuple[Binding, ...] = ()

    def lookup(self, namespace: str, url: str, path: str) -> Binding:
        """Return the binding for a workload's repository.

        Raises
        ------
        Forbidden
            When none fits; the message says what a binding would have to allow, and nothing about the other bindings.
        SpecInvalid
            When the address itself cannot be used.
        """
        address = parse_address(url)
        for binding in self.bindings:
            if binding.allows(namespace, address, path):
                return binding
        raise Forbidden(
            f"no Git credential is bound to namespace {namespace}, repository {redact(url)}, path {path or '/'}: "
            "the operator's configuration must bind one before Canary may revert there"
        )


def _one_line(name: str, value: str) -> None:
    if not value or not value.isprintable():
        raise SpecInvalid(f"the {name} of a Git credential is empty or has a line break or control character in it")
