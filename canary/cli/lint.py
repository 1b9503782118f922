"""`canary lint`: what is wrong with manifests, without a cluster."""

from __future__ import annotations

import sys
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from canary.cli.exits import Exit, UsageWrong
from canary.cli.options import one_of

if TYPE_CHECKING:
    from canary.lint.finding import Finding
    from canary.lint.traffic import Traffic

STANDARD_INPUT = "-"
_SUFFIXES = (".yaml", ".yml", ".json")


class LintFormat(StrEnum):
    """Formats of the findings."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


def lint(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Files, folders (all YAML below), or `-` for standard input.")
    ],
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            min=0.0,
            metavar="REQUESTS",
            help="The service's requests a second in quiet hours: looks at the steps.",
        ),
    ] = None,
    bad_share: Annotated[
        float,
        typer.Option("--bad-share", min=0.0, max=1.0, metavar="SHARE", help="Stable's share of bad requests (0.01)."),
    ] = 0.01,
    strict: Annotated[bool, typer.Option("--strict", help="Fail for warnings, too.")] = False,  # noqa: FBT002
    output: Annotated[
        LintFormat, typer.Option("--output", "-o", metavar=one_of(LintFormat), help="How findings are printed.")
    ] = LintFormat.TEXT,
) -> None:
    """Look at Rollouts and analysis templates in files: fields, PromQL, the cost of queries, and the steps' traffic.

    Fails when an error is found. Objects of other kinds are passed over. With --rate each step is looked at for
    whether it can gather enough requests, and how long a worse canary stays unseen.
    """
    from canary.lint.check import check  # noqa: PLC0415 -- the models and the parser are not needed for help
    from canary.lint.documents import Document, read  # noqa: PLC0415

    documents: list[Document] = []
    findings: list[Finding] = []
    paths = [path for name in files for path in _paths(name)]
    for path in paths:
        text = sys.stdin.read() if path == STANDARD_INPUT else _text(path)
        found, wrong = read(path, text)
        documents += found
        findings += wrong
    findings = sorted([*findings, *check(documents, _traffic(rate, bad_share))])
    _print(findings, output)
    counts = Counter(finding.level.value for finding in findings)
    if output is LintFormat.TEXT:
        said = f"{_number(counts['error'], 'error')}, {_number(counts['warning'], 'warning')}"
        typer.echo(f"{said} in {_number(len(documents), 'object')} of {_number(len(paths), 'file')}", err=True)
    if counts["error"] or (strict and counts["warning"]):
        raise typer.Exit(Exit.ERROR)


def _traffic(rate: float | None, bad_share: float) -> Traffic | None:
    from canary.lint.traffic import Traffic  # noqa: PLC0415

    if rate is None:
        return None
    if rate <= 0:
        raise UsageWrong("--rate must be above 0")
    if not 0 < bad_share < 1:
        raise UsageWrong("--bad-share must be above 0 and below 1, for example 0.01")
    return Traffic(rate, bad_share)


def _paths(name: str) -> list[str]:
    if name == STANDARD_INPUT:
        return [name]
    path = Path(name)
    if path.is_dir():
        found = sorted(str(file) for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
        if not found:
            raise UsageWrong(f"{name} has no file that ends in {', '.join(_SUFFIXES)}")
        return found
    if not path.exists():
        raise UsageWrong(f"there is no file {name}")
    return [name]


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageWrong(f"{path} cannot be read as text: {error}") from error


def _print(findings: list[Finding], output: LintFormat) -> None:
    import json  # noqa: PLC0415
    from dataclasses import asdict  # noqa: PLC0415

    from canary.lint.sarif import sarif  # noqa: PLC0415

    match output:
        case LintFormat.SARIF:
            typer.echo(json.dumps(sarif(findings), indent=2, ensure_ascii=False))
        case LintFormat.JSON:
            typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
        case LintFormat.TEXT:
            colours = {"error": typer.colors.RED, "warning": typer.colors.YELLOW, "note": typer.colors.BLUE}
            for found in findings:
                level = typer.style(found.level.value, fg=colours[found.level.value], bold=True)
                typer.echo(f"{found.file}:{found.line}: {level}: {found.message} [{found.rule.value}]")


def _number(count: int, what: str) -> str:
    """Say how many.

    >>> _number(1, "file"), _number(2, "file"), _number(0, "error")
    ('1 file', '2 files', 'no errors')
    """
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"
