"""A small world for sessions: pods that count requests, a Prometheus that scrapes each at its own moments.

`reply` answers needs as a source and the planner would, without PromQL's text: that is tested against the real one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from canary.analysis.metric import Compare, CounterMetric, EventJudge
from canary.analysis.samples import Series, Track, TrackLabel, of_track
from canary.metrics.planner import CounterNeed, Need
from canary.metrics.source import Answer, NoData, Sample

CANARY = (TrackLabel("namespace", "shop"), TrackLabel("pod_template_hash", "new"))
STABLE = (TrackLabel("namespace", "shop"), TrackLabel("pod_template_hash", "old"))

Rate = Callable[[float], float]


def errors(judge: EventJudge | None = None, name: str = "http/errors", interval: float = 5.0) -> CounterMetric:
    return CounterMetric(
        name,
        "main",
        bad='http_requests_total{code=~"5.."}',
        total="http_requests_total",
        candidate=CANARY,
        stable=STABLE,
        judge=judge or Compare(),
        interval_seconds=interval,
    )


@dataclass
class Pod:
    name: str
    track: Track
    born: float
    """Its counters start at zero then; a second is the world's resolution."""
    phase: float
    """Seconds by which its scrapes are late."""
    good: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    bad: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    dies: float = np.inf


class World:
    """Counters of every pod by second from `begins` on, and what was scraped of them."""

    def __init__(self, seed: int = 1, *, begins: float = 0.0, lasts: int = 3600, interval: float = 15.0) -> None:
        self.rng = np.random.default_rng(seed)
        self.begins = begins
        self.lasts = lasts
        self.interval = interval
        self.pods: list[Pod] = []
        self.outages: list[tuple[float, float]] = []

    def serve(
        self,
        track: Track,
        pods: int,
        rps: Rate,
        bad_share: Rate,
        *,
        born: float | None = None,
        dies: float = np.inf,
    ) -> None:
        """Add pods that share `rps(t)` requests a second, `bad_share(t)` of them bad."""
        for index in range(pods):
            pod = Pod(
                f"{track[1].value}-{index}-{len(self.pods)}",
                track,
                self.begins if born is None else born,
                phase=float(self.rng.uniform(0, self.interval)),
                dies=dies,
            )
            seconds = self.begins + np.arange(self.lasts)
            alive = (seconds >= pod.born) & (seconds < dies)
            n = self.rng.poisson([rps(t) / pods for t in seconds]) * alive
            bad = self.rng.binomial(n, [min(1.0, bad_share(t)) for t in seconds])
            pod.good = np.concatenate([[0.0], np.cumsum(n - bad)])
            pod.bad = np.concatenate([[0.0], np.cumsum(bad)])
            self.pods.append(pod)

    def scrapes(self, pod: Pod, start: float, end: float) -> NDArray[np.float64]:
        first = np.ceil((start - self.begins - pod.phase) / self.interval)
        times = self.begins + pod.phase + self.interval * np.arange(first, first + (end - start) / self.interval + 1)
        kept = (times > start) & (times <= end) & (times >= max(pod.born, self.begins)) & (times <= pod.dies)
        for down, up in self.outages:
            kept &= (times < down) | (times >= up)
        return np.asarray(times[kept])

    def series(self, start: float, end: float) -> Iterable[Series]:
        for pod in self.pods:
            times = self.scrapes(pod, start, end)
            for code, counted in (("200", pod.good), ("503", pod.bad)):
                # By the second, with the fraction of the present one: as a counter that rises smoothly.
                values = np.floor(np.interp(times - self.begins, np.arange(self.lasts + 1), counted))
                born = values > 0 if code == "503" else np.ones(len(values), dtype=bool)  # born at its first error
                if born.any():
                    labels = (
                        *((label.name, label.value) for label in pod.track),
                        ("code", code),
                        ("instance", pod.name),
                        ("job", "pods"),
                        ("pod", pod.name),
                    )
                    yield Series(tuple(sorted(labels)), times[born], values[born])

    def reply(self, needs: Iterable[Need]) -> dict[Need, Answer]:
        replies: dict[Need, Answer] = {}
        for need in needs:
            assert isinstance(need, CounterNeed)
            found = tuple(
                series
                for series in self.series(need.at - need.window_seconds, need.at)
                if any(of_track([series], track) for track in need.tracks)
                and (not need.selector.matchers or series.label("code") == "503")
            )
            replies[need] = Sample(found) if found else NoData()
        return replies


def constant(value: float) -> Rate:
    return lambda _t: value
