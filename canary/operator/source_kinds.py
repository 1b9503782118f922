"""The kinds of metric sources in the configuration, a model for each, and what it is built into.

What is built imports its library only then: an operator that has Prometheus alone loads nothing for the others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, model_validator
from typing_extensions import override

from canary.api.language import Language
from canary.api.model import SpecModel, given
from canary.metrics.aws import AwsCredentials
from canary.metrics.planner import LONGEST_QUERY
from canary.metrics.source import MetricSource, SecretHeader, SourceConfig
from canary.operator.source_spec import (
    Delay,
    HttpSpec,
    Name,
    RemoteSpec,
    Seconds,
    Text,
    Url,
    opener,
    said_of,
    text_of,
    together,
)

LONGEST_OF_VICTORIA: Final = 14_000
"""Characters of what VictoriaMetrics is asked: it refuses 16 KiB and more, the rest of the query among them."""


class ThanosSpec(SpecModel):
    """What Thanos' querier is told with each query."""

    partial_response: bool = False
    """Whether it may leave out stores that do not answer; its answer is partial then, and is not used."""
    deduplicate: bool = True
    """Whether replicas' series become one."""
    max_source_resolution: Annotated[str, Field(pattern=r"^(auto|[0-9]+(ms|s|m|h))$")] | None = None

    def parameters(self) -> list[tuple[str, str]]:
        """Return them as they are sent."""
        sent = [("partial_response", said_of(self.partial_response)), ("dedup", said_of(self.deduplicate))]
        return [*sent, *([("max_source_resolution", self.max_source_resolution)] if self.max_source_resolution else [])]


class VictoriaMetricsSpec(SpecModel):
    """What VictoriaMetrics is told with each query."""

    cache: bool = False
    """Whether its cache of answers is used; it may miss samples that came late."""
    deny_partial_response: bool = True
    """Whether it answers with an error when a storage node does not answer."""
    latency_offset_seconds: Delay | None = None
    max_lookback_seconds: Seconds | None = None
    extra_labels: dict[Name, Text] = Field(default_factory=dict)
    extra_filters: tuple[Text, ...] = ()

    def parameters(self) -> list[tuple[str, str]]:
        """Return them as they are sent."""
        sent = [("deny_partial_response", "1" if self.deny_partial_response else "0")]
        if not self.cache:
            sent.append(("nocache", "1"))
        if self.latency_offset_seconds is not None:
            sent.append(("latency_offset", f"{self.latency_offset_seconds:g}s"))
        if self.max_lookback_seconds is not None:
            sent.append(("max_lookback", f"{self.max_lookback_seconds:g}s"))
        sent += [("extra_label", f"{name}={value}") for name, value in self.extra_labels.items()]
        return [*sent, *(("extra_filters[]", each) for each in self.extra_filters)]


class PrometheusSpec(HttpSpec):
    """A metric source that speaks Prometheus' HTTP API."""

    url: Url
    """Base address, without /api/v1."""
    parameters: dict[str, str] = Field(default_factory=dict)
    tenant: Text | None = None
    tenant_header: Name = "X-Scope-OrgID"
    longest_query: Annotated[int, Field(ge=1024, le=1_000_000)] | None = None
    """Characters; what many Rollouts ask together is split above. Absent: 128,000, and 14,000 for VictoriaMetrics,
    which refuses more than 16 KiB unless -search.maxQueryLen says otherwise."""
    thanos: ThanosSpec | None = None
    victoria_metrics: VictoriaMetricsSpec | None = None

    @model_validator(mode="after")
    def _one_system(self) -> Self:
        if self.thanos is not None and self.victoria_metrics is not None:
            raise ValueError("give thanos or victoriaMetrics, not both")
        return self

    @property
    def language(self) -> Language:
        """What it takes queries in."""
        return Language.PROMQL

    @property
    def longest(self) -> int:
        """Characters of one query, the default filled in."""
        return self.longest_query or (LONGEST_OF_VICTORIA if self.victoria_metrics else LONGEST_QUERY)

    def config_for(self, name: str) -> SourceConfig:
        """Return how it is reached."""
        system = self.thanos or self.victoria_metrics
        parameters = [*(system.parameters() if system else ()), *self.parameters.items()]
        headers = [(self.tenant_header, self.tenant)] if self.tenant else []
        return self.config(name, self.url, headers=headers, parameters=parameters)

    def build(self, name: str) -> MetricSource:
        """Open it."""
        return opener("prometheus", "PrometheusSource")(self.config_for(name))


