"""The real cluster: Kubernetes' synchronous client, and its errors made ours.

Imported only by commands that talk to a cluster.
"""

from __future__ import annotations

import getpass
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException

from canary.api.names import GROUP, VERSION
from canary.cli.cluster import Seen, Target
from canary.cli.exits import NotInstalled
from canary.cli.reading import read
from canary.errors import ApiConflict, ApiUnavailable, CanaryError, Forbidden, NeedsHuman, NotFound, SpecInvalid

Document: TypeAlias = dict[str, Any]
"""JSON of the API server; goes no further than this module and `reading`."""

PLURAL: Final = "rollouts"
CONNECT_SECONDS: Final = 10.0
"""A person waits at the terminal; a server in the same world answers within this. Arbitrary."""
READ_SECONDS: Final = 30.0
WATCH_GRACE_SECONDS: Final = 15.0
"""How much longer than asked for a watch may be silent before its connection counts as dead."""
FIELD_MANAGER: Final = "canary-cli"
SERVICE_ACCOUNT_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

NOT_INSTALLED: Final = "this cluster has no Rollouts: install Canary's CRDs with `canary crds | kubectl apply -f -`"


def connect(target: Target) -> ApiServer:
    """Reach the cluster that a kubeconfig names, or the one that this pod runs in.

    Raises
    ------
    NeedsHuman
        There is no kubeconfig, or it cannot be used.
    """
    settings = client.Configuration()
    file = str(target.kubeconfig) if target.kubeconfig else None
    namespace, user = "default", ""
    try:
        if file is None and target.context is None and "KUBERNETES_SERVICE_HOST" in os.environ and not _has_default():
            config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]  # no types there
            namespace = SERVICE_ACCOUNT_NAMESPACE.read_text().strip() or namespace
        else:
            config.load_kube_config(  # type: ignore[no-untyped-call]  # no types there
                file, context=target.context, client_configuration=settings
            )
            contexts, active = config.list_kube_config_contexts(file)  # type: ignore[no-untyped-call]  # no types there
            named = next((c for c in contexts if c["name"] == target.context), active)
            namespace = named["context"].get("namespace") or namespace
            user = named["context"].get("user", "")
    except (ConfigException, yaml.YAMLError, OSError, KeyError, TypeError, AttributeError) as error:
        raise NeedsHuman(f"no cluster to talk to: {_config_problem(target, error)}") from error
    settings.retries = False  # a person decides about a second try; and urllib3 would log each of its own
    return ApiServer(client.ApiClient(settings), settings.host, target.namespace or namespace, user)


def _has_default() -> bool:
    places = os.environ.get("KUBECONFIG", "~/.kube/config").split(os.pathsep)
    return any(Path(place).expanduser().exists() for place in places if place)


def _config_problem(target: Target, error: Exception) -> str:
    if target.kubeconfig and not target.kubeconfig.exists():
        return f"the kubeconfig {target.kubeconfig} does not exist"
    if not target.kubeconfig and not _has_default():
        if named := os.environ.get("KUBECONFIG"):
            return f"the kubeconfig {named} ($KUBECONFIG) does not exist"
        return "there is no kubeconfig; give one with --kubeconfig or $KUBECONFIG"
    if isinstance(error, TypeError | AttributeError):  # how the client meets a file that is YAML and nothing else
        return f"{target.kubeconfig or 'the kubeconfig'} is no kubeconfig"
    if target.context:
        return f"the kubeconfig has no usable context {target.context!r}; `kubectl config get-contexts` lists them"
    return f"the kubeconfig cannot be used: {' '.join(str(error).split()) or type(error).__name__}"


