"""New Relic: NRQL by NerdGraph. The time and its buckets are added to a query: SINCE, UNTIL, TIMESERIES."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from typing_extensions import override

from canary.api.language import Language
from canary.errors import MetricsUnavailable, SpecInvalid
from canary.metrics.remote import Points, RemoteSource, Stretch, Told, number
from canary.metrics.source import SourceConfig

GRAPHQL: Final = (
    "query($account: Int!, $nrql: Nrql!, $timeout: Seconds) "
    "{ actor { account(id: $account) { nrql(query: $nrql, timeout: $timeout) { results } } } }"
)
MOST_BUCKETS: Final = 366
"""Of TIMESERIES; New Relic refuses more."""
_TIMES: Final = frozenset({"beginTimeSeconds", "endTimeSeconds", "inspectedCount"})


class NewRelicSource(RemoteSource):
    """Asks New Relic about one account."""

    language: ClassVar = Language.NRQL

    def __init__(self, config: SourceConfig, stretch: Stretch, *, account: int, bucket_seconds: int) -> None:
        super().__init__(config, stretch)
        self._account = account
        self._bucket_seconds = bucket_seconds

    @override
    def fetch(self, expression: str, start: float, end: float) -> Told:
        since, until = int(start * 1000), int(end * 1000)
        # After a long pause there is much to ask for: fewer, wider buckets rather than a query that is refused.
        bucket = max(self._bucket_seconds, math.ceil((end - start) / MOST_BUCKETS))
        nrql = f"{expression.strip()} SINCE {since} UNTIL {until} TIMESERIES {bucket} seconds"
        timeout = max(1, min(round(self.config.timeout_seconds), 70))
        variables = {"account": self._account, "nrql": nrql, "timeout": timeout}
        body = self.call("POST", "/graphql", json={"query": GRAPHQL, "variables": variables}).json()
        errors = body.get("errors") or ()
        results = _results(body)
        if errors and results is None:
            self._refused(errors)
        if results is None:
            raise KeyError("results")
        return Told(_series(results), tuple(str(each.get("message")) for each in errors))

    def _refused(self, errors: Iterable[Mapping[str, Any]]) -> None:
        said = "; ".join(str(each.get("message")) for each in errors)[:300]
        kinds = {str((each.get("extensions") or {}).get("errorClass", "")) for each in errors}
        if "NRQL" in said.split(":")[0] or "INVALID_INPUT" in kinds:
            raise SpecInvalid(f"{self.config.said} refuses the query: {said}")
        raise MetricsUnavailable(f"{self.config.said} answered with an error: {said}")


def _results(body: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    found: Any = body.get("data")
    for key in ("actor", "account", "nrql", "results"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, list) else None


def _series(results: Iterable[Mapping[str, Any]]) -> tuple[Points, ...]:
    """Buckets by their facets; each has one number, which may stand a level deeper, as a percentile does."""
    found: dict[tuple[tuple[str, str], ...], list[tuple[float, float | None]]] = {}
    for bucket in results:
        rest = {key: value for key, value in bucket.items() if key not in _TIMES and key != "facet"}
        labels = tuple(sorted((key, value) for key, value in rest.items() if isinstance(value, str)))
        numbers = [value for value in rest.values() if not isinstance(value, str)]
        numbers = [inner for value in numbers for inner in (value.values() if isinstance(value, dict) else [value])]
        if len(numbers) != 1:
            raise SpecInvalid(f"the NRQL query must select one number, and selects {len(numbers)}: {sorted(rest)}")
        found.setdefault(labels, []).append((float(bucket["endTimeSeconds"]), number(numbers[0])))
    return tuple(Points(dict(labels), tuple(points)) for labels, points in found.items())
