"""Whether a Rollout's steps can gather the evidence that they wait for, at a given traffic."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from canary.analysis.metric import Compare
from canary.analysis.power import seconds_to_find
from canary.api.rollout import Rollout
from canary.api.strategy import WeightStep
from canary.lint.documents import Document
from canary.lint.finding import Finding, Level, Rule

WORSE = (2.0, 5.0)
"""Ratios that are told: what few would notice, and what many do."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the service has, in quiet hours: they decide whether a release goes on at night."""

    requests_per_second: float
    bad_share: float
    """Of stable, above 0 and below 1."""


def look_at_steps(
    document: Document, rollout: Rollout, judges: list[tuple[str, Compare]], traffic: Traffic
) -> Iterator[Finding]:
    """Look at each step with each metric that is judged by comparison; `judges` are names and judges with alpha set."""
    numbered = [
        (index, step) for index, step in enumerate(rollout.spec.effective_steps()) if isinstance(step, WeightStep)
    ]
    for name, judge in judges:
        for index, step in numbered:
            yield from _too_few(document, name, judge, index, step, traffic)
        yield from _unseen(document, rollout, name, judge, [step for _, step in numbered], traffic)


def _too_few(
    document: Document, name: str, judge: Compare, index: int, step: WeightStep, traffic: Traffic
) -> Iterator[Finding]:
    rate = traffic.requests_per_second * step.weight_percent / 100
    needed = judge.warm_up_seconds + judge.fewest_requests / rate
    if needed <= step.at_most_seconds:
        return
    message = (
        f"step {index + 1} ({step.weight_percent} % for at most {roughly(step.at_most_seconds)}) cannot pass at "
        f"{traffic.requests_per_second:g} requests/s: {name} needs {judge.fewest_requests:g} canary requests after a "
        f"warm-up of {roughly(judge.warm_up_seconds)}, which take {roughly(needed)}; raise the weight or atMost"
    )
    path = f"spec.strategy.canary.steps[{index}]"
    yield document.finding(path, Level.WARNING, Rule.TRAFFIC, message)


def _unseen(
    document: Document, rollout: Rollout, name: str, judge: Compare, steps: list[WeightStep], traffic: Traffic
) -> Iterator[Finding]:
    """Say how long a worse canary takes to be found at the first step, and whether the release ends before."""
    first = steps[0]
    told = [(ratio, _seconds(judge, ratio, first.weight_percent / 100, traffic)) for ratio in WORSE]
    said = ", ".join(f"{roughly(seconds)} when {ratio:g} times worse" for ratio, seconds in told)
    at = f"at {traffic.requests_per_second:g} requests/s, {traffic.bad_share:.2g} of them bad"
    message = f"{name}: {at}, a worse canary is found at {first.weight_percent} % after about {said}"
    yield document.finding("spec.strategy.canary.steps", Level.NOTE, Rule.TRAFFIC, message)
    worst = WORSE[-1]
    shares = [(step.at_most_seconds, step.weight_percent / 100) for step in steps]
    shares.append((rollout.spec.bake_seconds(), 1.0))
    # At 100 % there is nothing to compare with, and little before it: stable's requests run out.
    seen = sum(seconds / _seconds(judge, worst, min(share, 0.9), traffic) for seconds, share in shares if share < 1)
    if seen < 1:
        message = (
            f"{name}: {at}, half of the canaries that are {worst:g} times worse go through all steps unseen; raise the "
            "weights, make the steps longer, or judge by threshold"
        )
        yield document.finding("spec.strategy.canary.steps", Level.WARNING, Rule.TRAFFIC, message)


def _seconds(judge: Compare, ratio: float, weight: float, traffic: Traffic) -> float:
    return judge.warm_up_seconds + seconds_to_find(
        requests_per_second=traffic.requests_per_second,
        weight=weight,
        bad_share=traffic.bad_share,
        ratio=ratio,
        tolerated_ratio=judge.tolerated_ratio,
        alpha=judge.alpha or 0.01,
    )


def roughly(seconds: float) -> str:
    """Say an estimated time in one unit, as people do.

    >>> roughly(42), roughly(600), roughly(14_400), roughly(math.inf)
    ('42 s', '10 min', '4 h', 'never')
    """
    if math.isinf(seconds):
        return "never"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} d"
