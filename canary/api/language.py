"""The languages in which a metric source is asked for a value."""

from __future__ import annotations

from enum import StrEnum


class Language(StrEnum):
    """What the text of a query is written in; each source of the operator's configuration takes one."""

    PROMQL = "promql"
    """Prometheus, and what speaks its API: Thanos, Mimir, VictoriaMetrics, Google Cloud Monitoring."""
    DATADOG = "datadog"
    """A query of Datadog's metrics: `sum:trace.http.request.errors{service:checkout}.as_count()`."""
    CLOUDWATCH = "cloudwatch"
    """CloudWatch: metric math or a Metrics Insights query in one line, or a JSON list of MetricDataQueries."""
    NRQL = "nrql"
    """New Relic: a query without SINCE, UNTIL and TIMESERIES, which are added."""
    GRAPHITE = "graphite"
    """Graphite: a target."""
    INFLUXQL = "influxql"
    """InfluxDB: a SELECT that has `$range` where its WHERE clause bounds the time."""
    FLUX = "flux"
    """InfluxDB 2: a script that has `$range` in the place of range()'s arguments."""
    DYNATRACE = "dynatrace"
    """Dynatrace: a metric selector."""
    WEB = "web"
    """A web service: a path in the first line, a JSONPath below it."""
