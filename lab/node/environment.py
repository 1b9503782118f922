"""A container's environment, command and arguments, as the kubelet makes them of the pod's spec. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

Sources = Mapping[tuple[str, str], Mapping[str, Any] | None]
"""(kind, name) -> the ConfigMap or Secret, None when it does not exist. Kinds: `ConfigMap`, `Secret`."""

_REFERENCE = re.compile(r"\$\$|\$\(([-._A-Za-z0-9]+)\)")
_SUBSCRIPT = re.compile(r"^metadata\.(labels|annotations)\['(.+)'\]$")


class ContainerConfigError(Exception):
    """The environment cannot be made: reason CreateContainerConfigError, until what is named appears."""


def needed_sources(container: Mapping[str, Any]) -> set[tuple[str, str]]:
    """ConfigMaps and Secrets that the environment reads."""
    found = set()
    for entry in container.get("env") or []:
        value_from = entry.get("valueFrom") or {}
        for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            if field in value_from:
                found.add((kind, value_from[field]["name"]))
    for entry in container.get("envFrom") or []:
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if field in entry:
                found.add((kind, entry[field]["name"]))
    return found


def build(
    container: Mapping[str, Any], pod: Mapping[str, Any], addresses: Mapping[str, str], sources: Sources
) -> dict[str, str]:
    """The variables that the pod's spec asks for; later ones win, and may refer to earlier ones by $(NAME).

    `addresses` has `podIP` and `hostIP`.

    Raises
    ------
    ContainerConfigError
        when a source, key or field does not exist and is not optional.
    """
    variables: dict[str, str] = {}
    for entry in container.get("envFrom") or []:
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if field in entry:
                values = _values(kind, entry[field], sources) or {}
                variables.update({entry.get("prefix", "") + key: value for key, value in values.items()})
    for entry in container.get("env") or []:
        value_from = entry.get("valueFrom")
        if value_from is None:
            variables[entry["name"]] = expand(entry.get("value", ""), variables)
            continue
        value = _from_reference(value_from, pod, addresses, sources)
        if value is not None:
            variables[entry["name"]] = value
    return variables


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace $(NAME) by the variable and $$ by $; an unknown name stays as it is, as in Kubernetes."""

    def replacement(match: re.Match[str]) -> str:
        name = match.group(1)
        return "$" if name is None else variables.get(name, match.group(0))

    return _REFERENCE.sub(replacement, text)


def argv(container: Mapping[str, Any], program: str, variables: Mapping[str, str]) -> list[str]:
    """`command` replaces the image's program, `args` its arguments."""
    command = [expand(word, variables) for word in container.get("command") or []]
    return (command or [program]) + [expand(word, variables) for word in container.get("args") or []]


def _from_reference(
    value_from: Mapping[str, Any], pod: Mapping[str, Any], addresses: Mapping[str, str], sources: Sources
) -> str | None:
    for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if field in value_from:
            reference = value_from[field]
            values = _values(kind, reference, sources)
            if values is None:
                return None
            if reference["key"] not in values and not reference.get("optional"):
                raise ContainerConfigError(f"couldn't find key {reference['key']} in {kind} {reference['name']}")
            return values.get(reference["key"])
    if "fieldRef" in value_from:
        return field_value(value_from["fieldRef"]["fieldPath"], pod, addresses)
    raise ContainerConfigError(f"the lab's node does not serve valueFrom {', '.join(value_from)}")


def field_value(path: str, pod: Mapping[str, Any], addresses: Mapping[str, str]) -> str:
    """A field of the downward API."""
    metadata, spec = pod["metadata"], pod["spec"]
    if subscript := _SUBSCRIPT.match(path):
        return str((metadata.get(subscript.group(1)) or {}).get(subscript.group(2), ""))
    fields = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.podIP": addresses["podIP"],
        "status.podIPs": addresses["podIP"],
        "status.hostIP": addresses["hostIP"],
        "status.hostIPs": addresses["hostIP"],
    }
    if path not in fields:
        raise ContainerConfigError(f"the lab's node does not serve the field {path}")
    return str(fields[path])


def _values(kind: str, reference: Mapping[str, Any], sources: Sources) -> dict[str, str] | None:
    found = sources.get((kind, reference["name"]))
    if found is None:
        if reference.get("optional"):
            return None
        raise ContainerConfigError(f'{kind.lower()} "{reference["name"]}" not found')
    data = found.get("data") or {}
    if kind == "Secret":
        return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}
    return dict(data)
