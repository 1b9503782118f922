"""One screen about one Rollout: what `canary status` prints and `canary watch` keeps on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from canary.cli.cluster import Seen
from canary.cli.marks import Marks, marks, style, verdict_mark, verdict_style
from canary.cli.outlook import outlook
from canary.cli.wording import SHORT_COMMIT, STAGES, phase, since, span, told_alone, turned_round, version
from canary.core.phases import Phase, Stage
from canary.core.plan import Step, WeightStep

if TYPE_CHECKING:
    from canary.api.status import Revision

BAR_CELLS = 30
LABEL_CELLS = 10


def overview(seen: Seen, now: datetime, console: Console) -> RenderableType:
    """Lay out everything that somebody wants to know at one look, in at most 80 columns."""
    signs = marks(console)
    facts = Table.grid(padding=(0, 1))
    facts.add_column(width=LABEL_CELLS, style="dim", no_wrap=True)
    facts.add_column(ratio=1, overflow="fold")
    for label, value in _facts(seen, now, signs):
        facts.add_row(label, value)
    title = Text.assemble((seen.name, "bold"), (f"  {seen.namespace}", "dim"))
    head = Table.grid(expand=True)
    head.add_column()
    head.add_column(justify="right")
    head.add_row(title, Text(phase(seen), style=style(seen)))
    return Group(head, Rule(style="dim", characters="-" if signs.here == ">" else "─"), Padding(facts, (0, 0, 0, 1)))


def _facts(seen: Seen, now: datetime, signs: Marks) -> Iterator[tuple[str, RenderableType]]:
    """Yield the rows, the most asked for first: a low terminal cuts the last ones."""
    status = seen.status
    if status.message:
        yield "Now", Text(status.message)
    yield "Next", Text(outlook(seen, now), style="bold")
    if seen.spec is None:
        yield "Spec", Text(seen.spec_problem, style="yellow")
    yield "", ""
    if seen.phase not in {None, Phase.STABLE, Phase.PENDING}:
        yield "Traffic", _bar(status.weight, status.weight_wanted, signs)
    yield "Stable", _revision(status.stable, status.candidate)
    if status.candidate is not None and seen.phase is not Phase.STABLE:
        yield "Candidate", _revision(status.candidate, status.stable)
    if status.release is not None:
        yield "Release", f"{status.release.id}, began {since(status.release.started_at, now)} ago"
        yield "Steps", _steps(seen, now, signs)
    elif status.history:
        yield "Last", _last(seen, now)
    if status.report is not None or (status.revert is not None and status.revert.reason):
        yield "", ""
    if status.report is not None:
        yield "Analysis", _report(seen, now, signs)
    if status.revert is not None and (status.revert.commit or status.revert.message):
        yield "Revert", _revert(seen)
    if status.conditions:
        yield "", ""
        yield "Conditions", _conditions(seen, now)


def _bar(weight: int, wanted: int, signs: Marks) -> Text:
    cells = round(weight * BAR_CELLS / 100) or (1 if weight else 0)
    text = Text.assemble((signs.full * cells, "cyan"), (signs.empty * (BAR_CELLS - cells), "dim"))
    text.append(f"  {weight} % in force")
    if wanted != weight:
        text.append(f", {wanted} % asked", style="yellow")
    return text


def _revision(revision: Revision | None, other: Revision | None) -> Text:
    if revision is None:
        return Text("none yet", style="dim")
    text = Text(version(revision, other))
    if revision.commit:
        text.append(f"  {revision.commit[:SHORT_COMMIT]}", style="dim")
    if revision.author:
        text.append(f"  {revision.author}", style="dim")
    return text


def _steps(seen: Seen, now: datetime, signs: Marks) -> Table:
    """List the steps and the promotion, the current one marked."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(overflow="fold")
    current, over = _position(seen)
    began = seen.status.release.step_started_at if seen.status.release else None
    for index, step in enumerate(seen.steps):
        sign, look = _sign(index, current, over, signs)
        share, detail = _step(step)
        if index == current and not over:
            detail += f", {since(began, now)} so far" if began and share else ""
        table.add_row(Text(sign, look), Text(share, look), Text(detail, look))
    sign, look = _sign(len(seen.steps), current, over, signs)
    bake = span(seen.spec.bake_seconds()) if seen.spec else ""
    detail = f"bake {bake}, replace, return"
    if seen.stage is not None and seen.phase is Phase.PROMOTING:
        detail = f"{seen.stage.value}: {STAGES[seen.stage]}"
        if seen.stage is Stage.BAKE:
            detail += f", {since(began, now)} of {bake}" if began else ""
    table.add_row(Text(sign, look), Text("100 %", look), Text(detail, look))
    return table