class DatadogSpec(RemoteSpec):
    """Datadog's metrics."""

    url: Url = "https://api.datadoghq.com"
    """Base address of the site, such as https://api.datadoghq.eu."""
    api_key_file: Path
    application_key_file: Path

    @property
    def language(self) -> Language:
        """What it takes queries in."""
        return Language.DATADOG

    def config_for(self, name: str) -> SourceConfig:
        """Return how it is reached."""
        secrets = (
            SecretHeader("DD-API-KEY", str(self.api_key_file)),
            SecretHeader("DD-APPLICATION-KEY", str(self.application_key_file)),
        )
        return self.config(name, self.url, secrets=secrets)

    def build(self, name: str) -> MetricSource:
        """Open it."""
        return opener("datadog", "DatadogSource")(self.config_for(name), self.stretch)


class CloudWatchSpec(RemoteSpec):
    """Amazon CloudWatch, in one region."""

    region: Name
    url: Url | None = None
    """Absent: the region's endpoint."""
    period_seconds: Annotated[int, Field(ge=1, le=86400)] = 60
    """Of a query that is one expression."""
    access_key_id_file: Path | None = None
    secret_access_key_file: Path | None = None
    session_token_file: Path | None = None
    role_arn: Text | None = None
    web_identity_token_file: Path | None = None
    sts_url: Url | None = None

    @model_validator(mode="after")
    def _keys(self) -> Self:
        together(self, "access_key_id_file", "secret_access_key_file")
        together(self, "role_arn", "web_identity_token_file")
        if self.access_key_id_file and self.role_arn:
            raise ValueError("give accessKeyIdFile and secretAccessKeyFile, or roleArn and webIdentityTokenFile")
        return self

    @property
    def language(self) -> Language:
        """What it takes queries in."""
        return Language.CLOUDWATCH

    @property
    @override
    def files(self) -> tuple[Path | None, ...]:
        keys = (self.access_key_id_file, self.secret_access_key_file, self.session_token_file)
        return (*keys, self.web_identity_token_file)

    def config_for(self, name: str) -> SourceConfig:
        """Return how it is reached."""
        return self.config(name, self.url or f"https://monitoring.{self.region}.amazonaws.com")

    def build(self, name: str) -> MetricSource:
        """Open it."""
        credentials = AwsCredentials(
            self.region,
            access_key_id_file=text_of(self.access_key_id_file),
            secret_access_key_file=text_of(self.secret_access_key_file),
            session_token_file=text_of(self.session_token_file),
            role_arn=self.role_arn or "",
            web_identity_token_file=text_of(self.web_identity_token_file) or "",
            sts_url=self.sts_url or "",
        )
        return opener("cloudwatch", "CloudWatchSource")(
            self.config_for(name), self.stretch, credentials, period_seconds=self.period_seconds
        )


class NewRelicSpec(RemoteSpec):
    """New Relic, one account."""

    url: Url = "https://api.newrelic.com"
    """Base address of NerdGraph; https://api.eu.newrelic.com in Europe."""
    account_id: Annotated[int, Field(ge=1)]
    api_key_file: Path
    bucket_seconds: Annotated[int, Field(ge=1, le=86400)] = 60
    """Of TIMESERIES, which is added."""

    @property
    def language(self) -> Language:
        """What it takes queries in."""
        return Language.NRQL

    def config_for(self, name: str) -> SourceConfig:
        """Return how it is reached."""
        return self.config(name, self.url, secrets=[SecretHeader("API-Key", str(self.api_key_file))])

    def build(self, name: str) -> MetricSource:
        """Open it."""
        return opener("newrelic", "NewRelicSource")(
            self.config_for(name), self.stretch, account=self.account_id, bucket_seconds=self.bucket_seconds
        )


