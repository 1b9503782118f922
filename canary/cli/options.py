"""Arguments and options that several commands share, so that each reads the same everywhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from canary.cli.completion import complete_namespaces, complete_rollouts

_CLUSTER = "Cluster"

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the Rollout.", autocompletion=complete_rollouts)]
Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NAMESPACE",
        help="Namespace of the Rollout (default: the context's).",
        rich_help_panel=_CLUSTER,
        autocompletion=complete_namespaces,
    ),
]
Context = Annotated[
    str | None,
    typer.Option(
        "--context",
        metavar="CONTEXT",
        help="Context of the kubeconfig (default: its current one).",
        rich_help_panel=_CLUSTER,
    ),
]
Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        "--kubeconfig",
        metavar="FILE",
        help="Kubeconfig file (default: as kubectl's).",
        rich_help_panel=_CLUSTER,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask back; without a terminal nothing is asked.")]


def one_of(choices: type[StrEnum]) -> str:
    """Spell a choice as help and documents do: `json|yaml`."""
    return "|".join(choices)


class DataFormat(StrEnum):
    """Formats for programs."""

    JSON = "json"
    YAML = "yaml"


class ListFormat(StrEnum):
    """Formats of a list, as kubectl's."""

    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


Data = Annotated[
    DataFormat | None, typer.Option("--output", "-o", metavar=one_of(DataFormat), help="Data for programs.")
]
