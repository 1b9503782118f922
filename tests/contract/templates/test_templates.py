"""Every template of the library meets every scenario: its real queries, a real Prometheus, the operator's judges.

Time is the scenario's: each look is asked for its own instant, so that a release of fifteen minutes takes as long as
its queries. The verdicts are in `analysis/scenarios/`.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import yaml

from canary.api.parse import parse_template
from canary.metrics.planner import plan
from canary.metrics.prometheus import PrometheusSource
from canary.metrics.session import AnalysisSession
from canary.metrics.source import answers
from canary.metrics.templates import metrics_of
from tests.contract.templates.exposition import arguments, tracks
from tests.contract.templates.files import TEMPLATES, Expected, scenarios_of
from tests.contract.templates.worlds import LASTS, SCENARIOS, START, pods

LOOKS = (30, *range(120, LASTS + 1, 120))
"""Seconds since the start."""


def judged(template: str, source: PrometheusSource, text: str | None = None) -> dict[str, AnalysisSession]:
    """The sessions of all scenarios after the release, looked at together as the operator does."""
    parsed = parse_template(yaml.safe_load(text or TEMPLATES[template].read_text(encoding="utf-8")))
    sessions = {
        name: AnalysisSession.start(
            metrics_of(parsed, arguments(template, name), tracks(template, name)), started_at=float(START)
        ).with_ready_pods(
            {f"checkout-canary-{pod.name}": START + pod.born + 20.0 for pod in pods(scenario) if pod.canary}
        )
        for name, scenario in SCENARIOS.items()
    }
    for seconds in LOOKS:
        at = float(START + seconds)
        planned = plan(need for session in sessions.values() for need in session.needs(at))
        replies = planned.replies(answers({"default": source}, planned.queries))
        sessions = {name: session.ingest(at, replies) for name, session in sessions.items()}
    return sessions


def fits(said: str, expected: Expected) -> bool:
    return said in {"pass", "inconclusive"} if expected == "not-fail" else said == expected


def unexpected(template: str, sessions: Mapping[str, AnalysisSession]) -> list[str]:
    """Which verdicts are not the file's."""
    wrong = []
    for metric, by_scenario in scenarios_of(template).expect.items():
        for scenario, expected in by_scenario.items():
            reading = next(
                each.reading() for each in sessions[scenario].judged if each.metric.name.endswith(f"/{metric}")
            )
            if not fits(reading.outcome.value.lower(), expected):
                wrong.append(f"{metric}, {scenario}: expected {expected}, is {reading.outcome}: {reading.message}")
    return wrong


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_says_in_each_scenario_what_it_should(template: str, source: PrometheusSource):
    wrong = unexpected(template, judged(template, source))
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    ("template", "right", "mistaken", "found_by"),
    [
        ("istio-errors", 'reporter="destination",', "", "errors, healthy: expected pass, is Fail"),
        ("grpc-server", 'grpc_code=~"Unknown|', 'grpc_code=~"NotFound|', "errors, healthy: expected pass, is Fail"),
        (
            "traefik-errors",
            "${canaryService}-[a-z0-9]+@",
            "${canaryService}-.+@",
            "errors, healthy: expected pass, is Fail",
        ),
        ("app-latency", 'canary: "${canaryHash}"', 'canary: "canary"', "latency, healthy: expected pass, is Error"),
    ],
    ids=["a request counted twice", "mistakes of clients", "a Service whose name begins alike", "a label nobody has"],
)
def test_a_mistake_in_a_template_is_found(template, right, mistaken, found_by, source):
    text = TEMPLATES[template].read_text(encoding="utf-8")
    assert right in text
    wrong = unexpected(template, judged(template, source, text.replace(right, mistaken)))
    assert [each for each in wrong if each.startswith(found_by)]
