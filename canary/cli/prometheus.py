"""The Prometheus that a command asks, by options: without an operator there is no configuration that names it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from canary.cli.exits import UsageWrong

if TYPE_CHECKING:
    from canary.metrics.source import MetricSource

_PANEL = "Prometheus"

Url = Annotated[
    str,
    typer.Option(
        "--prometheus",
        metavar="URL",
        envvar="CANARY_PROMETHEUS",
        help="Base address of Prometheus or what speaks its API.",
        rich_help_panel=_PANEL,
    ),
]
Headers = Annotated[
    list[str] | None,
    typer.Option(
        "--header",
        metavar="NAME=VALUE",
        help="Sent with each query, such as X-Scope-OrgID=shop; may be given again.",
        rich_help_panel=_PANEL,
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--bearer-token-file", metavar="FILE", help="Its content is sent as a bearer token.", rich_help_panel=_PANEL
    ),
]
CaFile = Annotated[
    Path | None,
    typer.Option("--ca-file", metavar="FILE", help="PEM file to verify the server by.", rich_help_panel=_PANEL),
]
Timeout = Annotated[
    float,
    typer.Option(
        "--timeout", min=0.1, max=300.0, metavar="SECONDS", help="For each query (20).", rich_help_panel=_PANEL
    ),
]


@contextlib.contextmanager
def prometheus(
    url: str, headers: Iterable[str] | None, token_file: Path | None, ca_file: Path | None, timeout: float
) -> Iterator[MetricSource]:
    """Open the source; closed at the end."""
    from canary.cli.templates import pairs  # noqa: PLC0415
    from canary.metrics.prometheus import PrometheusSource  # noqa: PLC0415 -- its client takes long to import
    from canary.metrics.source import SourceConfig  # noqa: PLC0415

    if not url.startswith(("http://", "https://")):
        raise UsageWrong(f"--prometheus {url}: write an address such as http://prometheus:9090")
    config = SourceConfig(
        url,  # its name in messages: there is no configuration that has another one
        url,
        headers=tuple(pairs(headers, "--header").items()),
        bearer_token_file=str(token_file) if token_file else None,
        timeout_seconds=timeout,
        ca_file=str(ca_file) if ca_file else None,
    )
    source = PrometheusSource(config)
    try:
        yield source
    finally:
        source.close()


def seconds(text: str, option: str) -> float:
    """Read a duration such as 10m."""
    from canary.api.duration import Duration  # noqa: PLC0415

    try:
        return float(Duration(text).seconds)
    except ValueError as error:
        raise UsageWrong(f"{option} {error}") from error


def instant(text: str, now: datetime, option: str) -> float:
    """Read a time, Unix seconds: ISO 8601 (without an offset: UTC), or how long ago, as 2h and 7d.

    Raises
    ------
    UsageWrong
        It is neither.
    """
    from canary.api.duration import Duration  # noqa: PLC0415

    if text == "now":
        return now.timestamp()
    if text.removesuffix("d").isdecimal() and text.endswith("d"):
        return (now - timedelta(days=int(text[:-1]))).timestamp()
    try:
        return (now - timedelta(seconds=float(Duration(text).seconds))).timestamp()
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        said = f"{option} {text}: write a time such as 2026-11-21T15:00:00Z, or how long ago, such as 2h or 7d"
        raise UsageWrong(said) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
