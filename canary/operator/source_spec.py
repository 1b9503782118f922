"""What every kind of metric source has in the configuration, and what its model is made with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from canary.api.model import SpecModel, given
from canary.metrics.remote import Stretch
from canary.metrics.source import MetricSource, SecretHeader, SourceConfig

Seconds = Annotated[float, Field(gt=0, le=86400)]
Delay = Annotated[float, Field(ge=0, le=3600)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s/@?#]+(/[^\s@?#]*)?$")]
Text = Annotated[str, Field(min_length=1, max_length=256)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=128)]


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
        together(self, "username", "password_file")
        together(self, "cert_file", "key_file")
        if self.bearer_token_file and self.password_file:
            raise ValueError("give bearerTokenFile, or username and passwordFile, not both")
        return self

    @property
    def files(self) -> tuple[Path | None, ...]:
        """Files that are read besides those of every kind."""
        return ()

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
            bearer_token_file=text_of(self.bearer_token_file),
            timeout_seconds=self.timeout_seconds,
            ca_file=text_of(self.ca_file),
            parameters=tuple(parameters),
            other_secrets=tuple(secrets),
            username=self.username or "",
            password_file=text_of(self.password_file),
            cert_file=text_of(self.cert_file),
            key_file=text_of(self.key_file),
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


def together(spec: SpecModel, *names: str) -> None:
    """Refuse a model that has some of these fields and not all."""
    if 0 < len(given(spec, *names)) < len(names):
        fields = type(spec).model_fields
        raise ValueError(f"give both {' and '.join(str(fields[name].alias) for name in names)}, or neither")


def said_of(value: bool) -> str:  # noqa: FBT001 -- a switch's word
    """Write a switch as most systems read it."""
    return "true" if value else "false"


def text_of(path: Path | None) -> str | None:
    """Return a path as text."""
    return None if path is None else str(path)


def opener(module: str, name: str) -> Callable[..., MetricSource]:
    """Return a class of canary.metrics, imported now."""
    found: Callable[..., MetricSource] = getattr(import_module(f"canary.metrics.{module}"), name)
    return found
