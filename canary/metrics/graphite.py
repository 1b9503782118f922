"""Graphite: its render API in JSON. A series that has tags is known by them, any other by its target."""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from canary.api.language import Language
from canary.metrics.remote import Points, RemoteSource, Told, number


class GraphiteSource(RemoteSource):
    """Asks Graphite, or what speaks its render API."""

    language: ClassVar = Language.GRAPHITE

    @override
    def fetch(self, expression: str, start: float, end: float) -> Told:
        form = {"target": expression.strip(), "from": int(start), "until": int(end), "format": "json"}
        return Told(
            tuple(
                Points(
                    each.get("tags") or {"target": each["target"]},
                    tuple((float(at), number(value)) for value, at in each["datapoints"]),
                )
                for each in self.call("POST", "/render", data=form).json()
            )
        )
