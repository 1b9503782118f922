"""Dynatrace: the metrics API, version 2. Warnings, and a further page, say that parts are missing."""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from canary.api.language import Language
from canary.metrics.remote import Points, RemoteSource, Stretch, Told, number
from canary.metrics.source import SourceConfig


class DynatraceSource(RemoteSource):
    """Asks one environment of Dynatrace."""

    language: ClassVar = Language.DYNATRACE

    def __init__(self, config: SourceConfig, stretch: Stretch, *, resolution: str) -> None:
        super().__init__(config, stretch)
        self._resolution = resolution

    @override
    def fetch(self, expression: str, start: float, end: float) -> Told:
        parameters = {
            "metricSelector": expression.strip(),
            "from": int(start * 1000),
            "to": int(end * 1000),
            "resolution": self._resolution,
        }
        body = self.call("GET", "/api/v2/metrics/query", params=parameters).json()
        results = body["result"]
        warnings = [*(body.get("warnings") or ()), *(w for each in results for w in each.get("warnings") or ())]
        if body.get("nextPageKey"):
            warnings.append("there is a next page: aggregate the metric to one series")
        return Told(
            tuple(
                Points(
                    data.get("dimensionMap") or {},
                    tuple(
                        (float(at) / 1000, number(value))
                        for at, value in zip(data["timestamps"], data["values"], strict=True)
                    ),
                )
                for each in results
                for data in each["data"]
            ),
            tuple(str(each) for each in warnings),
        )
