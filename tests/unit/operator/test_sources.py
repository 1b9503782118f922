"""Metric sources in the configuration: their kinds, and what is said of a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from canary.errors import SpecInvalid
from canary.metrics.source import SourceConfig
from canary.operator.config import load
from canary.operator.sources import KINDS, SourceSpec

WHOLE: dict[str, dict[str, object]] = {
    "prometheus": {"url": "http://p:9090"},
    "datadog": {"apiKeyFile": "KEY", "applicationKeyFile": "KEY"},
    "cloudwatch": {"region": "eu-west-1", "accessKeyIdFile": "KEY", "secretAccessKeyFile": "KEY"},
    "newrelic": {"accountId": 7, "apiKeyFile": "KEY"},
    "graphite": {"url": "http://graphite"},
    "influxdb": {"url": "http://influx:8086", "database": "shop", "tokenFile": "KEY"},
    "dynatrace": {"url": "https://abc.live.dynatrace.com", "apiTokenFile": "KEY"},
    "stackdriver": {"project": "shop-prod"},
    "web": {"url": "https://shop.example.org/api"},
}
"""The least that each kind needs."""


def written(folder: Path, kind: str, **more: object) -> Path:
    (folder / "key").write_text("k")
    spec = {name: str(folder / "key") if value == "KEY" else value for name, value in (WHOLE[kind] | more).items()}
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump({"metrics": {"main": {kind: spec}}}))
    return file


def test_every_kind_has_a_field_and_an_example():
    assert list(KINDS) == list(SourceSpec.model_fields) == list(WHOLE)


@pytest.mark.parametrize("kind", WHOLE)
def test_each_kind_is_opened_and_takes_its_own_language(tmp_path: Path, kind: str):
    config = load(written(tmp_path, kind))
    (source,) = config.open_sources().values()
    assert source.language is config.file.metrics["main"].kind.language
    assert config.sources()[0].name == "main"


@pytest.mark.parametrize("kind", WHOLE)
def test_each_kind_says_which_key_is_missing_or_unknown(tmp_path: Path, kind: str):
    with pytest.raises(
        SpecInvalid, match=rf"metrics\.main\.{kind}\.timeoutSecond is not a field; did you mean timeout"
    ):
        load(written(tmp_path, kind, timeoutSecond=3))
    needed = next(iter(WHOLE[kind]))
    file = tmp_path / "config.yaml"
    file.write_text(f"metrics: {{main: {{{kind}: {{}}}}}}")
    with pytest.raises(SpecInvalid, match=rf"metrics\.main\.{kind}\.{needed} is missing"):
        load(file)


@pytest.mark.parametrize(
    ("metrics", "says"),
    [
        ("{main: {promethius: {url: 'http://p'}}}", "metrics.main.promethius is not a field; did you mean prometheus?"),
        ("{main: {}}", "metrics.main: give exactly one kind of prometheus, "),
        ("{main: {prometheus: {url: 'http://p'}, web: {url: 'http://w'}}}", "; not prometheus and web"),
        ("{main: {web: {url: 'http://w', username: u}}}", "give both username and passwordFile, or neither"),
        ("{main: {web: {url: 'http://w', keyFile: /k}}}", "give both certFile and keyFile, or neither"),
        (
            "{main: {web: {url: 'http://w', username: u, passwordFile: /k, bearerTokenFile: /t}}}",
            "give bearerTokenFile, or username and passwordFile, not both",
        ),
        ("{main: {web: {url: 'http://user:secret@w'}}}", "does not fit. Base address"),
        ("{main: {influxdb: {url: 'http://i'}}}", "give database, for InfluxQL, or organization, for Flux"),
        ("{main: {prometheus: {url: 'http://p', thanos: {}, victoriaMetrics: {}}}}", "give thanos or victoriaMetrics"),
        ("{main: {cloudwatch: {region: x, accessKeyIdFile: /k}}}", "give both accessKeyIdFile and secretAccessKeyFile"),
        ("{main: {stackdriver: {project: x, credentialsFile: /no}}}", "Secret file /no of metric source 'main' cannot"),
        ("{main: {datadog: {apiKeyFile: /nowhere, applicationKeyFile: /nowhere}}}", "Secret file /nowhere of metric"),
    ],
)
def test_a_mistake_is_named_with_the_mend(tmp_path: Path, metrics: str, says: str):
    file = tmp_path / "config.yaml"
    file.write_text(f"metrics: {metrics}")
    with pytest.raises(SpecInvalid) as refused:
        load(file)
    assert says in str(refused.value)


@pytest.mark.parametrize("kind", WHOLE)
def test_every_kind_may_use_mutual_tls_and_a_bundle_of_its_own(tmp_path: Path, kind: str):
    files = dict.fromkeys(("caFile", "certFile", "keyFile"), "KEY")
    (config,) = load(written(tmp_path, kind, **files)).sources()
    assert (config.ca_file, config.cert_file, config.key_file) == (str(tmp_path / "key"),) * 3


def prometheus(tmp_path: Path, **more: object) -> SourceConfig:
    (config,) = load(written(tmp_path, "prometheus", **more)).sources()
    return config


def test_mimir_s_tenant_is_a_header(tmp_path: Path):
    assert prometheus(tmp_path, tenant="shop|pay").headers == (("X-Scope-OrgID", "shop|pay"),)
    assert prometheus(tmp_path, tenant="t", tenantHeader="THANOS-TENANT").headers == (("THANOS-TENANT", "t"),)


def test_thanos_is_told_to_leave_nothing_out_unless_asked_to(tmp_path: Path):
    assert prometheus(tmp_path, thanos={}).parameters == (("partial_response", "false"), ("dedup", "true"))
    more = {"partialResponse": True, "deduplicate": False, "maxSourceResolution": "auto"}
    assert prometheus(tmp_path, thanos=more).parameters == (
        ("partial_response", "true"),
        ("dedup", "false"),
        ("max_source_resolution", "auto"),
    )


def test_victoriametrics_is_told_to_answer_whole_and_from_no_cache(tmp_path: Path):
    assert prometheus(tmp_path, victoriaMetrics={}).parameters == (("deny_partial_response", "1"), ("nocache", "1"))
    more = {
        "cache": True,
        "denyPartialResponse": False,
        "latencyOffsetSeconds": 1.5,
        "maxLookbackSeconds": 60,
        "extraLabels": {"cluster": "eu", "tier": "a"},
        "extraFilters": ['{env="prod"}'],
    }
    assert prometheus(tmp_path, victoriaMetrics=more).parameters == (
        ("deny_partial_response", "0"),
        ("latency_offset", "1.5s"),
        ("max_lookback", "60s"),
        ("extra_label", "cluster=eu"),
        ("extra_label", "tier=a"),
        ("extra_filters[]", '{env="prod"}'),
    )


def test_how_long_a_query_may_be_is_known_of_each_source(tmp_path: Path):
    def longest(**more: object) -> int:
        return load(written(tmp_path, "prometheus", **more)).longest_queries()["main"]

    assert longest() == 128_000
    assert longest(victoriaMetrics={}) == 14_000
    assert longest(victoriaMetrics={}, longestQuery=64_000) == 64_000
    assert load(written(tmp_path, "web")).longest_queries() == {}
