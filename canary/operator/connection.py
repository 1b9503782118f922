"""How the API server is reached, from a pod or by a kubeconfig: one configuration for our client and for kopf."""

from __future__ import annotations

import os
from pathlib import Path

import yaml
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from canary.errors import SpecInvalid


async def load_configuration(kubeconfig: Path | None, context: str | None = None) -> Configuration:
    """Read where the API server is and who we are.

    A file that is named is used; otherwise the pod's ServiceAccount; otherwise `$KUBECONFIG` or `~/.kube/config`.

    Raises
    ------
    SpecInvalid
        None of them can be used.
    """
    if kubeconfig is not None and not kubeconfig.is_file():  # noqa: ASYNC240 -- once, before there is anything to hold up
        raise SpecInvalid(f"The kubeconfig {kubeconfig} does not exist.")
    configuration = Configuration()
    configuration.retries = None  # whether and when to try again is the queue's decision
    configuration.client_go_retries = False
    try:
        if kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ:
            load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # theirs
        else:
            named = str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG") or None
            await load_kube_config(  # type: ignore[no-untyped-call]  # theirs
                config_file=named, context=context, client_configuration=configuration, persist_config=False
            )
    except (ConfigException, OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise SpecInvalid(
            f"No connection to a cluster is configured ({error}). "
            "Give --kubeconfig, or run in a pod with a ServiceAccount."
        ) from error
    return configuration
