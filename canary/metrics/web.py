"""`web`: any service that answers with JSON, in which a JSONPath (RFC 9535) finds one number.

A query is two lines: a path below the source's address, `/` first, then the JSONPath::

    /orders/rate?shop=${namespace}&version=${canaryHash}
    $.data[0].perMinute

A service tells of now only: an instant that was missed is not asked for again.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import requests
from jsonpath.exceptions import JSONPathError

from canary.analysis.samples import Series
from canary.api.language import Language
from canary.errors import CanaryError, MetricsUnavailable, SpecInvalid
from canary.metrics.remote import number, words_of
from canary.metrics.source import Kind, NoData, Query, Sample, SourceConfig
from canary.metrics.transport import Transport
from canary.metrics.web_query import read_query


class WebSource:
    """A `MetricSource` over a web service. Close it at the end."""

    language: ClassVar = Language.WEB

    def __init__(self, config: SourceConfig) -> None:
        self.config = config
        self.transport = Transport(config)

    def close(self) -> None:
        """Close the connections."""
        self.transport.close()

    def ask(self, query: Query) -> Sample | NoData:
        """Answer one query; see `MetricSource.ask`."""
        if query.kind is Kind.SAMPLES:
            raise SpecInvalid(f"{self.config.said} takes web queries for values; counters need a source of PromQL")
        path, wanted = read_query(query.expression)
        try:
            response = self.transport.request("GET", self.config.url + path)
            self.transport.check(response, words_of(response))
            found = wanted.findall(response.json())
        except CanaryError:
            raise
        except JSONPathError as error:
            raise SpecInvalid(f"the JSONPath {wanted} cannot be applied: {error}") from error
        except requests.exceptions.RequestException as error:
            self.transport.fail(error)
        if not found or found == [None]:
            return NoData()
        if len(found) > 1:
            raise SpecInvalid(f"the JSONPath {wanted} must find one number, and found {len(found)} values")
        try:
            value = number(found[0])
        except (TypeError, ValueError) as error:
            raise MetricsUnavailable(
                f"{self.config.said} answered, and what {wanted} finds is no number: {str(found[0])[:100]!r}"
            ) from error
        return Sample((Series((), np.array([query.at]), np.array([value])),))
