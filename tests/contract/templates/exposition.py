"""Scenarios as OpenMetrics text with timestamps, told by the series of one template."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from canary.metrics.templates import Tracks
from tests.contract.templates import worlds
from tests.contract.templates.files import SeriesOf, scenarios_of
from tests.contract.templates.worlds import SCENARIOS, SCRAPE, SECONDS, START, FloatArray, Pod

STABLE_HASH, CANARY_HASH = "5d9c7f6b8", "6f8b5c4d7"
PORT = 8080
GATEWAYS = ("gateway-x2v5d", "gateway-z9k4m")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


def tracks(template: str, scenario: str) -> Tracks:
    """The names of a scenario's release: a Rollout `checkout` in a namespace of its own."""
    return Tracks(
        f"{template}-{scenario}",
        rollout="checkout",
        workload="checkout",
        stable_service="checkout",
        candidate_service="checkout-canary",
        service_port=PORT,
        stable_hash=STABLE_HASH,
        candidate_hash=CANARY_HASH,
    )


def _namespace(template: str, scenario: str) -> dict[str, str]:
    name = tracks(template, scenario).namespace
    return {"namespace": name, "namespace_word": name.replace("-", "_")}


def arguments(template: str, scenario: str) -> dict[str, str]:
    """What the scenario's Rollout gives."""
    known = _namespace(template, scenario)
    return {
        name: _VARIABLE.sub(lambda found: known[found[1]], text) for name, text in scenarios_of(template).args.items()
    }


@dataclass(frozen=True, slots=True)
class Told:
    """Who tells of which pods."""

    scenario: str
    pods: tuple[Pod, ...]
    times: NDArray[np.int64]
    """When it is scraped, as indices of `SECONDS`."""
    variables: dict[str, str]
    share: tuple[int, int] = (0, 1)
    """The which of how many tellers that have each a part of the whole."""
    restarts: int | None = None

    def fill(self, text: str) -> str:
        """A label's value."""
        return _VARIABLE.sub(lambda found: self.variables[found[1]], text)

    def counter(self, by_second: FloatArray) -> FloatArray:
        """Values of a counter at the scrapes."""
        index, of = self.share
        whole = np.floor((np.cumsum(by_second) + index) / of) if of > 1 else np.cumsum(by_second)
        if self.restarts is not None:
            at = int(np.searchsorted(SECONDS, self.restarts))
            whole = np.concatenate([whole[:at], whole[at:] - whole[at]])
        return whole[self.times]


def open_metrics(template: str) -> Iterator[str]:
    """Lines for all scenarios of a template, without the end mark."""
    file = scenarios_of(template)
    for scenario in SCENARIOS:
        for series in file.series:
            for told in _tellers(template, scenario, series, series.each or file.each):
                labels = {name: told.fill(text) for name, text in (file.labels | series.labels).items()}
                for suffix, more, values in _values(series, told):
                    yield from _lines(f"{series.metric}{suffix}", labels | more, told.times, values)


def _tellers(template: str, scenario: str, series: SeriesOf, each: str) -> Iterator[Told]:
    pods = _pods(scenario, series.only)
    for track in (False, True):
        name = "checkout-canary" if track else "checkout"
        known = {
            **_namespace(template, scenario),
            "workload": name,
            "service": name,
            "port": str(PORT),
            "hash": CANARY_HASH if track else STABLE_HASH,
        }
        members = tuple(pod for pod in pods if pod.canary is track)
        if each == "pod":
            for pod in members:
                times = np.arange(pod.first + pod.phase, pod.end, SCRAPE)
                own = {"pod": f"{name}-{pod.name}", "pod_ip": _address(template, scenario, pod)}
                yield Told(scenario, (pod,), times, known | own, restarts=pod.restarts)
        elif members:
            targets = GATEWAYS if each == "gateway" else GATEWAYS[:1]
            for index, target in enumerate(targets):
                times = np.arange(4 + 7 * index, len(SECONDS), SCRAPE)
                yield Told(scenario, members, times, known | {"target": target}, (index, len(targets)))


def _address(template: str, scenario: str, pod: Pod) -> str:
    """An address that no other pod has."""
    number = crc32(f"{template} {scenario} {pod.name}".encode())
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _pods(scenario: str, only: str | None) -> list[Pod]:
    """The pods that a series tells of."""
    seen = SCENARIOS[scenario].seen
    if only == "service":
        return [worlds.SERVICE] if seen else []
    shown = {only} if only else {"canary", "stable"}
    shown -= set() if seen else {"canary"}
    return [pod for pod in worlds.pods(SCENARIOS[scenario]) if ("canary" if pod.canary else "stable") in shown]


def _values(series: SeriesOf, told: Told) -> Iterator[tuple[str, dict[str, str], FloatArray]]:
    """Suffix of the name, further labels, and values at the scrapes; NaN where there is no sample."""
    counted = [worlds.counted(told.scenario, pod) for pod in told.pods]
    if series.counts == "durations":
        yield from _histogram(series, told)
    elif series.counts is not None:
        done = {
            "requests": [each.requests for each in counted],
            "bad": [each.bad for each in counted],
            "wanted": [each.wanted for each in counted],
            "good": [each.requests - each.bad for each in counted],
        }[series.counts]
        by_second = np.sum(done, axis=0) * series.part
        if series.last is not None:
            whole = np.concatenate([np.zeros(series.last), np.cumsum(by_second)])
            yield "", {}, (whole[series.last :] - whole[: -series.last])[told.times]
        else:
            values = told.counter(
                by_second if series.part == 1.0 else np.diff(np.floor(np.cumsum(by_second)), prepend=0.0)
            )
            # A series with labels is born at its first event.
            yield "", {}, np.where(np.cumsum(by_second)[told.times] > 0, values, np.nan)
    elif series.grows is not None:
        yield "", {}, told.counter(series.grows * np.sum([each.level * each.lives for each in counted], axis=0))
    elif series.level is not None:
        lives = np.sum([each.lives for each in counted], axis=0)
        level = np.sum([each.level * each.lives for each in counted], axis=0) / np.where(lives > 0, lives, np.nan)
        yield "", {}, np.minimum(series.level * level, series.most)[told.times]
    else:
        yield "", {}, np.full(len(told.times), series.constant)


def _histogram(series: SeriesOf, told: Told) -> Iterator[tuple[str, dict[str, str], FloatArray]]:
    bounds = tuple(float(bound) * series.unit for bound in series.buckets)
    by_bound = np.sum([worlds.durations(told.scenario, pod, bounds) for pod in told.pods], axis=0) * series.part
    for bound, by_second in zip((*series.buckets, "+Inf"), by_bound, strict=True):
        yield "_bucket", {"le": bound}, told.counter(by_second)
    every = told.counter(by_bound[-1])
    yield "_count", {}, every
    yield "_sum", {}, every * worlds.MEDIAN_SECONDS / series.unit


def _lines(name: str, labels: dict[str, str], times: NDArray[np.int64], values: FloatArray) -> Iterator[str]:
    text = ",".join(f'{label}="{value}"' for label, value in labels.items())
    head = f"{name}{{{text}}}"
    for index, value in zip(times.tolist(), values.tolist(), strict=True):
        if value == value:  # not NaN
            yield f"{head} {value:.10g} {START - worlds.BEFORE + index}"
