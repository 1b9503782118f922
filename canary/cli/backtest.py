"""`canary backtest`: what a template would have said in a real Prometheus's past."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from canary.cli.data import emit
from canary.cli.exits import Refused, UsageWrong
from canary.cli.options import Data
from canary.cli.plot import Plot, can_plot, write
from canary.cli.prometheus import CaFile, Headers, Timeout, TokenFile, Url, instant, prometheus, seconds
from canary.cli.session import Session, console
from canary.cli.templates import Args, Files, Variables, filled, pairs, templates_in, tracks_of
from canary.cli.wording import span

if TYPE_CHECKING:
    from canary.analysis.metric import Metric
    from canary.metrics.backtest import Backtest, Trial


def backtest(  # noqa: PLR0913 -- an option each
    ctx: typer.Context,
    files: Files,
    *,
    prometheus_url: Url,
    from_: Annotated[
        str, typer.Option("--from", metavar="WHEN", help="Begin of the past: a time, or how long ago (7d).")
    ],
    to: Annotated[str, typer.Option("--to", metavar="WHEN", help="Its end (now).")] = "now",
    set_: Variables = None,
    arg: Args = None,
    for_: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long each pretended release is watched (30m).")
    ] = "30m",
    splits: Annotated[
        int, typer.Option("--splits", min=0, max=10_000, metavar="N", help="Pretended releases at most (50).")
    ] = 50,
    share: Annotated[
        float, typer.Option("--share", metavar="SHARE", help="Of stable's pods that pretend to be a canary (0.2).")
    ] = 0.2,
    split_by: Annotated[
        str, typer.Option("--split-by", metavar="LABEL", help="What tells stable's parts apart (pod).")
    ] = "pod",
    release: Annotated[
        list[str] | None,
        typer.Option(
            "--release",
            metavar="FROM..TO:CANARY:STABLE",
            help="A release by its times and hashes; may be given again (default: those that the series show).",
        ),
    ] = None,
    alpha: Annotated[
        float, typer.Option("--alpha", metavar="CHANCE", help="Of a false alarm, over all metrics (0.01).")
    ] = 0.01,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Which pods are taken (1).")] = 1,
    header: Headers = None,
    bearer_token_file: TokenFile = None,
    ca_file: CaFile = None,
    timeout: Timeout = 20.0,
    output: Data = None,
    plot: Plot = None,
) -> None:
    """Try templates on the past of a Prometheus: false alarms, and the releases that were.

    Some of stable's pods against the others are a canary that is none: each fail there is a false alarm. And each past
    release, found by the lifetimes of its pods' series or given by --release, is judged look by look as it would have
    been then: would it have been caught, and when.
    """
    from canary.metrics.backtest import Backtest  # noqa: PLC0415 -- numpy is not needed for help

    can_plot(plot)
    now = Session.of(ctx).clock.now()
    begins, ends = instant(from_, now, "--from"), instant(to, now, "--to")
    if not begins < ends <= now.timestamp():
        raise UsageWrong("--from must be before --to, and --to not in the future")
    if not (0 < alpha < 1 and 0 < share < 1):
        raise UsageWrong("--alpha and --share must be above 0 and below 1")
    lasts = seconds(for_, "--for")
    if splits and lasts > ends - begins:
        raise UsageWrong(f"--for {for_} is longer than the time between --from and --to")
    templates = templates_in(files)
    arguments, given = pairs(arg, "--arg"), pairs(set_, "--set")
    asked = [_release(each, now) for each in release or ()]

    def fill(stable: str, canary: str) -> tuple[Metric, ...]:
        return filled(templates, arguments, tracks_of(templates, given | {"stableHash": stable, "canaryHash": canary}))

    with prometheus(prometheus_url, header, bearer_token_file, ca_file, timeout) as source:
        run = Backtest(source, fill, begins, ends, alpha, split_by)
        trials = _trials(run, asked, lasts, splits, share, seed)
    if plot is not None:
        _plot(" ".join(sorted({template.metadata.name for template in templates})), trials, alpha, plot)
    if output is None:
        _show(trials, for_, alpha)
    else:
        emit({"trials": [_data(trial) for trial in trials], "falseAlarms": _alarms(trials)}, output)


def _trials(
    run: Backtest, asked: Sequence[tuple[float, float, str, str]], lasts: float, splits: int, share: float, seed: int
) -> list[Trial]:
    import numpy as np  # noqa: PLC0415

    versions = run.versions() if splits or not asked else ()
    trials: list[Trial] = []
    if splits:
        trials += run.splits(versions, lasts, splits, share, np.random.default_rng(seed))
    if asked:
        trials += [run.release(stable, canary, begins, ends) for begins, ends, canary, stable in asked]
    else:
        trials += [
            run.release(stable.name, canary.name, canary.begins, min(stable.ends, canary.ends))
            for stable, canary in run.releases(versions)
        ]
    return trials


def _plot(name: str, trials: Sequence[Trial], alpha: float, path: Path) -> None:
    from math import log10  # noqa: PLC0415

    from canary.metrics.backtest import Kind  # noqa: PLC0415
    from canary.plots.trials import Point, draw  # noqa: PLC0415 -- matplotlib is optional

    limit = -log10(alpha)
    points = [
        Point(
            trial.begins,
            # Each metric has its own limit: told as if it were that of one that has all of alpha.
            max(
                (
                    max((*r.course.values, r.evidence_against)) - r.evidence_limit + limit
                    for r in trial.verdict.readings
                ),
                default=0.0,
            ),
            trial.failed,
            (trial.canary or "release") if trial.kind is Kind.RELEASE else "",
        )
        for trial in trials
        if trial.verdict is not None
    ]
    if not points:
        raise Refused("there is nothing to draw: no trial was judged")
    write(draw(name, points, limit), path)


def _release(text: str, now: datetime) -> tuple[float, float, str, str]:
    """Read `FROM..TO:CANARY:STABLE`; the times may have colons."""
    times, _, stable = text.rpartition(":")
    times, _, canary = times.rpartition(":")
    first, dots, last = times.partition("..")
    if not (dots and canary and stable):
        raise UsageWrong(f"--release {text}: write FROM..TO:CANARYHASH:STABLEHASH")
    begins, ends = instant(first, now, "--release"), instant(last, now, "--release")
    if not begins < ends <= now.timestamp():
        raise UsageWrong(f"--release {text}: it must begin before it ends, and not end in the future")
    return begins, ends, canary, stable


def _alarms(trials: Sequence[Trial]) -> dict[str, object]:
    from canary.analysis.share import share_interval  # noqa: PLC0415
    from canary.metrics.backtest import Kind  # noqa: PLC0415

    splits = [trial for trial in trials if trial.kind is Kind.SPLIT]
    failed = sum(trial.failed for trial in splits)
    low, high = share_interval(failed, len(splits)) if splits else (0.0, 1.0)
    return {"of": len(splits), "alarms": failed, "low": round(low, 4), "high": round(high, 4)}


def _data(trial: Trial) -> dict[str, object]:
    from canary.analysis.report import report  # noqa: PLC0415

    return {
        "kind": trial.kind.value,
        "canary": trial.canary,
        "stable": trial.stable,
        "from": _at(trial.begins),
        "to": _at(trial.ends),
        "decidedAfterSeconds": trial.decided_after,
        "report": report(trial.verdict).data() if trial.verdict is not None else None,
    }


def _at(time: float) -> str:
    return datetime.fromtimestamp(round(time), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _show(trials: Sequence[Trial], for_: str, alpha: float) -> None:
    from rich.table import Table  # noqa: PLC0415

    from canary.metrics.backtest import Kind  # noqa: PLC0415

    to = console()
    splits = [trial for trial in trials if trial.kind is Kind.SPLIT]
    if splits:
        found = _alarms(trials)
        said = Counter(trial.verdict.outcome.value if trial.verdict else "too short" for trial in splits)
        rest = ", ".join(f"{count} {outcome}" for outcome, count in sorted(said.items()))
        to.print("[bold]Stable against itself[/]")
        to.print(
            f"{found['alarms']} false alarms in {len(splits)} pretended releases of {for_} "
            f"(95 %: {found['low']:.1%} to {found['high']:.1%}; promised: at most {alpha:.1%}): {rest}"
        )
        for trial in splits:
            if trial.failed and trial.verdict is not None:
                to.print(f"  {_at(trial.begins)}  {trial.canary}: {trial.verdict.message}", markup=False)
    releases = [trial for trial in trials if trial.kind is Kind.RELEASE]
    to.print("\n[bold]Releases[/]" if splits else "[bold]Releases[/]")
    if not releases:
        to.print("none in this time: no younger version lived beside an older one")
        return
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    for title in ("from", "lasted", "canary", "stable", "verdict", "after", "why"):
        table.add_column(title, no_wrap=title != "why")
    for trial in releases:
        verdict = trial.verdict
        table.add_row(
            _at(trial.begins),
            span(trial.ends - trial.begins),
            trial.canary or "-",
            trial.stable or "-",
            verdict.outcome.value if verdict else "too short",
            span(trial.decided_after) if trial.decided_after is not None else "-",
            verdict.message if verdict else "shorter than the interval of a metric",
        )
    to.print(table)
