"""`canary version`: which version this is."""

from __future__ import annotations

import platform

import typer

from canary import __version__
from canary.api.names import API_VERSION
from canary.cli.data import emit
from canary.cli.options import Data


def version(output: Data = None) -> None:
    """Print the version of this command."""
    if output is None:
        typer.echo(f"canary {__version__}")
        return
    client = {"version": __version__, "apiVersion": API_VERSION, "python": platform.python_version()}
    emit({"clientVersion": client}, output)
