"""`canary simulate`: what a template would find, and how soon, before it judges anything real."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from canary.cli.exits import UsageWrong
from canary.cli.plot import Plot, can_plot, write
from canary.cli.prometheus import seconds
from canary.cli.templates import Args, pairs, templates_in
from canary.cli.wording import span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from canary.analysis.metric import EventMetric, Metric
    from canary.analysis.simulation import Judging, World

RATIOS = (1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
JSON = "json"


@dataclass(frozen=True, slots=True)
class Row:
    """What was seen of all simulated releases at one ratio."""

    metric: str
    ratio: float
    """The candidate's share of bad requests over stable's."""
    tolerated: bool
    """Whether to condemn it is a false alarm."""
    condemned: float
    """Share of the releases, 0 to 1."""
    median_seconds: float | None
    """Until the verdict; None when fewer than half were condemned."""
    ninety_seconds: float | None
    """The same for nine in ten."""


def simulate(  # noqa: PLR0913 -- an option each
    template: Annotated[Path, typer.Argument(metavar="FILE", help="File of an analysis template.")],
    *,
    rate: Annotated[
        float, typer.Option("--rate", min=0.001, metavar="REQUESTS", help="The service's requests a second (100).")
    ] = 100.0,
    weight: Annotated[
        float, typer.Option("--weight", min=0.1, max=99.0, metavar="PERCENT", help="The canary's share of them (5).")
    ] = 5.0,
    bad_share: Annotated[
        float, typer.Option("--bad-share", metavar="SHARE", help="Stable's share of bad requests (0.01).")
    ] = 0.01,
    ratio: Annotated[
        list[float] | None,
        typer.Option("--ratio", min=0.0, metavar="TIMES", help="How much worse the canary is; may be given again."),
    ] = None,
    phi: Annotated[
        float,
        typer.Option("--phi", min=1.0, metavar="PHI", help="Bursts: variance of bad requests over their mean (1)."),
    ] = 1.0,
    pods: Annotated[int, typer.Option("--pods", min=1, max=1000, metavar="N", help="Of stable (10).")] = 10,
    for_: Annotated[str, typer.Option("--for", metavar="TIME", help="How long each release is watched (1h).")] = "1h",
    releases: Annotated[
        int, typer.Option("--releases", min=10, max=20_000, metavar="N", help="Simulated at each ratio (1000).")
    ] = 1000,
    arg: Args = None,
    output: Annotated[str, typer.Option("--output", "-o", metavar=JSON, help="Data for programs.")] = "",
    plot: Plot = None,
) -> None:
    """Simulate releases and judge them with a template: how many are condemned, and how soon.

    Needs no cluster and no Prometheus. The counters and histograms that compare the canary with stable are simulated, a
    histogram by its objective alone: what shows in other buckets, too, is found sooner. The same numbers come out each
    time.
    """
    from canary.analysis.simulation import World  # noqa: PLC0415 -- numpy is not needed for help

    can_plot(plot)
    if output not in {"", JSON}:
        raise UsageWrong(f"--output is {JSON}, or left out")
    if not 0 < bad_share < 1:
        raise UsageWrong("--bad-share must be above 0 and below 1, for example 0.01")
    watched = seconds(for_, "--for")
    every = _metrics(template, pairs(arg, "--arg"))
    metrics = _simulated(every)
    if not metrics:
        raise UsageWrong(f"{template} has nothing to simulate: {'; '.join(_left_out(every))}")
    share = weight / 100
    world = World(rate, bad_share, weight=lambda _seconds: share, phi=phi, pods=pods)
    worlds = [replace(world, ratio=times) for times in sorted(set(ratio or RATIOS))]
    drawn = [
        (metric.name, each.ratio, judging, _first(each, judging, watched, releases))
        for metric, judging in ((metric, _judging(metric, len(_compared(every)))) for metric in metrics)
        for each in worlds
    ]
    rows = [_row(*one) for one in drawn]
    said = (
        f"{releases} simulated releases of {for_} each, at {rate:g} requests/s, {weight:g} % to the canary, "
        f"{bad_share:g} of stable's bad"
    )
    if plot is not None:
        _plot(drawn, watched, said, plot)
    if output == JSON:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    typer.echo(said)
    _show(rows)
    for text in _left_out(every):
        typer.echo(f"not simulated: {text}")


def _judging(metric: EventMetric, metrics: int) -> Judging:
    from canary.analysis.metric import Compare, Direction, HistogramMetric  # noqa: PLC0415
    from canary.analysis.simulation import Judging  # noqa: PLC0415

    judge = metric.judge
    assert isinstance(judge, Compare), "only these were chosen"  # noqa: S101 -- for the types
    # The average of processes of which one grows: half of the weight is the objective's, or the direction's.
    halves = isinstance(metric, HistogramMetric) + (judge.direction is Direction.EITHER)
    return Judging(
        judge.tolerated_ratio,
        (judge.alpha or 0.01 / metrics) / 2**halves,
        metric.interval_seconds,
        judge.warm_up_seconds,
    )


def _first(world: World, judging: Judging, seconds: float, releases: int) -> NDArray[np.float64]:
    """Return the seconds until each simulated release was condemned; infinity where it was not."""
    import numpy as np  # noqa: PLC0415

    from canary.analysis.simulation import first_alarms  # noqa: PLC0415

    return first_alarms(world, judging, releases=releases, seconds=seconds, rng=np.random.default_rng(1))


def _row(name: str, ratio: float, judging: Judging, first: NDArray[np.float64]) -> Row:
    import numpy as np  # noqa: PLC0415

    found = float(np.isfinite(first).mean())
    median, ninety = (float(np.quantile(first, q, method="higher")) for q in (0.5, 0.9))
    return Row(
        name,
        ratio,
        ratio <= judging.tolerated_ratio,
        round(found, 4),
        median if np.isfinite(median) else None,
        ninety if np.isfinite(ninety) else None,
    )


def _plot(drawn: list[tuple[str, float, Judging, NDArray[np.float64]]], watched: float, world: str, path: Path) -> None:
    """Draw the template's first metric that compares: a picture has one message."""
    from canary.plots.detection import Curve, draw  # noqa: PLC0415 -- matplotlib is optional

    name = drawn[0][0]
    curves = [Curve(ratio, ratio <= j.tolerated_ratio, first) for metric, ratio, j, first in drawn if metric == name]
    write(draw(name, curves, watched, world), path)


