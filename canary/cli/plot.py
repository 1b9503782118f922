"""`--plot FILE`: pictures, by an optional package."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from canary.cli.exits import Refused, UsageWrong

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from canary.analysis.verdict import Verdict
    from canary.api.status import ReportBrief
    from canary.plots.evidence import Drawn

FORMATS: Final = (".svg", ".png")
Plot = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Draw a picture, too: FILE ends in .svg or .png.")
]


def can_plot(path: Path | None) -> None:
    """Say at once what would be said after all the work.

    Raises
    ------
    UsageWrong
        The file's name tells no format that can be drawn, or there is no such folder.
    Refused
        The package that draws is not installed.
    """
    if path is None:
        return
    if path.suffix.lower() not in FORMATS:
        raise UsageWrong(f"--plot {path}: the file's name must end in {' or '.join(FORMATS)}")
    if not path.absolute().parent.is_dir():
        raise UsageWrong(f"--plot {path}: there is no folder {path.absolute().parent}")
    if find_spec("matplotlib") is None:
        raise Refused("--plot needs matplotlib: install it, or Canary with its extra `plots`")


def write(figure: Figure, path: Path) -> None:
    """Write a picture."""
    from canary.plots.figure import save  # noqa: PLC0415 -- matplotlib is optional, and takes long to import

    try:
        save(figure, path)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}") from error


def plot_verdict(name: str, verdict: Verdict, path: Path) -> None:
    """Draw a verdict's metrics that compare.

    Raises
    ------
    Refused
        None does.
    """
    from canary.analysis.report import report  # noqa: PLC0415
    from canary.plots.evidence import Drawn  # noqa: PLC0415

    readings = [account.reading for account in report(verdict).metrics if account.reading.judge == "compare"]
    plot_metrics(
        name,
        [
            Drawn(
                r.metric,
                r.outcome.value,
                (r.canary.bad, r.canary.count),
                (r.stable.bad, r.stable.count),
                r.course.step_seconds,
                r.course.values,
                r.evidence_limit,
                r.tolerated,
                r.dispersion or 1.0,
            )
            for r in readings
        ],
        path,
    )


def plot_status(name: str, report: ReportBrief | None, path: Path) -> None:
    """Draw the report in a status."""
    from canary.plots.evidence import Drawn  # noqa: PLC0415

    drawn = [
        Drawn(
            metric.name,
            metric.verdict,
            (metric.canary.bad, metric.canary.requests) if metric.canary is not None else (0, 0),
            (metric.stable.bad, metric.stable.requests) if metric.stable is not None else (0, 0),
            metric.evidence.every_seconds,
            tuple(value / 100 for value in metric.evidence.course),
            metric.evidence.fails_at / 100,
        )
        for metric in (report.metrics if report is not None else ())
        if metric.evidence is not None
    ]
    plot_metrics(name, sorted(drawn, key=lambda d: report is not None and d.verdict != report.verdict), path)


def plot_metrics(name: str, metrics: list[Drawn], path: Path) -> None:
    """Draw metrics that compare, the deciding one first."""
    from canary.plots.evidence import draw  # noqa: PLC0415

    if not metrics:
        raise Refused("there is nothing to draw: no metric that compares the canary with stable was judged")
    write(draw(name, metrics), path)
