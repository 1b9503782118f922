"""Amazon CloudWatch: GetMetricData in its JSON protocol.

A query is one expression, metric math or Metrics Insights, or a JSON list of MetricDataQueries, of which one returns
data. CloudWatch answers a wrong query, a wrong key and too many requests all with status 400; the error's type tells.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar, Final

import requests
from typing_extensions import override

from canary.api.language import Language
from canary.errors import MetricsUnavailable, SpecInvalid
from canary.metrics.aws import AwsCredentials, signature
from canary.metrics.remote import Points, RemoteSource, Stretch, Told, number, words_of
from canary.metrics.source import SourceConfig
from canary.metrics.transport import retry_after

TARGET: Final = "GraniteServiceVersion20100801.GetMetricData"
INVALID: Final = ("Invalid", "Validation", "Missing", "Malformed", "Serialization")
"""How the types of errors begin that are the query's."""
CREDENTIAL: Final = ("InvalidClientTokenId", "MissingAuthenticationToken", "InvalidSignature", "InvalidAccessKeyId")
"""Those of them that are not."""


class CloudWatchSource(RemoteSource):
    """Asks CloudWatch in one region."""

    language: ClassVar = Language.CLOUDWATCH

    def __init__(
        self, config: SourceConfig, stretch: Stretch, credentials: AwsCredentials, *, period_seconds: int
    ) -> None:
        super().__init__(config, stretch)
        self._credentials = credentials
        self._period_seconds = period_seconds
        self._sign = signature()

    @override
    def fetch(self, expression: str, start: float, end: float) -> Told:
        asked = {
            "MetricDataQueries": _queries(expression, self._period_seconds),
            "StartTime": int(start),
            "EndTime": int(end),
            "ScanBy": "TimestampDescending",
        }
        keys = self._credentials.keys(self.transport)
        response = self.transport.request(
            "POST",
            f"{self.config.url}/",
            data=json.dumps(asked).encode(),
            headers={"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": TARGET},
            auth=self._sign(keys, self._credentials.region, "monitoring"),
        )
        if response.status_code == requests.codes.bad_request:
            self._refused(response)
        self.transport.check(response, words_of(response))
        return _told(self.config.said, response.json())

    def _refused(self, response: requests.Response) -> None:
        kind = str(response.json().get("__type", "")).rpartition("#")[2]
        said = f"{kind}: {words_of(response)}"
        if kind.startswith(INVALID) and not kind.startswith(CREDENTIAL):
            raise SpecInvalid(f"{self.config.said} refuses the query: {said}")
        raise MetricsUnavailable(f"{self.config.said} answered 400: {said}", retry_after_seconds=retry_after(response))


def _queries(text: str, period_seconds: int) -> list[Any]:
    if not text.lstrip().startswith("["):
        return [{"Id": "value", "Expression": text.strip(), "Period": period_seconds}]
    try:
        queries = json.loads(text)
    except ValueError as error:
        raise SpecInvalid(f"a cloudwatch query that begins with [ must be a JSON list: {error}") from error
    if not isinstance(queries, list) or not all(isinstance(each, dict) for each in queries):
        raise SpecInvalid("a cloudwatch query that begins with [ must be a JSON list of MetricDataQueries")
    return queries


def _told(said: str, body: dict[str, Any]) -> Told:
    warnings = [f"{each.get('Code')}: {each.get('Value')}" for each in body.get("Messages") or ()]
    series = []
    for each in body["MetricDataResults"]:
        status = each["StatusCode"]
        if status == "Forbidden":
            raise MetricsUnavailable(f"{said} may not read the metrics of {each['Id']}: {each.get('Messages')}")
        if status != "Complete":
            warnings.append(f"{each['Id']}: {status}")
        times = [float(time) for time in each["Timestamps"]]
        values = [number(value) for value in each["Values"]]
        series.append(
            Points({"id": each["Id"], "label": each.get("Label", "")}, tuple(zip(times, values, strict=True)))
        )
    if body.get("NextToken") and not warnings:
        warnings.append("there is a NextToken: not all points came")
    return Told(tuple(series), tuple(warnings))
