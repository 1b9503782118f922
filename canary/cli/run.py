"""`canary run`: the operator itself."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from canary.cli.cluster import Target
from canary.cli.options import Context, Kubeconfig, one_of
from canary.cli.session import Session


class LogLevel(StrEnum):
    """From the most to the least that is told."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Policies(StrEnum):
    """Who holds Deployments; `canary.operator.config` has the same, and is not for help to import."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


def run(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", metavar="FILE", envvar="CANARY_CONFIG", help="The operator's configuration."),
    ] = None,
    watched: Annotated[
        list[str] | None,
        typer.Option("--watch-namespace", metavar="NAMESPACE", help="Serve this namespace only; may be repeated."),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option("--listen", metavar="[HOST]:PORT", help="For /metrics, /healthz and /readyz (default: :8080)."),
    ] = None,
    policies: Annotated[
        Policies | None,
        typer.Option(
            "--policies",
            metavar=one_of(Policies),
            help="Whether admission policies hold Deployments (default: auto, looked up).",
        ),
    ] = None,
    log_level: Annotated[
        LogLevel | None, typer.Option("--log-level", metavar=one_of(LogLevel), help="Least that is logged.")
    ] = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Run the operator, until it is told to stop.

    Options win over the configuration's file. Without a kubeconfig it uses the ServiceAccount of its pod.
    """
    from canary.operator.config import load  # noqa: PLC0415 -- kopf and numpy are not needed for help
    from canary.operator.run import run as run_operator  # noqa: PLC0415 -- as above

    target = Session.of(ctx).resolved(Target(kubeconfig, context))
    settings = load(
        config,
        kubeconfig=target.kubeconfig,
        context=target.context,
        namespaces=tuple(watched) if watched else None,
        listen=listen,
        policies=policies,
        log_level=log_level,
    )
    run_operator(settings)
