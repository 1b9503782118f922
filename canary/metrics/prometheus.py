"""Prometheus, and what speaks its API (Thanos, Mimir, VictoriaMetrics), by prometheus-api-client.

Four things that the client leaves open are closed here: it has no time limit unless given one, it retries by itself
while the operator has its own backoff, it sends a POST's query in the address (too long for proxies once a query names
a thousand Rollouts), and it drops what says that an answer is partial, so that it looks like missing series.

Partial is what says so: `warnings` of Prometheus, Thanos and Mimir, `isPartial` of VictoriaMetrics. `infos` are remarks
on the query, and nothing is missing for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, NoReturn

import numpy as np
import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import MetricValueConversionError, PrometheusApiClientException
from typing_extensions import override
from urllib3.util.retry import Retry

from canary.analysis.native import NativeSeries
from canary.analysis.samples import Series
from canary.api.language import Language
from canary.errors import CanaryError, MetricsUnavailable, SpecInvalid
from canary.metrics import transport
from canary.metrics.source import Kind, NoData, Partial, Query, Sample, SourceConfig
from canary.metrics.transport import Transport

ERRORS: Final[tuple[tuple[type[Exception], type[MetricsUnavailable], str], ...]] = (
    *transport.ERRORS,
    (PrometheusApiClientException, MetricsUnavailable, "answered with an error: {error}"),
    (MetricValueConversionError, MetricsUnavailable, "answered with a value that is no number: {error}"),
)
"""Every error of the client and of what it is built on, the first that fits; what a caller sees; and what is said."""

MALFORMED: Final = (KeyError, TypeError, ValueError, IndexError)
"""What reading an answer of another shape raises."""


class _PartialAnswer(Exception):
    """Carries the warnings past the client, which has no place for them."""

    def __init__(self, warnings: tuple[str, ...]) -> None:
        super().__init__(*warnings)
        self.warnings = warnings


class _FormSession(Transport):
    """Sends a POST's parameters as a form, so that a long query is no long address."""

    @override
    def request(self, method: str, url: str, *rest: Any, **options: Any) -> requests.Response:  # type: ignore[override]  # callers pass keywords
        """Send one request."""
        if method == "POST":
            options["data"] = options.pop("params", None)
        return super().request(method, url, *rest, **options)


class PrometheusSource:
    """A `MetricSource` over Prometheus' HTTP API. Safe to share between threads; close it at the end.

    >>> source = PrometheusSource(SourceConfig("main", "http://127.0.0.1:9090"))
    >>> source.close()
    """

    language: ClassVar = Language.PROMQL

    def __init__(self, config: SourceConfig) -> None:
        self.config = config
        self.transport = session = _FormSession(config)
        session.hooks["response"].append(self._inspect)
        self._parameters: dict[str, list[str]] = {}
        for name, value in config.parameters:
            self._parameters.setdefault(name, []).append(value)
        self._client = PrometheusConnect(
            url=config.url.rstrip("/"),
            headers=dict(config.headers),
            session=session,
            retry=Retry(total=0),
            # The client's annotation says int; it hands the number to requests, which takes a float.
            timeout=config.timeout_seconds,
            method="POST",
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, query: Query) -> Sample | NoData | Partial:
        """Answer one query; see `MetricSource.ask`."""
        parameters = {**self._parameters, "timeout": f"{self.config.timeout_seconds:g}s"}
        try:
            if query.kind is Kind.VALUES:
                result = self._client.custom_query_range(
                    query.expression,
                    datetime.fromtimestamp(query.start, UTC),
                    datetime.fromtimestamp(query.at, UTC),
                    f"{query.step_seconds:g}",
                    # The client rounds both ends to whole seconds; these take their place.
                    params={**parameters, "start": f"{query.start:.3f}", "end": f"{query.at:.3f}"},
                )
            else:
                result = self._client.custom_query(query.expression, params={**parameters, "time": f"{query.at:.3f}"})
            return _read(result, query)
        except CanaryError:
            raise
        except _PartialAnswer as partial:
            return Partial(partial.warnings)
        except MALFORMED as error:
            # Before the table, as requests' JSON error is a ValueError too and says so itself.
            if isinstance(error, requests.exceptions.RequestException):
                self._fail(error)
            raise MetricsUnavailable(
                f"{self.config.said} answered in a shape that is not Prometheus': {error!r}"
            ) from error
        except Exception as error:  # noqa: BLE001 -- the table names each, and what it does not name is raised again
            self._fail(error)

    def _fail(self, error: Exception) -> NoReturn:
        for known, ours, text in ERRORS:
            if isinstance(error, known):
                said = text.format(timeout=self.config.timeout_seconds, error=str(error)[:300])
                raise ours(f"{self.config.said} {said}") from error
        raise error

    def _inspect(self, response: requests.Response, *_: object, **__: object) -> None:
        """Look at each answer before the client throws its warnings and its error's kind away."""
        if response.status_code == requests.codes.ok:
            # A look at the bytes first: answers are large and warnings rare.
            if b'"warnings"' in response.content or b'"isPartial"' in response.content:
                body = response.json()
                if warnings := _why_partial(body) if isinstance(body, Mapping) else ():
                    raise _PartialAnswer(warnings)
            return
        self.transport.check(response, _error_text(response))


