"""`canary analyze`: one analysis without an operator and without a cluster, for pipelines and for the past."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final

import typer

from canary.cli.data import emit
from canary.cli.exits import Exit, UsageWrong
from canary.cli.options import Data
from canary.cli.plot import Plot, can_plot, plot_verdict
from canary.cli.prometheus import CaFile, Headers, Timeout, TokenFile, Url, instant, prometheus, seconds
from canary.cli.session import Clock, Session
from canary.cli.templates import Args, CanaryHash, Files, StableHash, Variables, filled, pairs, templates_in, tracks_of

if TYPE_CHECKING:
    from canary.analysis.metric import Metric
    from canary.analysis.verdict import Verdict
    from canary.metrics.session import AnalysisSession
    from canary.metrics.source import MetricSource

EXITS: Final = {
    "Pass": Exit.OK,
    "Fail": Exit.JUDGED_BAD,
    "Inconclusive": Exit.UNDECIDED,
    "Error": Exit.NO_DATA,
}
"""By the verdict."""


def analyze(  # noqa: PLR0913 -- an option each
    ctx: typer.Context,
    files: Files,
    *,
    prometheus_url: Url,
    stable: StableHash = None,
    canary: CanaryHash = None,
    set_: Variables = None,
    arg: Args = None,
    for_: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long to watch from now on (5m); a fail ends it at once.")
    ] = "5m",
    until_pass: Annotated[bool, typer.Option("--until-pass", help="End at the first pass, too.")] = False,
    from_: Annotated[
        str, typer.Option("--from", metavar="WHEN", help="Judge the past from here on: a time, or how long ago (2h).")
    ] = "",
    to: Annotated[str, typer.Option("--to", metavar="WHEN", help="With --from: up to here (now).")] = "now",
    alpha: Annotated[
        float, typer.Option("--alpha", metavar="CHANCE", help="Of a false alarm, over all metrics (0.01).")
    ] = 0.01,
    header: Headers = None,
    bearer_token_file: TokenFile = None,
    ca_file: CaFile = None,
    timeout: Timeout = 20.0,
    output: Data = None,
    plot: Plot = None,
) -> None:
    """Judge a canary against stable now, or in the past, by the metrics of a Prometheus.

    Without a cluster and without an operator: the templates are filled in with --stable, --canary and --set. Now means
    that it watches for as long as --for says; a past window is judged look by look, as it would have been then. The
    exit code tells the verdict: 0 pass, 7 fail, 8 inconclusive, 9 no data.
    """
    can_plot(plot)
    clock = Session.of(ctx).clock
    given = pairs(set_, "--set")
    given |= {name: value for name, value in (("stableHash", stable), ("canaryHash", canary)) if value}
    if not 0 < alpha < 1:
        raise UsageWrong("--alpha must be above 0 and below 1, for example 0.01")
    templates = templates_in(files)
    metrics = filled(templates, pairs(arg, "--arg"), tracks_of(templates, given))
    with prometheus(prometheus_url, header, bearer_token_file, ca_file, timeout) as source:
        if from_:
            start, end = instant(from_, clock.now(), "--from"), instant(to, clock.now(), "--to")
            if not start < end <= clock.now().timestamp():
                raise UsageWrong("--from must be before --to, and --to not in the future")
            verdict = _past(metrics, source, start, end, alpha)
        else:
            verdict = _now(metrics, source, seconds(for_, "--for"), alpha, clock, until_pass=until_pass)
    if verdict is None:
        raise UsageWrong("the time is shorter than the interval of a metric: nothing was judged; watch for longer")
    if plot is not None:
        plot_verdict(" ".join(sorted({template.metadata.name for template in templates})), verdict, plot)
    _tell(verdict, output)


def _past(metrics: tuple[Metric, ...], source: MetricSource, start: float, end: float, alpha: float) -> Verdict | None:
    from canary.metrics.looks import first_seen, looks  # noqa: PLC0415 -- numpy is not needed for help
    from canary.metrics.past import PastSource, steps_of  # noqa: PLC0415
    from canary.metrics.session import AnalysisSession  # noqa: PLC0415

    past = PastSource(source, until=end, steps=steps_of(metrics))
    sources = _everywhere(metrics, past)
    session = AnalysisSession.start(metrics, started_at=start, alpha=alpha)
    session = session.with_ready_pods(first_seen(metrics, sources, start, end))
    for _, judged in looks(session, sources, end):
        session = judged
    return session.verdict


def _now(
    metrics: tuple[Metric, ...], source: MetricSource, lasts: float, alpha: float, clock: Clock, *, until_pass: bool
) -> Verdict | None:
    """Look at each interval until the time is over."""
    from canary.metrics.looks import first_seen, look  # noqa: PLC0415
    from canary.metrics.session import AnalysisSession  # noqa: PLC0415

    sources = _everywhere(metrics, source)
    # The wall clock once, then the one that is never set back.
    began, turned = clock.now().timestamp(), clock.monotonic()
    session: AnalysisSession = AnalysisSession.start(metrics, started_at=began, alpha=alpha)
    ends = "Fail", *(["Pass"] if until_pass else [])
    while (passed := clock.monotonic() - turned) < lasts:
        clock.sleep(min(session.due_again_seconds, lasts - passed))
        now = began + clock.monotonic() - turned
        session = look(session.with_ready_pods(first_seen(metrics, sources, began, now)), sources, now)
        if session.verdict is not None and session.verdict.outcome in ends:
            break
    return session.verdict


def _everywhere(metrics: tuple[Metric, ...], source: MetricSource) -> Mapping[str, MetricSource]:
    """The one source that was given answers for every name in the templates."""
    return {metric.source: source for metric in metrics}


def _tell(verdict: Verdict, output: Data) -> None:
    from canary.analysis.report import report  # noqa: PLC0415

    told = report(verdict)
    if output is None:
        typer.echo(told.text)
    else:
        emit(told.data(), output)
    raise typer.Exit(EXITS[verdict.outcome.value])
