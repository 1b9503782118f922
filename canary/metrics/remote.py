"""What sources share that answer with a series of points over a stretch of time: all but Prometheus and `web`.

A value at an instant is the newest point of the stretch before it. Such systems gather for a while before they answer
with a point, so the newest ones may be missing, or still growing: `delay_seconds` looks that much earlier.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import requests

from canary.analysis.samples import Series
from canary.api.language import Language
from canary.errors import CanaryError, MetricsUnavailable, SpecInvalid
from canary.metrics.source import Kind, NoData, Partial, Query, Sample, SourceConfig
from canary.metrics.transport import Transport

MALFORMED: Final = (KeyError, TypeError, ValueError, IndexError, AttributeError)
"""What reading an answer of another shape raises."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which points count."""

    lookback_seconds: float = 300.0
    """A point older than this says nothing of now."""
    delay_seconds: float = 0.0
    """How far before the present the newest whole point is."""


@dataclass(frozen=True, slots=True)
class Points:
    """One series as a source tells it, in any order; None for a gap."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float | None], ...]
    """Unix seconds and value."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a source answered."""

    series: tuple[Points, ...]
    warnings: tuple[str, ...] = ()
    """Why parts may be missing; empty: nothing is."""


class RemoteSource(ABC):
    """A `MetricSource` of values; what differs from system to system is `fetch`. Close it at the end."""

    language: ClassVar[Language]

    def __init__(self, config: SourceConfig, stretch: Stretch) -> None:
        self.config = config
        self.stretch = stretch
        self.transport = Transport(config)

    @abstractmethod
    def fetch(self, expression: str, start: float, end: float) -> Told:
        """Ask for the points between two instants, Unix seconds.

        Raises
        ------
        MetricsUnavailable, SpecInvalid
            As `MetricSource.ask`. What reading an answer of another shape raises may pass, and errors of requests.
        """

    def close(self) -> None:
        """Close the connections."""
        self.transport.close()

    def ask(self, query: Query) -> Sample | NoData | Partial:
        """Answer one query; see `MetricSource.ask`."""
        if query.kind is Kind.SAMPLES:
            raise SpecInvalid(
                f"{self.config.said} takes {self.language} queries for values; counters need a source of PromQL"
            )
        instants = [each - self.stretch.delay_seconds for each in instants_of(query)]
        told = self._told(query.expression, instants[0] - self.stretch.lookback_seconds, instants[-1])
        if told.warnings:
            return Partial(tuple(warning[:300] for warning in told.warnings))
        found = (_at(each, instants, self.stretch.lookback_seconds) for each in told.series)
        series = tuple(each for each in found if len(each.times))
        return Sample(series) if series else NoData()

    def _told(self, expression: str, start: float, end: float) -> Told:
        try:
            return self.fetch(expression, start, end)
        except (CanaryError, requests.exceptions.RequestException) as error:
            # Before the shapes', as requests' JSON error is a ValueError too.
            if isinstance(error, CanaryError):
                raise
            self.transport.fail(error)
        except MALFORMED as error:
            raise MetricsUnavailable(
                f"{self.config.said} answered in a shape that is not a {self.language} source's: {error!r}"[:500]
            ) from error

    def call(self, method: str, path: str, **options: Any) -> requests.Response:  # noqa: ANN401 -- requests' own
        """Send one request below the base address and return an answer whose status is good."""
        response = self.transport.request(method, f"{self.config.url}{path}", **options)
        self.transport.check(response, self.error_of(response))
        return response

    def error_of(self, response: requests.Response) -> str:
        """Return the source's own words for an error: the usual fields of a JSON answer, else how the text begins."""
        return words_of(response)


def words_of(response: requests.Response) -> str:
    """Return what an error's answer says, in one line."""
    said: object = response.text
    try:
        body = response.json()
        if isinstance(body, Mapping):
            said = next((body[key] for key in ("errors", "error", "message", "Message") if body.get(key)), said)
            if isinstance(said, Mapping):
                said = said.get("message") or said
            if isinstance(said, list):
                said = "; ".join(str(each.get("message", each) if isinstance(each, Mapping) else each) for each in said)
    except ValueError:
        pass
    return " ".join(str(said).split())[:300] or "without a text"


def instants_of(query: Query) -> list[float]:
    """Return the instants that a query is about, ascending."""
    if query.kind is Kind.VALUE or query.step_seconds <= 0:
        return [query.at]
    count = round((query.at - query.start) / query.step_seconds)
    return [query.start + query.step_seconds * index for index in range(count + 1)]


def _at(told: Points, instants: Iterable[float], lookback: float) -> Series:
    """The newest point at each instant; instants without one are left out."""
    known = sorted((time, value) for time, value in told.points if value is not None)
    times = np.array([time for time, _ in known])
    found: list[tuple[float, float]] = []
    for instant in instants:
        index = int(np.searchsorted(times, instant, side="right")) - 1
        if index >= 0 and known[index][0] > instant - lookback:
            found.append((instant, known[index][1]))
    labels = tuple(sorted((str(name), str(value)) for name, value in told.labels.items()))
    return Series(labels, np.array([time for time, _ in found]), np.array([value for _, value in found]))


def number(value: object) -> float | None:
    """Return a value of JSON as a number; None for a gap.

    Raises
    ------
    TypeError, ValueError
        It is neither.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        raise TypeError(f"{value!r} is not a number")
    return float(value)  # type: ignore[arg-type]  # what is no number raises what is said


def finite(value: float | None) -> float | None:
    """Return the number, or a gap in the place of what is no number, where a source writes gaps so."""
    return None if value is None or not math.isfinite(value) else value