def _why_partial(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Why parts of an answer may be missing; empty: none are."""
    warnings = tuple(str(each)[:300] for each in body.get("warnings") or ())
    return warnings or (("isPartial: a storage node did not answer",) if body.get("isPartial") is True else ())


def _error_text(response: requests.Response) -> str:
    """Prometheus' own words, or the beginning of what a proxy said in its place."""
    try:
        body = json.loads(response.content)
        return f"{body['errorType']}: {body['error']}"[:500]
    except MALFORMED:
        return response.text.strip()[:200] or "without a text"


def _read(result: Sequence[Mapping[str, Any]] | Sequence[Any], query: Query) -> Sample | NoData:
    """Vector, matrix or scalar to series."""
    if len(result) == 2 and not isinstance(result[0], Mapping):
        return Sample((_series({}, [result]),))  # a scalar: [time, "value"]
    if query.kind is Kind.SAMPLES and any("value" in each or "histogram" in each for each in result):
        raise SpecInvalid(f"the query must select a range of samples, as in metric[1m]: {query.expression[:200]}")
    if query.kind is not Kind.SAMPLES and any("histogram" in each or "histograms" in each for each in result):
        raise SpecInvalid(
            f"the query must give numbers, and gives native histograms: {query.expression[:200]} (histogram_count(), "
            "histogram_fraction() and histogram_quantile() make numbers of them)"
        )
    series = tuple(each for item in result for each in _all_of(item))
    return Sample(series) if series else NoData()


def _all_of(item: Mapping[str, Any]) -> Iterator[Series]:
    """What one item of a result holds: numbers, native histograms, or both, where one took the other's place."""
    if "values" in item or "value" in item:
        yield _series(item["metric"], item["values"] if "values" in item else [item["value"]])
    elif "histograms" not in item:
        raise KeyError("values")
    if "histograms" in item:
        yield _native(item["metric"], item["histograms"])


def _native(metric: Mapping[str, str], samples: Sequence[Sequence[Any]]) -> NativeSeries:
    return NativeSeries(
        tuple(sorted(metric.items())),
        np.array([float(pair[0]) for pair in samples]),
        np.array([float(pair[1]["count"]) for pair in samples]),
        tuple(
            np.array([[float(number) for number in bucket[1:4]] for bucket in pair[1].get("buckets", ())]).reshape(
                -1, 3
            )
            for pair in samples
        ),
    )


def _series(metric: Mapping[str, str], values: Sequence[Sequence[Any]]) -> Series:
    return Series(
        tuple(sorted(metric.items())),
        np.array([float(pair[0]) for pair in values]),
        np.array([float(pair[1]) for pair in values]),
    )
