"""What a template would have said in the past: of stable against itself, and of the releases that were.

A false alarm is a verdict against a canary that is none: some of stable's own pods, against the others. A release that
was is judged as it would have been then, with the samples that had come by each look.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import numpy as np

from canary.analysis.metric import Compare, EventMetric, Metric, ValueMetric
from canary.analysis.samples import Track, TrackLabel
from canary.analysis.verdict import Outcome, Verdict
from canary.errors import SpecInvalid
from canary.metrics.events import selectors
from canary.metrics.lifetimes import Life, lives, narrowed, pods_at, split_in_two
from canary.metrics.looks import first_seen, looks
from canary.metrics.past import PastSource, steps_of
from canary.metrics.promql import regex_of
from canary.metrics.session import AnalysisSession
from canary.metrics.source import MetricSource

SHORTEST_SECONDS: Final = 60.0
"""A release that both versions lived through for less time says nothing."""
_STABLE_MARK: Final = "0stable0"
_CANARY_MARK: Final = "0canary0"


class Kind(StrEnum):
    """What was judged."""

    SPLIT = "split"
    """Stable's pods against its own: each fail is a false alarm."""
    RELEASE = "release"
    """A release that was."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One attempt in the past, and what was said of it."""

    kind: Kind
    canary: str
    """The version, or the pods that were taken for one."""
    stable: str
    begins: float
    """Unix seconds."""
    ends: float
    verdict: Verdict | None
    """The last one; None when the time was too short for any."""
    decided_after: float | None
    """Seconds until it failed, or first passed; None when it did neither."""

    @property
    def failed(self) -> bool:
        """Whether it would have been rolled back."""
        return self.verdict is not None and self.verdict.outcome is Outcome.FAIL


Fill = Callable[[str, str], tuple[Metric, ...]]
"""The template's metrics for a stable and a canary pod-template-hash."""


