"""The seam to a metrics system: what is asked, and the five kinds of answer.

No data is an answer, not an error, and neither is half an answer: each is a value of its own, so that nothing that
judges can take one for another. A source is synchronous, because its clients are: call it in a pool of threads, never
in the event loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from canary.analysis.samples import Series
from canary.api.language import Language
from canary.errors import MetricsUnavailable, SpecInvalid


class Kind(StrEnum):
    """How a query is evaluated."""

    SAMPLES = "samples"
    """A range selector: raw samples with their own timestamps."""
    VALUE = "value"
    """An expression at one instant."""
    VALUES = "values"
    """An expression at many instants, `step_seconds` apart: to recover missed ticks."""


@dataclass(frozen=True, slots=True)
class Query:
    """One question to one source, at one time stamp."""

    source: str
    """The source's name in the operator's configuration."""
    expression: str
    """In the source's language; PromQL for SAMPLES ends in a literal range."""
    kind: Kind
    at: float
    """Unix seconds: the instant of evaluation, and the last one for VALUES."""
    start: float = 0.0
    """Unix seconds of the first instant, for VALUES."""
    step_seconds: float = 0.0
    """Distance of instants, for VALUES."""
    language: Language = Language.PROMQL
    """What the expression is written in; a source that takes another is not asked."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Series with at least one sample; a series may hold NaN, which the reader has to refuse."""

    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class NoData:
    """The source answered, and nothing matches."""


@dataclass(frozen=True, slots=True)
class Partial:
    """The source says that parts of its answer may be missing; what it did send is not used."""

    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The source did not answer in time, or answered with an error: ask again later."""

    message: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The source refuses the query; the same query will be refused again."""

    message: str


Answer = Sample | NoData | Partial | Unavailable | Refused


@dataclass(frozen=True, slots=True)
class SecretHeader:
    """A header whose value is a file's content."""

    name: str
    file: str
    prefix: str = ""
    """Before the content, as `Bearer ` is."""


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """How one source is reached, and by what it knows us; a Rollout can only refer to its name.

    Files are secrets, read again when they are used: `canary.metrics.transport`.
    """

    name: str
    """In the operator's configuration."""
    url: str
    """Base address, without `/api/v1`."""
    headers: tuple[tuple[str, str], ...] = ()
    """Sent with every request, as a tenant's. Never logged."""
    bearer_token_file: str | None = None
    """Its content is sent as `Authorization: Bearer`."""
    timeout_seconds: float = 5.0
    """For connecting, and for each read of the answer. The query's own limit at the source is the same."""
    ca_file: str | None = None
    """PEM file to verify the server by; None: the system's."""
    parameters: tuple[tuple[str, str], ...] = ()
    """Sent with every query, such as Thanos' `partial_response=false`; a name may come several times."""
    other_secrets: tuple[SecretHeader, ...] = ()
    username: str = ""
    """With `password_file`: basic authentication."""
    password_file: str | None = None
    cert_file: str | None = None
    """PEM file of our own certificate, and `key_file` of its key: mutual TLS."""
    key_file: str | None = None

    @property
    def said(self) -> str:
        """The source in a message."""
        return f"metric source {self.name!r}"

    @property
    def secret_headers(self) -> tuple[SecretHeader, ...]:
        """Every header that a file fills."""
        bearer = SecretHeader("Authorization", self.bearer_token_file, "Bearer ") if self.bearer_token_file else None
        return (*([bearer] if bearer else []), *self.other_secrets)

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that is read."""
        named = (self.password_file, self.ca_file, self.cert_file, self.key_file)
        return (*(secret.file for secret in self.secret_headers), *(file for file in named if file))


class MetricSource(Protocol):
    """One metrics system.

    `language` is the one it takes. `ask` may be called by many threads at once, changes nothing, and returns within a
    few times the timeout.
    """

    @property
    def language(self) -> Language:
        """What it takes queries in."""
        ...

    def ask(self, query: Query) -> Sample | NoData | Partial:
        """Answer one query.

        Raises
        ------
        MetricsUnavailable
            No answer in time, or an error that may pass.
        SpecInvalid
            The query is refused and will be refused again.
        """
        ...


def wrong_language(source: str, takes: Language, given: Language) -> str:
    """Say that a query went to a source of another language, and what to do."""
    return (
        f"metric source {source!r} takes queries in {takes}, and this one is in {given}: set the metric's "
        "value.language to what the query is written in, and its source to one that takes it"
    )


def answer(sources: Mapping[str, MetricSource], query: Query) -> Answer:
    """Ask the query's source and turn errors into values, so that one broken source spoils no other's tick."""
    source = sources.get(query.source)
    if source is None:
        known = ", ".join(sorted(sources)) or "none"
        return Refused(f"no metric source is named {query.source!r} (the operator's configuration has: {known})")
    if source.language is not query.language:
        return Refused(wrong_language(query.source, source.language, query.language))
    try:
        return source.ask(query)
    except MetricsUnavailable as error:
        return Unavailable(str(error))
    except SpecInvalid as error:
        return Refused(str(error))


def answers(sources: Mapping[str, MetricSource], queries: Iterable[Query]) -> dict[Query, Answer]:
    """Answer queries one after the other: for tests, the command line, and small operators."""
    return {query: answer(sources, query) for query in queries}
