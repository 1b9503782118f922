"""`canary run`: the operator itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", metavar="FILE", envvar="CANARY_CONFIG", help="The operator's configuration, YAML."
        ),
    ] = None,
) -> None:
    """Run the operator."""
    from canary.operator.run import run as run_operator  # noqa: PLC0415 -- kopf and numpy are not needed for help

    run_operator(config)