def _position(seen: Seen) -> tuple[int, bool]:
    """Return the index of the current step, and whether the release was stopped there."""
    match seen.phase:
        case Phase.PROMOTING:
            return len(seen.steps), False
        case Phase.STEP:
            return seen.status.step or 0, False
        case Phase.ROLLING_BACK | Phase.REVERTING | Phase.AWAITING_GIT:
            return _stopped_at(seen), True
        case _:
            return -1, False


def _stopped_at(seen: Seen) -> int:
    """Return the step in which a release was stopped; -1 when it had no traffic yet, the last when it was at 100 %."""
    release = seen.status.release
    if release is None or release.analysis_since is None:
        return -1
    return len(seen.steps) if seen.stage else release.step


def _sign(index: int, current: int, over: bool, signs: Marks) -> tuple[str, str]:  # noqa: FBT001 -- with its pair
    if index < current:
        return signs.done, "green"
    if index == current:
        return (signs.bad, "bold red") if over else (signs.here, "bold cyan")
    return signs.ahead, "dim"


def _step(step: Step) -> tuple[str, str]:
    if isinstance(step, WeightStep):
        return f"{step.weight} %", f"{span(step.at_least_seconds)} to {span(step.at_most_seconds)}"
    return "", "approval"


def _report(seen: Seen, now: datetime, signs: Marks) -> RenderableType:
    report = seen.status.report
    if report is None:
        return ""
    head = Text.assemble(
        (report.verdict, verdict_style(report.verdict)),
        (f", {since(report.at, now)} ago", "dim"),
        f"  {report.message}",
    )
    if sides := turned_round(seen):
        head.append(f"\n{sides}", "dim")
    if told_alone(report):
        return head
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for metric in report.metrics:
        look = verdict_style(metric.verdict)
        line = Text.assemble((metric.name, look), f"  {metric.message}")
        table.add_row(Text(verdict_mark(metric.verdict, signs), look), line)
    return Group(head, table)


def _revert(seen: Seen) -> Text:
    revert = seen.status.revert
    if revert is None:
        return Text()
    if revert.commit:
        of = ", ".join(commit[:SHORT_COMMIT] for commit in revert.culprits)
        return Text.assemble((revert.commit[:SHORT_COMMIT], "green"), f" reverts {of}" if of else "")
    return Text.assemble((revert.reason, "yellow"), f"  {revert.message}")


def _conditions(seen: Seen, now: datetime) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="dim")
    bad_when = {"Ready": "False", "Stalled": "True"}
    for condition in seen.status.conditions:
        bad = bad_when.get(condition.type.value) == condition.status.value
        look = "yellow" if bad else "green" if condition.type.value == "Ready" else ""
        table.add_row(
            condition.type.value,
            Text(condition.status.value, look),
            condition.reason,
            since(condition.last_transition_time, now),
        )
    return table


def _last(seen: Seen, now: datetime) -> Text:
    past = seen.status.history[0]
    look = {"Promoted": "green", "RolledBack": "red"}.get(past.outcome, "")
    text = Text.assemble((past.outcome, look), f" {since(past.ended_at, now)} ago")
    if past.commit:
        text.append(f"  {past.commit[:SHORT_COMMIT]}", style="dim")
    if past.message:
        text.append(f"  {past.message}")
    return text