def _show(rows: list[Row]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    console = Console(highlight=False, soft_wrap=True)
    for name in dict.fromkeys(row.metric for row in rows):
        table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
        for title in ("times worse", "condemned", "half after", "90 % after", ""):
            table.add_column(title, justify="right" if title else "left", no_wrap=True)
        for row in (row for row in rows if row.metric == name):
            times = [span(value) if value is not None else "-" for value in (row.median_seconds, row.ninety_seconds)]
            remark = "false alarms" if row.tolerated else ""
            table.add_row(f"{row.ratio:g}", f"{row.condemned:.1%}", *times, remark)
        console.print(f"\n[bold]{name}[/]")
        console.print(table)


def _metrics(path: Path, arguments: dict[str, str]) -> list[Metric]:
    """Return the metrics of the template in a file."""
    from canary.lint.promql import EXAMPLE  # noqa: PLC0415
    from canary.metrics.templates import metrics_of  # noqa: PLC0415

    return [m for template in templates_in([path]) for m in metrics_of(template, arguments, EXAMPLE)]


def _compared(metrics: list[Metric]) -> list[Metric]:
    """Return those that share alpha."""
    from canary.analysis.metric import Compare  # noqa: PLC0415

    return [metric for metric in metrics if isinstance(metric.judge, Compare)]


def _simulated(metrics: list[Metric]) -> list[EventMetric]:
    """Return those whose requests are simulated."""
    from canary.analysis.metric import Compare, Direction, ValueMetric  # noqa: PLC0415

    return [
        metric
        for metric in metrics
        if isinstance(metric.judge, Compare)
        and not isinstance(metric, ValueMetric)
        and metric.judge.direction is not Direction.DECREASE
    ]


def _left_out(metrics: list[Metric]) -> list[str]:
    """Say of the others why they are not."""
    simulated, compared = _simulated(metrics), _compared(metrics)
    return [
        f"{metric.name} does not compare the canary with stable"
        if metric not in compared
        else f"{metric.name} compares a value, or a decrease"
        for metric in metrics
        if metric not in simulated
    ]
