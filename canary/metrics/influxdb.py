"""InfluxDB: InfluxQL (1, and the compatible API of 2 and 3) and Flux (2). A query has `$range` where the time goes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from typing_extensions import override

from canary.api.language import Language
from canary.errors import MetricsUnavailable, SpecInvalid
from canary.metrics.remote import Points, RemoteSource, Stretch, Told, number
from canary.metrics.source import SourceConfig

RANGE: Final = "$range"
_NO_LABELS: Final = frozenset({"", "result", "table", "_start", "_stop", "_time", "_value"})
"""Columns of a table of Flux that do not name its series."""


class InfluxqlSource(RemoteSource):
    """Asks one database in InfluxQL."""

    language: ClassVar = Language.INFLUXQL

    def __init__(self, config: SourceConfig, stretch: Stretch, *, database: str, retention_policy: str = "") -> None:
        super().__init__(config, stretch)
        self._database = {"db": database} | ({"rp": retention_policy} if retention_policy else {})

    @override
    def fetch(self, expression: str, start: float, end: float) -> Told:
        text = _ranged(expression, f"time > {int(start * 1000)}ms AND time <= {int(end * 1000)}ms")
        body = self.call("POST", "/query", data={**self._database, "q": text, "epoch": "ms"}).json()
        (result,) = body["results"]
        if result.get("error"):
            raise SpecInvalid(f"{self.config.said} refuses the query: {result['error']}"[:500])
        partial = result.get("partial") or any(each.get("partial") for each in result.get("series") or ())
        return Told(
            tuple(_points(each) for each in result.get("series") or ()),
            ("partial: the result set is cut off",) if partial else (),
        )


class FluxSource(RemoteSource):
    """Asks one organization in Flux."""

    language: ClassVar = Language.FLUX

    def __init__(self, config: SourceConfig, stretch: Stretch, *, organization: str) -> None:
        super().__init__(config, stretch)
        self._organization = organization

    @override
    def fetch(self, expression: str, start: float, end: float) -> Told:
        text = _ranged(expression, f"start: {_time(start)}, stop: {_time(end)}")
        dialect = {"header": True, "annotations": [], "delimiter": ","}
        response = self.call(
            "POST",
            "/api/v2/query",
            params={"org": self._organization},
            json={"query": text, "type": "flux", "dialect": dialect},
            headers={"Accept": "application/csv"},
        )
        response.encoding = "utf-8"
        found: dict[tuple[tuple[str, str], ...], list[tuple[float, float | None]]] = {}
        for row in _rows(response.text):
            if row.get("error"):
                raise MetricsUnavailable(f"{self.config.said} broke off: {row['error']}"[:500])
            labels = tuple(sorted((name, value) for name, value in row.items() if name not in _NO_LABELS))
            at = datetime.fromisoformat(row.get("_time") or row["_stop"]).timestamp()
            found.setdefault(labels, []).append((at, number(row["_value"] or None)))
        return Told(tuple(Points(dict(labels), tuple(points)) for labels, points in found.items()))


def _ranged(text: str, bounds: str) -> str:
    if text.count(RANGE) != 1:
        raise SpecInvalid(
            f"a query to InfluxDB needs {RANGE} once, where the time is bounded (WHERE {RANGE}, or range({RANGE}))"
        )
    return text.replace(RANGE, bounds)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _points(told: dict[str, Any]) -> Points:
    columns = told["columns"]
    if len(columns) != 2 or columns[0] != "time":
        raise SpecInvalid(f"the InfluxQL query must select one number, and selects {columns[1:]}")
    return Points(told.get("tags") or {}, tuple((float(at) / 1000, number(value)) for at, value in told["values"]))


def _rows(text: str) -> Iterator[dict[str, str]]:
    """Rows of all tables: an empty line ends a table, and the next has a header of its own."""
    header: list[str] | None = None
    for line in csv.reader(io.StringIO(text, newline="")):
        if not line:
            header = None
        elif header is None:
            header = line
            if not {"_value", "error"} & set(header):
                raise KeyError("_value")
        else:
            yield dict(zip(header, line, strict=True))