class GraphiteSpec(RemoteSpec):
    """Graphite's render API."""

    url: Url
    """Base address, without /render."""

    @property
    def language(self) -> Language:
        """What it takes queries in."""
        return Language.GRAPHITE

    def config_for(self, name: str) -> SourceConfig:
        """Return how it is reached."""
        return self.config(name, self.url)

    def build(self, name: str) -> MetricSource:
        """Open it."""
        return opener("graphite", "GraphiteSource")(self.config_for(name), self.stretch)


class InfluxDbSpec(RemoteSpec):
    """InfluxDB: with `database` in InfluxQL, with `organization` in Flux."""

    url: Url
    """Base address, without /query."""
    database: Text | None = None
    retention_policy: Text | None = None
    organization: Text | None = None
    token_file: Path | None = None
    """Sent as `Authorization: Token`."""

    @model_validator(mode="after")
    def _one_language(self) -> Self:
        if len(given(self, "database", "organization")) != 1:
            raise ValueError("give database, for InfluxQL, or organization, for Flux")
        return self

    @property
    def language(self) -> Language:
        """What it takes queries in."""
        return Language.INFLUXQL if self.database else Language.FLUX

    def config_for(self, name: str) -> SourceConfig:
        """Return how it is reached."""
        secrets = [SecretHeader("Authorization", str(self.token_file), "Token ")] if self.token_file else []
        return self.config(name, self.url, secrets=secrets)

    def build(self, name: str) -> MetricSource:
        """Open it."""
        config = self.config_for(name)
        if self.organization:
            return opener("influxdb", "FluxSource")(config, self.stretch, organization=self.organization)
        return opener("influxdb", "InfluxqlSource")(
            config, self.stretch, database=self.database, retention_policy=self.retention_policy or ""
        )


class DynatraceSpec(RemoteSpec):
    """Dynatrace's metrics, one environment."""

    url: Url
    """Base address of the environment, without /api."""
    api_token_file: Path
    resolution: Annotated[str, Field(pattern=r"^([0-9]+[mhdwMqy]|Inf)$")] = "1m"

    @property
    def language(self) -> Language:
        """What it takes queries in."""
        return Language.DYNATRACE

    def config_for(self, name: str) -> SourceConfig:
        """Return how it is reached."""
        secrets = [SecretHeader("Authorization", str(self.api_token_file), "Api-Token ")]
        return self.config(name, self.url, secrets=secrets)

    def build(self, name: str) -> MetricSource:
        """Open it."""
        return opener("dynatrace", "DynatraceSource")(self.config_for(name), self.stretch, resolution=self.resolution)


class StackdriverSpec(HttpSpec):
    """Google Cloud Monitoring, one project, in PromQL."""

    project: Name
    url: Url = "https://monitoring.googleapis.com"
    credentials_file: Path | None = None
    """Absent: those of where the process runs (Workload Identity)."""

    @property
    def language(self) -> Language:
        """What it takes queries in."""
        return Language.PROMQL

    @property
    @override
    def files(self) -> tuple[Path | None, ...]:
        return (self.credentials_file,)

    def config_for(self, name: str) -> SourceConfig:
        """Return how it is reached."""
        return self.config(name, f"{self.url.rstrip('/')}/v1/projects/{self.project}/location/global/prometheus")

    def build(self, name: str) -> MetricSource:
        """Open it."""
        file = text_of(self.credentials_file)
        return opener("stackdriver", "StackdriverSource")(self.config_for(name), credentials_file=file)


class WebSpec(HttpSpec):
    """A service that answers with JSON."""

    url: Url
    """Base address, below which queries name a path."""

    @property
    def language(self) -> Language:
        """What it takes queries in."""
        return Language.WEB

    def config_for(self, name: str) -> SourceConfig:
        """Return how it is reached."""
        return self.config(name, self.url)

    def build(self, name: str) -> MetricSource:
        """Open it."""
        return opener("web", "WebSource")(self.config_for(name))
