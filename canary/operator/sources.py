"""The metric sources of the configuration: one of each kind's models for each name, and what they are built into."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from pydantic import model_validator

from canary.api.model import SpecModel, given
from canary.errors import SpecInvalid
from canary.metrics.source import MetricSource, SourceConfig
from canary.operator.source_kinds import (
    CloudWatchSpec,
    DatadogSpec,
    DynatraceSpec,
    GraphiteSpec,
    InfluxDbSpec,
    NewRelicSpec,
    PrometheusSpec,
    StackdriverSpec,
    WebSpec,
)

KindSpec = (
    PrometheusSpec
    | DatadogSpec
    | CloudWatchSpec
    | NewRelicSpec
    | GraphiteSpec
    | InfluxDbSpec
    | DynatraceSpec
    | StackdriverSpec
    | WebSpec
)
KINDS: Final[dict[str, type[KindSpec]]] = {
    "prometheus": PrometheusSpec,
    "datadog": DatadogSpec,
    "cloudwatch": CloudWatchSpec,
    "newrelic": NewRelicSpec,
    "graphite": GraphiteSpec,
    "influxdb": InfluxDbSpec,
    "dynatrace": DynatraceSpec,
    "stackdriver": StackdriverSpec,
    "web": WebSpec,
}
"""Every kind by the key that gives it."""


class SourceSpec(SpecModel):
    """One metric source: exactly one kind. Absent: none."""

    prometheus: PrometheusSpec | None = None
    datadog: DatadogSpec | None = None
    cloudwatch: CloudWatchSpec | None = None
    newrelic: NewRelicSpec | None = None
    graphite: GraphiteSpec | None = None
    influxdb: InfluxDbSpec | None = None
    dynatrace: DynatraceSpec | None = None
    stackdriver: StackdriverSpec | None = None
    web: WebSpec | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if len(found := given(self, *type(self).model_fields)) != 1:
            said = f"not {' and '.join(found)}" if found else "and none is given"
            raise ValueError(f"give exactly one kind of {', '.join(type(self).model_fields)}; {said}")
        return self

    @property
    def kind(self) -> KindSpec:
        """The kind that is given."""
        (name,) = given(self, *type(self).model_fields)
        found: KindSpec = getattr(self, name)
        return found


def checked(sources: Mapping[str, SourceSpec]) -> tuple[SourceConfig, ...]:
    """Return how each source is reached; a secret that cannot be read is told.

    Raises
    ------
    SpecInvalid
        It names the source and the file.
    """
    found = {name: spec.kind.config_for(name) for name, spec in sources.items()}
    for name, config in found.items():
        own = [str(file) for file in sources[name].kind.files if file]
        for file in (*config.files, *own):
            try:
                Path(file).read_bytes()
            except OSError as error:
                raise SpecInvalid(f"Secret file {file} of {config.said} cannot be read: {error.strerror}.") from error
    return tuple(found.values())


def open_sources(sources: Mapping[str, SourceSpec]) -> dict[str, MetricSource]:
    """Return every source, by its name.

    Raises
    ------
    SpecInvalid
        A library that a kind needs is not installed.
    """
    return {name: spec.kind.build(name) for name, spec in sources.items()}
