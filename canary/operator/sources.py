"""Metric sources as the configuration writes them: a model for each kind, and what it is built into.

What is built imports its library only then: an operator that has Prometheus alone loads nothing for the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, ClassVar, Final, Self

from pydantic import Field, model_validator

from canary.api.language import Language
from canary.api.model import SpecModel, given
from canary.errors import SpecInvalid
from canary.metrics.remote import Stretch
from canary.metrics.source import MetricSource, SecretHeader, SourceConfig

Seconds = Annotated[float, Field(gt=0, le=86400)]
Delay = Annotated[float, Field(ge=0, le=3600)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s/@?#]+(/[^\s@?#]*)?$")]
Text = Annotated[str, Field(min_length=1, max_length=256)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=128)]

_BOTH: Final = (("username", "password_file"), ("cert_file", "key_file"))


class HttpSpec(SpecModel):
    """What every kind has: how it is reached, and by what it knows us."""

    timeout_seconds: Seconds = 5.0
    headers: dict[str, str] = Field(default_factory=dict)
    bearer_token_file: Path | None = None
    username: Text | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for names in _BOTH:
            if len(given(self, *names)) == 1:
                fields = type(self).model_fields
                raise ValueError(f"give both {' and '.join(str(fields[name].alias) for name in names)}, or neither")
        if self.bearer_token_file and self.password_file:
            raise ValueError("give bearerTokenFile, or username and passwordFile, not both")
        return self

    def config(
        self,
        name: str,
        url: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        secrets: Iterable[SecretHeader] = (),
        parameters: Iterable[tuple[str, str]] = (),
    ) -> SourceConfig:
        """Return how the source is reached."""
        return SourceConfig(
            name=name,
            url=url.rstrip("/"),
            headers=(*self.headers.items(), *headers),
            bearer_token_file=_text(self.bearer_token_file),
            timeout_seconds=self.timeout_seconds,
            ca_file=_text(self.ca_file),
            parameters=tuple(parameters),
            other_secrets=tuple(secrets),
            username=self.username or "",
            password_file=_text(self.password_file),
            cert_file=_text(self.cert_file),
            key_file=_text(self.key_file),
        )


class RemoteSpec(HttpSpec):
    """What the kinds share that answer with points over time."""

    lookback_seconds: Seconds = 300.0
    """A point older than this says nothing of now."""
    delay_seconds: Delay = 0.0
    """How far before the present the newest whole point is."""

    @property
    def stretch(self) -> Stretch:
        """Which points count."""
        return Stretch(self.lookback_seconds, self.delay_seconds)


class PrometheusSpec(HttpSpec):
    """A metric source that speaks Prometheus' HTTP API."""

    language: ClassVar = Language.PROMQL

    url: Url
    """Base address, without /api/v1."""
    parameters: dict[str, str] = Field(default_factory=dict)

    def config_for(self, name: str) -> SourceConfig:
        """Return how it is reached."""
        return self.config(name, self.url, parameters=self.parameters.items())

    def build(self, name: str) -> MetricSource:
        """Open it."""
        return _class("prometheus", "PrometheusSource")(self.config_for(name))


class DatadogSpec(RemoteSpec):
    """Datadog's metrics."""

    language: ClassVar = Language.DATADOG

    url: Url = "https://api.datadoghq.com"
    """Base address of the site, such as https://api.datadoghq.eu."""
    api_key_file: Path
    application_key_file: Path

    def config_for(self, name: str) -> SourceConfig:
        """Return how it is reached."""
        secrets = (
            SecretHeader("DD-API-KEY", str(self.api_key_file)),
            SecretHeader("DD-APPLICATION-KEY", str(self.application_key_file)),
        )
        return self.config(name, self.url, secrets=secrets)

    def build(self, name: str) -> MetricSource:
        """Open it."""
        return _class("datadog", "DatadogSource")(self.config_for(name), self.stretch)


class WebSpec(HttpSpec):
    """A service that answers with JSON."""

    language: ClassVar = Language.WEB

    url: Url
    """Base address, below which queries name a path."""

    def config_for(self, name: str) -> SourceConfig:
        """Return how it is reached."""
        return self.config(name, self.url)

    def build(self, name: str) -> MetricSource:
        """Open it."""
        return _class("web", "WebSource")(self.config_for(name))


KindSpec = PrometheusSpec | DatadogSpec | WebSpec
KINDS: Final[dict[str, type[KindSpec]]] = {"prometheus": PrometheusSpec, "datadog": DatadogSpec, "web": WebSpec}
"""Every kind by the key that gives it."""


class SourceSpec(SpecModel):
    """One metric source: exactly one kind. Absent: none."""

    prometheus: PrometheusSpec | None = None
    datadog: DatadogSpec | None = None
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
    found = tuple(spec.kind.config_for(name) for name, spec in sources.items())
    for config in found:
        for file in config.files:
            try:
                Path(file).read_bytes()
            except OSError as error:
                raise SpecInvalid(f"Secret file {file} of {config.said} cannot be read: {error.strerror}.") from error
    return found


def open_sources(sources: Mapping[str, SourceSpec]) -> dict[str, MetricSource]:
    """Return every source, by its name.

    Raises
    ------
    SpecInvalid
        A library that a kind needs is not installed.
    """
    return {name: spec.kind.build(name) for name, spec in sources.items()}


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _class(module: str, name: str) -> Callable[..., MetricSource]:
    found: Callable[..., MetricSource] = getattr(import_module(f"canary.metrics.{module}"), name)
    return found
