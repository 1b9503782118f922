"""One tick of a thousand releases: how many queries, and how much processor time the planner takes.

Each release has three metrics that are compared, each with a selector of bad events and one of all: the most that three
metrics can ask for. Three shapes of identity: pods by `namespace` and `pod_template_hash`, a gateway's cluster names,
which are long, and labels of which only a pattern is known.
No source is asked: its answers are made here, with as many series as real ones would have.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from benchmarks.figures import Figure
from canary.analysis.metric import Compare, CounterMetric
from canary.analysis.samples import Series, Track, TrackLabel
from canary.metrics.planner import plan
from canary.metrics.session import AnalysisSession
from canary.metrics.source import Answer, Query, Sample

RELEASES: Final = 1000
METRICS: Final = 3
BEGAN: Final = 1_700_000_000.0
NOW: Final = BEGAN + 60.0

Naming = Callable[[int, str], Track]


def by_pods(release: int, track: str) -> Track:
    """Labels of an application's own metrics."""
    return (
        TrackLabel("namespace", f"team-{release // 10:03}"),
        TrackLabel("pod_template_hash", f"{release * 2654435761 % 2**32:08x}{track[:2]}"),
    )


def by_cluster(release: int, track: str) -> Track:
    """The label of a gateway's metrics."""
    end = "-canary_80" if track == "canary" else "_80"
    return (TrackLabel("envoy_cluster_name", f"team-{release // 10:03}_checkout-service-{release:04}{end}"),)


def by_pattern(release: int, track: str) -> Track:
    """A label of which only a pattern is known, as of a load balancer's target groups."""
    service = f"checkout-service-{release:04}{'-canary' if track == 'canary' else ''}"
    return (TrackLabel("target_group", f"team-{release // 10:03}/.+-{service}:[a-z0-9-]+", regex=True),)


SHAPES: Final[dict[str, Naming]] = {"pods": by_pods, "gateway": by_cluster, "patterns": by_pattern}


def metrics_of(release: int, naming: Naming) -> list[CounterMetric]:
    """Return the three metrics of one release."""
    canary, stable = naming(release, "canary"), naming(release, "stable")
    return [
        CounterMetric(f"t/{name}", "main", bad, total, candidate=canary, stable=stable, judge=Compare())
        for name, bad, total in (
            ("errors", 'http_requests_total{code=~"5.."}', "http_requests_total"),
            ("slow", 'http_slow_total{code!="101"}', 'http_done_total{code!="101"}'),
            ("retried", 'upstream_retries_total{class="5xx"}', "upstream_requests_total"),
        )
    ]


def answer_to(query: Query, naming: Naming) -> Answer:
    """Return what a source would say: a series for each track of each release, sampled every 10 s."""
    times = np.arange(query.at - 50.0, query.at + 1.0, 10.0)
    made = []
    for release in range(RELEASES):
        for track in ("canary", "stable"):
            labels = {label.name: _text(label) for label in naming(release, track)} | {"pod": f"pod-{release}-{track}"}
            made.append(Series(tuple(sorted(labels.items())), times, times - BEGAN))
    return Sample(tuple(made))


def _text(label: TrackLabel) -> str:
    """A value that the label takes."""
    return label.value.replace("/.+-", "/ingress-").replace(":[a-z0-9-]+", ":http") if label.regex else label.value


def run(*, quick: bool = False) -> Sequence[Figure]:
    """Measure each shape."""
    return [figure for shape, naming in SHAPES.items() for figure in measure(shape, naming, 3 if quick else 9)]


def measure(shape: str, naming: Naming, times: int) -> list[Figure]:
    """Measure one shape: the least of several, as whatever else runs only adds."""
    sessions = [AnalysisSession.start(metrics_of(release, naming), started_at=BEGAN) for release in range(RELEASES)]
    grouping, splitting = [], []
    queries: tuple[Query, ...] = ()
    answers: dict[Query, Answer] = {}
    gc.collect()
    for _ in range(times):
        began = time.process_time()
        planned = plan(need for session in sessions for need in session.needs(NOW))
        queries = planned.queries
        grouping.append(time.process_time() - began)
        answers = answers or {query: answer_to(query, naming) for query in queries}
        began = time.process_time()
        replies = planned.replies(answers)
        splitting.append(time.process_time() - began)
        if any(not isinstance(reply, Sample) for reply in replies.values()):
            raise AssertionError("a release did not get its series")
    total = min(a + b for a, b in zip(grouping, splitting, strict=True))
    return [
        Figure.at_most(
            f"{shape}: queries of a tick, {RELEASES} releases x {METRICS} metrics", len(queries), "queries", 10
        ),
        Figure.at_most(f"{shape}: processor time of the planner", total * 1000, "ms", 150),
        Figure.seen(f"{shape}: of it, needs and their queries", min(grouping) * 1000, "ms"),
        Figure.seen(f"{shape}: of it, answers to who needs them", min(splitting) * 1000, "ms"),
        Figure.seen(f"{shape}: longest query", max(len(query.expression) for query in queries), "characters"),
    ]
