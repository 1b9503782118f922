"""Templates from files, and what fills them in without a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from canary.cli.exits import UsageWrong

if TYPE_CHECKING:
    from canary.analysis.metric import Metric
    from canary.api.template import Template
    from canary.metrics.templates import Tracks

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files of analysis templates.")]
Args = Annotated[
    list[str] | None, typer.Option("--arg", metavar="NAME=VALUE", help="A template's argument; may be given again.")
]
Variables = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A template's variable, such as namespace; may be given again."),
]
StableHash = Annotated[
    str | None, typer.Option("--stable", metavar="HASH", help="pod-template-hash of stable: --set stableHash=HASH.")
]
CanaryHash = Annotated[
    str | None, typer.Option("--canary", metavar="HASH", help="pod-template-hash of the canary: --set canaryHash=HASH.")
]


def templates_in(paths: Iterable[Path]) -> list[Template]:
    """Return the analysis templates of files.

    Raises
    ------
    UsageWrong
        A file cannot be read, is not YAML, or has no template.
    SpecInvalid
        A template says what cannot be.
    """
    from canary.api.parse import parse_template  # noqa: PLC0415 -- pydantic is not needed for help
    from canary.lint.documents import read  # noqa: PLC0415

    found: list[Template] = []
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageWrong(f"{path} cannot be read: {error}") from error
        documents, wrong = read(str(path), text)
        if wrong:
            raise UsageWrong(f"{path}:{wrong[0].line}: {wrong[0].message}")
        templates = [parse_template(document.content) for document in documents if document.kind != "Rollout"]
        if not templates:
            raise UsageWrong(f"{path} has no AnalysisTemplate or ClusterAnalysisTemplate")
        found += templates
    return found


def pairs(given: Iterable[str] | None, option: str) -> dict[str, str]:
    """Read `NAME=VALUE`."""
    found: dict[str, str] = {}
    for each in given or ():
        name, sign, value = each.partition("=")
        if not sign or not name:
            raise UsageWrong(f"{option} {each}: write NAME=VALUE")
        found[name] = value
    return found


def filled(templates: Iterable[Template], arguments: Mapping[str, str], tracks: Tracks) -> tuple[Metric, ...]:
    """Fill templates in; each takes those of the arguments that it declares.

    Raises
    ------
    UsageWrong
        No template has such an argument.
    SpecInvalid
        As `metrics_of`.
    """
    from canary.metrics.templates import metrics_of  # noqa: PLC0415

    known = list(templates)
    declared = {argument.name for template in known for argument in template.spec.args}
    if stray := sorted(arguments.keys() - declared):
        raise UsageWrong(f"--arg {stray[0]}: no template has such an argument (known: {', '.join(declared) or 'none'})")
    return tuple(
        metric
        for template in known
        for metric in metrics_of(
            template, {a.name: arguments[a.name] for a in template.spec.args if a.name in arguments}, tracks
        )
    )


def used_variables(templates: Iterable[Template]) -> dict[str, str]:
    """Return the variables that templates use, each with the template that does; arguments left out."""
    from canary.api.variables import ARGUMENT_PREFIX, variables_in  # noqa: PLC0415

    found: dict[str, str] = {}
    for template in templates:
        for metric in template.spec.metrics:
            identity = template.spec.identity_of(metric)
            for text in (*metric.texts(), *(identity.texts() if identity else ())):
                for name in variables_in(text):
                    if not name.startswith(ARGUMENT_PREFIX):
                        found.setdefault(name, template.metadata.name)
    return found


def tracks_of(templates: Iterable[Template], given: Mapping[str, str]) -> Tracks:
    """Return the names of both tracks, as far as the templates use them.

    Raises
    ------
    UsageWrong
        A variable does not exist, or is used and was not given.
    """
    from canary.api.names import CANARY_SUFFIX  # noqa: PLC0415
    from canary.api.variables import Variable  # noqa: PLC0415
    from canary.metrics.templates import Tracks  # noqa: PLC0415

    if stray := sorted(given.keys() - set(Variable)):
        raise UsageWrong(f"--set {stray[0]}: there is no such variable; known are {', '.join(Variable)}")
    values: dict[str, str] = dict(given)
    # A Rollout is most often named as its Deployment and its Service.
    name = next((values[v] for v in (Variable.ROLLOUT, Variable.WORKLOAD, Variable.STABLE_SERVICE) if v in values), "")
    if name:
        for variable in (Variable.ROLLOUT, Variable.WORKLOAD, Variable.STABLE_SERVICE):
            values.setdefault(variable, name)
        values.setdefault(Variable.CANARY_SERVICE, values[Variable.STABLE_SERVICE] + CANARY_SUFFIX)
    for used, template in used_variables(templates).items():
        if not values.get(used):
            raise UsageWrong(f"template {template} uses ${{{used}}}: give --set {used}=VALUE")
    port = values.get(Variable.SERVICE_PORT, "0")
    if not port.isdecimal():
        raise UsageWrong(f"--set {Variable.SERVICE_PORT}={port}: a port is a number")
    return Tracks(
        namespace=values.get(Variable.NAMESPACE, ""),
        rollout=values.get(Variable.ROLLOUT, ""),
        workload=values.get(Variable.WORKLOAD, ""),
        stable_service=values.get(Variable.STABLE_SERVICE, ""),
        candidate_service=values.get(Variable.CANARY_SERVICE, ""),
        service_port=int(port),
        stable_hash=values.get(Variable.STABLE_HASH, ""),
        candidate_hash=values.get(Variable.CANARY_HASH, ""),
    )