class ApiServer:
    """A cluster behind an API server."""

    def __init__(self, api: client.ApiClient, host: str, namespace: str, user: str) -> None:
        self._objects = client.CustomObjectsApi(api)
        self._host = host
        self._namespace = namespace
        self._user = user

    @property
    def namespace(self) -> str:
        """The namespace that is meant when none is given."""
        return self._namespace

    def get_rollout(self, namespace: str, name: str) -> Seen:
        """Read one Rollout."""
        with self._errors():
            found = self._objects.get_namespaced_custom_object(
                GROUP, VERSION, namespace, PLURAL, name, _request_timeout=(CONNECT_SECONDS, READ_SECONDS)
            )
        return read(cast("Document", found))

    def list_rollouts(self, namespace: str | None) -> tuple[Seen, ...]:
        """Read the Rollouts of a namespace, or of all."""
        timeout = (CONNECT_SECONDS, READ_SECONDS)
        with self._errors():
            if namespace is None:
                found = self._objects.list_cluster_custom_object(GROUP, VERSION, PLURAL, _request_timeout=timeout)
            else:
                found = self._objects.list_namespaced_custom_object(
                    GROUP, VERSION, namespace, PLURAL, _request_timeout=timeout
                )
        kind = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Rollout"}  # items of a list do not say
        seen = [read(kind | item) for item in cast("Document", found)["items"]]
        return tuple(sorted(seen, key=lambda s: (s.namespace, s.name)))

    def watch(self, seen: Seen, timeout_seconds: float) -> Iterator[Seen | None]:
        """Yield the Rollout after each change."""
        seconds = max(1, math.ceil(timeout_seconds))
        with self._errors():
            answer = cast(
                "urllib3.BaseHTTPResponse",
                self._objects.list_namespaced_custom_object(
                    GROUP,
                    VERSION,
                    seen.namespace,
                    PLURAL,
                    field_selector=f"metadata.name={seen.name}",
                    resource_version=seen.resource_version,
                    watch=True,
                    timeout_seconds=seconds,
                    _preload_content=False,
                    _request_timeout=(CONNECT_SECONDS, seconds + WATCH_GRACE_SECONDS),
                ),
            )
            try:
                for event in _events(answer):
                    if event["type"] == "ERROR":
                        return  # 410 above all: the version is too old to watch from
                    if event["type"] == "DELETED":
                        yield None
                        return
                    if event["type"] in {"ADDED", "MODIFIED"}:
                        yield read(event["object"])
            finally:
                answer.close()
                answer.release_conn()

    def patch_annotations(self, seen: Seen, changes: Mapping[str, str | None]) -> Seen:
        """Set or take away annotations, unless the Rollout was changed since."""
        body = {"metadata": {"resourceVersion": seen.resource_version, "annotations": dict(changes)}}
        with self._errors():
            patched = self._objects.patch_namespaced_custom_object(
                GROUP,
                VERSION,
                seen.namespace,
                PLURAL,
                seen.name,
                body,
                field_manager=FIELD_MANAGER,
                _content_type="application/merge-patch+json",
                _request_timeout=(CONNECT_SECONDS, READ_SECONDS),
            )
        return read(cast("Document", patched))

    def whoami(self) -> str:
        """Ask the API server; an old or strict one does not tell, then the kubeconfig's name for the user counts."""
        with suppress(CanaryError, KeyError), self._errors():
            review = self._objects.create_cluster_custom_object(
                "authentication.k8s.io",
                "v1",
                "selfsubjectreviews",
                {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
                _request_timeout=(CONNECT_SECONDS, READ_SECONDS),
            )
            return str(cast("Document", review)["status"]["userInfo"]["username"])
        return self._user or getpass.getuser()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Map the client's errors: no other exception of it leaves this module."""
        try:
            yield
        except ApiException as error:
            raise _mapped(error, self._host) from error
        except urllib3.exceptions.HTTPError as error:
            raise ApiUnavailable(f"the API server at {self._host} does not answer ({_cause(error)})") from error


def _events(answer: urllib3.BaseHTTPResponse) -> Iterator[dict[str, Any]]:
    """Yield the watch events of an answer: one JSON document a line."""
    rest = b""
    for chunk in answer.stream(amt=None, decode_content=False):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (json.loads(line) for line in lines if line.strip())


def _mapped(error: ApiException, host: str) -> CanaryError:
    """Say an answer of the API server in our errors."""
    status = _status(error)
    said = str(status.get("message") or error.reason or "").strip()
    match error.status:
        case 401:
            return Forbidden(f"the API server at {host} does not know this user; log in again or mend the kubeconfig")
        case 403:
            return Forbidden(f"not allowed: {said}")
        case 404 if status.get("details", {}).get("name"):
            return NotFound(said)
        case 404:  # an unknown group or resource is answered without naming an object
            return NotInstalled(NOT_INSTALLED)
        case 409:
            return ApiConflict(f"somebody else wrote first: {said}")
        case 400 | 422:
            return SpecInvalid(f"the API server refuses this: {said}")
        case _:
            return ApiUnavailable(f"the API server at {host} answers {error.status}: {said}")


def _status(error: ApiException) -> dict[str, Any]:
    """Return the API server's Status object, or nothing when it did not send one."""
    try:
        status = json.loads(error.body or "")
    except ValueError:
        return {}
    return status if isinstance(status, dict) else {}


def _cause(error: BaseException) -> str:
    """Say the innermost reason of a failed connection in a few words."""
    while inner := getattr(error, "reason", None) or error.__cause__:
        if not isinstance(inner, BaseException):
            return str(inner)
        error = inner
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    text = str(error)
    return text.rpartition(": ")[2] if isinstance(error, urllib3.exceptions.HTTPError) else text or type(error).__name__
