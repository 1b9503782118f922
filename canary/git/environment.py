"""The environment that git runs in: built from nothing, with secrets in variables and never in arguments."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from canary.git.address import parse_address
from canary.git.credentials import BasicCredential, BearerCredential, Binding, SshCredential

_PASSED_ON: Final = (
    "PATH",
    "TMPDIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)

_SETTINGS: Final = {
    "core.hooksPath": "/dev/null",
    "core.attributesFile": "/dev/null",
    "core.quotePath": "false",
    "core.fsmonitor": "false",
    "credential.helper": "",  # an empty value forgets helpers configured before
    "commit.gpgSign": "false",
    "push.gpgSign": "false",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",  # a background gc would outlive the lock
    "maintenance.auto": "false",
    "http.followRedirects": "false",  # a redirect would carry the credential to another server
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "20",
    "protocol.version": "2",
    "i18n.logOutputEncoding": "UTF-8",
    "merge.conflictStyle": "merge",
}

# The helper answers only `get`, and only for the server that it is configured for, from variables of its own process.
_HELPER: Final = (
    '!f() { test "$1" = get && '
    "printf 'username=%s\\npassword=%s\\n' "
    '"$CANARY_GIT_USERNAME" "$CANARY_GIT_PASSWORD"; }; f'
)


def local_environment(directory: Path) -> dict[str, str]:
    """Return the environment of commands that read and write the clone only."""
    return _with_settings(_base(directory), _SETTINGS | {"safe.directory": str(directory)})


def remote_environment(directory: Path, url: str, binding: Binding) -> dict[str, str]:
    """Return the environment of commands that may speak with the server.

    The clone's own configuration names no server, so that no other command can fetch by itself.
    """
    address = parse_address(url)
    credential = binding.credential
    environment = _base(directory) | {"GIT_ALLOW_PROTOCOL": address.scheme}
    settings = _SETTINGS | {
        "safe.directory": str(directory),
        "remote.origin.url": url,
        "remote.origin.promisor": "true",
        "remote.origin.partialclonefilter": "blob:none",
    }
    host = f"[{address.host}]" if ":" in address.host else address.host
    server = f"{address.scheme}://{host}:{address.port}"
    if isinstance(credential, BasicCredential):
        environment |= {"CANARY_GIT_USERNAME": credential.username, "CANARY_GIT_PASSWORD": credential.password}
        settings[f"credential.{server}.helper"] = _HELPER
    elif isinstance(credential, BearerCredential):
        settings[f"http.{server}.extraHeader"] = f"Authorization: Bearer {credential.token}"
    elif isinstance(credential, SshCredential):
        environment["GIT_SSH_COMMAND"] = _ssh_command(credential)
    if binding.ca_file is not None:
        settings[f"http.{server}.sslCAInfo"] = str(binding.ca_file)
    return _with_settings(environment, settings)


def secrets_of(binding: Binding) -> tuple[str, ...]:
    """Return what must never be shown."""
    credential = binding.credential
    if isinstance(credential, BasicCredential):
        return (credential.password,)
    if isinstance(credential, BearerCredential):
        return (credential.token,)
    return ()


def _base(directory: Path) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return inherited | {
        "HOME": str(directory),
        "LC_ALL": "C",  # the table of failures reads English
        "GIT_DIR": str(directory),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_SSH_COMMAND": "false",
        "GIT_ALLOW_PROTOCOL": "none",
    }


def _with_settings(environment: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    result = dict(environment) | {"GIT_CONFIG_COUNT": str(len(settings))}
    for index, (key, value) in enumerate(settings.items()):
        result[f"GIT_CONFIG_KEY_{index}"] = key
        result[f"GIT_CONFIG_VALUE_{index}"] = value
    return result


def _ssh_command(credential: SshCredential) -> str:
    options = {
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(credential.known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "ConnectTimeout": "15",
        "ForwardAgent": "no",
    }
    arguments = ["ssh", "-F", "/dev/null", "-i", str(credential.private_key)]
    for name, value in options.items():
        arguments += ["-o", f"{name}={value}"]
    return shlex.join(arguments)
