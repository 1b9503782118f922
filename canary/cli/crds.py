"""`canary crds`: the custom resource definitions, for `kubectl apply -f -`."""

from __future__ import annotations

import typer


def crds() -> None:
    """Print the CRDs, for `kubectl apply --server-side -f -`."""
    from canary.api.crd import manifests  # noqa: PLC0415 -- the models are not needed for help

    typer.echo(manifests(), nl=False)
