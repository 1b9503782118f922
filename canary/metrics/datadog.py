"""Datadog: its metrics' query API (`/api/v1/query`).

A query that groups (`by {pod}`) answers with a series for each group, whose tags are its labels. What it says of a
broken query comes with status 200 and `status: error`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Final

from typing_extensions import override

from canary.api.language import Language
from canary.errors import SpecInvalid
from canary.metrics.remote import Points, RemoteSource, Told, number

API_KEY: Final = "DD-API-KEY"
APPLICATION_KEY: Final = "DD-APPLICATION-KEY"


class DatadogSource(RemoteSource):
    """Asks Datadog."""

    language: ClassVar = Language.DATADOG

    @override
    def fetch(self, expression: str, start: float, end: float) -> Told:
        parameters = {"query": expression, "from": int(start), "to": int(end)}
        body = self.call("GET", "/api/v1/query", params=parameters).json()
        if body["status"] != "ok":
            raise SpecInvalid(f"{self.config.said} refuses the query: {body.get('error') or body['status']}"[:500])
        return Told(tuple(_points(each) for each in body["series"]))


def _points(told: dict[str, Any]) -> Points:
    tags: Iterable[str] = told.get("tag_set") or ()
    labels = {name: value for name, _, value in (tag.partition(":") for tag in tags)}
    return Points(labels, tuple((float(at) / 1000, number(value)) for at, value in told["pointlist"]))