@dataclass(frozen=True, slots=True)
class Backtest:
    """A template, and the past that it is tried on."""

    source: MetricSource
    fill: Fill
    begins: float
    """Unix seconds."""
    ends: float
    alpha: float = 0.01
    split: str = "pod"
    """The label by which stable is split."""

    def versions(self) -> tuple[Life, ...]:
        """Return the versions that lived, by pod-template-hash; one without a name when the series do not tell them."""
        metric = self._counted()
        track, label = _open(metric.stable)
        found = lives(self.source, metric.source, narrowed(_total(metric), track), label, self.begins, self.ends)
        if not label:
            return found
        pattern = next(each.value for each in track if each.name == label)
        named = ((re.fullmatch(pattern, life.name), life) for life in found)
        return tuple(replace(life, name=match[1]) for match, life in named if match is not None)

    def releases(self, versions: Sequence[Life]) -> Iterator[tuple[Life, Life]]:
        """Yield each stable and canary that lived side by side, the canary being the younger one.

        Where series do not tell versions, a release is a stretch of time in which the canary's track has series.
        """
        metric = self._counted()
        if not _open(metric.stable)[1]:
            selector = narrowed(_total(metric), metric.candidate)
            for life in lives(self.source, metric.source, selector, "", self.begins, self.ends):
                for stable in versions:
                    if stable.covers(life.begins, life.ends):
                        yield stable, life
            return
        for canary in versions:
            if canary.begins <= self.begins + SHORTEST_SECONDS:
                continue  # it may be older than what is looked at
            older = [v for v in versions if v.begins < canary.begins and v.ends >= canary.begins + SHORTEST_SECONDS]
            if older and canary.ends - canary.begins >= SHORTEST_SECONDS:
                yield max(older, key=lambda v: (min(v.ends, canary.ends), -v.begins)), canary

    def release(self, stable: str, canary: str, begins: float, ends: float) -> Trial:
        """Judge a release that was."""
        return self._judge(Kind.RELEASE, self.fill(stable, canary), (stable, canary), begins, ends)

    def splits(
        self, versions: Sequence[Life], lasts: float, most: int, share: float, rng: np.random.Generator
    ) -> Iterator[Trial]:
        """Judge some of stable's pods against the others, in windows one after the other, evenly spread.

        Raises
        ------
        SpecInvalid
            The series do not tell the pods apart.
        """
        count = int((self.ends - self.begins) // lasts)
        picked = np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)) if count > 0 else ()
        split = False
        for index in picked:
            begins = self.begins + lasts * int(index)
            whole = [life for life in versions if life.covers(begins, begins + lasts)]
            if not whole:
                continue
            stable = min(whole, key=lambda life: (life.begins, life.name)).name
            metric = self._counted()
            filled = next(m for m in self.fill(stable, stable) if m.name == metric.name)
            assert not isinstance(filled, ValueMetric), "it is the same metric"  # noqa: S101 -- for the types
            parts = pods_at(self.source, filled.source, _total(filled), filled.stable, self.split, begins + 120)
            if len(parts) < 2:
                continue
            split = True
            few = max(1, min(len(parts) - 1, round(share * len(parts))))
            chosen = sorted(rng.choice(parts, size=few, replace=False).tolist())
            others = [part for part in parts if part not in chosen]
            metrics = tuple(
                _halved(each, self.split, chosen, others)
                for each in self.fill(stable, stable)
                # An expression has no parts: compared, it would be with itself.
                if not (isinstance(each, ValueMetric) and isinstance(each.judge, Compare))
            )
            yield self._judge(Kind.SPLIT, metrics, (stable, ", ".join(chosen)), begins, begins + lasts)
        if not split and len(picked):
            raise SpecInvalid(
                f"stable cannot be split: nowhere in this time had its series two values of the label {self.split!r}; "
                "name another label that tells its parts by --split-by, or another time"
            )

    def _judge(
        self, kind: Kind, metrics: tuple[Metric, ...], names: tuple[str, str], begins: float, ends: float
    ) -> Trial:
        past = PastSource(self.source, until=ends, steps=steps_of(metrics))
        sources = {metric.source: past for metric in metrics}
        session = AnalysisSession.start(metrics, started_at=begins, alpha=self.alpha)
        session = session.with_ready_pods(first_seen(metrics, sources, begins, ends))
        verdict: Verdict | None = None
        passed: float | None = None
        for now, judged in looks(session, sources, ends):
            verdict = judged.verdict
            if verdict is not None and verdict.outcome is Outcome.PASS and passed is None:
                passed = now - begins
            if verdict is not None and verdict.outcome is Outcome.FAIL:
                passed = now - begins
        return Trial(kind, names[1], names[0], begins, ends, verdict, passed)

    def _counted(self) -> EventMetric:
        """Return a metric that counts requests on both tracks, with marks in the place of both versions.

        Raises
        ------
        SpecInvalid
            The template has none.
        """
        for metric in self.fill(_STABLE_MARK, _CANARY_MARK):
            if not isinstance(metric, ValueMetric):
                return metric
        raise SpecInvalid("the template has no counter or histogram: there is nothing to split, or to find releases by")


def _total(metric: EventMetric) -> str:
    return selectors(metric)["total"]


def _open(track: Track) -> tuple[Track, str]:
    """Return the track with any version in it, and the label that names the version; empty when none does."""
    opened, found = [], ""
    for label in track:
        if _STABLE_MARK in label.value and not found:
            text = label.value if label.regex else regex_of([label.value])
            opened.append(TrackLabel(label.name, text.replace(_STABLE_MARK, "([a-z0-9]+)"), regex=True))
            found = label.name
        else:
            opened.append(label)
    return tuple(opened), found


def _halved(metric: Metric, split: str, chosen: Sequence[str], others: Sequence[str]) -> Metric:
    """Return the metric with some of stable's parts as the candidate; an expression, of all of stable."""
    if isinstance(metric, ValueMetric):
        return metric
    return replace(
        metric,
        candidate=split_in_two(metric.stable, split, chosen),
        stable=split_in_two(metric.stable, split, others),
        split=split,
    )
