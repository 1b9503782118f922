"""The files in `analysis/scenarios/`: how one template's series tell of a release, and which verdicts are expected."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, model_validator

ROOT = Path(__file__).resolve().parents[3]
LIBRARY = ROOT / "analysis"
TEMPLATES = {path.stem: path for path in sorted(LIBRARY.glob("*.yaml"))}
"""By the file's name without `.yaml`."""

Expected = Literal["pass", "fail", "inconclusive", "error", "not-fail"]
"""`not-fail`: pass or inconclusive, whichever the noise makes it."""


class Strict(BaseModel):
    """A part of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SeriesOf(Strict):
    """Series of one name."""

    metric: str
    labels: dict[str, str] = {}
    """Beside the file's; `${namespace}`, `${workload}`, `${service}`, `${port}`, `${hash}` and `${pod}` are the track's,
    `${namespace_word}` has underscores for dashes, `${target}` is the gateway's or exporter's pod."""
    each: Literal["pod", "gateway", "exporter"] | None = None
    """Absent: the file's."""
    only: Literal["canary", "stable", "service"] | None = None
    """On one track alone, for what a template must not count; or one level of the service, both tracks together."""
    counts: Literal["requests", "good", "bad", "wanted", "durations"] | None = None
    """What a counter counts; durations make a histogram: `_bucket`, `_sum` and `_count`."""
    part: float = 1.0
    """Of what is counted."""
    last: int | None = None
    """Not a counter but a gauge of what was counted in the last so many seconds, as exporters of cloud metrics give."""
    buckets: tuple[str, ...] = ()
    """Bounds of the histogram, as they stand in `le`, without +Inf."""
    unit: float = 1.0
    """Of the histogram, in seconds: 0.001 is a millisecond."""
    grows: float | None = None
    """A counter that grows by so much a second and pod, times the level."""
    level: float | None = None
    """A gauge of about so much, times the level."""
    most: float = float("inf")
    """Of a gauge."""
    constant: float | None = None
    """A gauge that is always so much."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [each for each in (self.counts, self.grows, self.level, self.constant) if each is not None]
        if len(given) != 1:
            raise ValueError(f"{self.metric}: give one of counts, grows, level and constant")
        if (self.counts == "durations") != bool(self.buckets):
            raise ValueError(f"{self.metric}: buckets belong to durations")
        if self.only == "service" and self.counts is not None:
            raise ValueError(f"{self.metric}: of the whole service there are levels only")
        return self


class ScenarioFile(Strict):
    """A template's scenarios."""

    rules: str | None = None
    """File in `analysis/rules/` whose recording rules the template needs."""
    args: dict[str, str] = {}
    """What the Rollout gives; `${namespace}` and `${namespace_word}` may stand here."""
    each: Literal["pod", "gateway", "exporter"]
    """What is scraped: each pod; two gateway pods, each of which tells of both tracks; or one exporter that does."""
    labels: dict[str, str] = {}
    """Of all series."""
    series: tuple[SeriesOf, ...]
    expect: dict[str, dict[str, Expected]]
    """By metric, by scenario."""


@cache
def scenarios_of(template: str) -> ScenarioFile:
    """A template's file, by the name of the template's own without `.yaml`."""
    text = (LIBRARY / "scenarios" / f"{template}.yaml").read_text(encoding="utf-8")
    return ScenarioFile.model_validate(yaml.safe_load(text))
