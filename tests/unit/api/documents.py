"""Rollouts and templates, good and bad, with the sentence that each bad one is answered with.

The parser's tests and the API server's read the same list: what Git's dry-run says and what the operator says is one.
"""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from canary.api.rollout import Rollout
from canary.api.schema import Schema, node_at, structural
from canary.api.served import NOT_SERVED, NotServed
from canary.api.template import AnalysisTemplate, ClusterAnalysisTemplate

Document = dict[str, Any]

REMOVED = object()
"""In a change: takes the field away."""


def changed(document: Document, changes: dict[str, Any]) -> Document:
    """A copy with values put at dotted paths; a number in a path is an index."""
    result = copy.deepcopy(document)
    for path, value in changes.items():
        node: Any = result
        *parents, last = path.split(".")
        for part in parents:
            node = node[int(part)] if part.isdigit() else node.setdefault(part, {})
        if value is REMOVED:
            node.pop(last)
        else:
            node[int(last) if last.isdigit() else last] = value
    return result


SMALLEST: Document = {
    "apiVersion": "canary.delivery/v1alpha1",
    "kind": "Rollout",
    "metadata": {"name": "checkout", "namespace": "shop"},
    "spec": {
        "workload": {"name": "checkout"},
        "service": {"name": "checkout", "port": 80},
        "traffic": {"gatewayAPI": {"route": {"name": "checkout"}}},
    },
}
FULL = changed(
    SMALLEST,
    {
        "spec.workload": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout.v2"},
        "spec.traffic": {
            "gatewayAPI": {
                "gateway": {"name": "public", "namespace": "gateways", "sectionName": "https"},
                "hostnames": ["checkout.example.org", "*.checkout.example.org"],
            }
        },
        "spec.strategy": {
            "canary": {
                "steps": [
                    {"weight": 1, "atLeast": "30s", "atMost": "5m"},
                    {"weight": 10, "atLeast": "1m", "atMost": "1h30m"},
                    {"approval": {}},
                    {"weight": 50},
                ],
                "bake": "10m",
            }
        },
        "spec.analysis": {
            "templates": [
                {"name": "http-health", "args": {"code": "5.."}},
                {"name": "http-health", "kind": "ClusterAnalysisTemplate"},
            ],
            "onInconclusive": "rollBack",
            "noDataAfter": "90s",
            "alpha": "0.001",
        },
        "spec.rollback": {"git": {"mode": "off"}},
        "spec.progressDeadline": "15m",
    },
)
TEMPLATE: Document = {
    "apiVersion": "canary.delivery/v1alpha1",
    "kind": "AnalysisTemplate",
    "metadata": {"name": "http-health", "namespace": "shop"},
    "spec": {
        "description": "Errors that the application counts itself.",
        "args": [{"name": "code", "default": "5..", "description": "Codes that are errors."}, {"name": "job"}],
        "identity": {
            "labels": [
                {"name": "namespace", "value": "${namespace}"},
                {"name": "pod_template_hash", "stable": "${stableHash}", "canary": "${canaryHash}"},
            ]
        },
        "metrics": [
            {
                "name": "errors",
                "counter": {
                    "bad": 'http_requests_total{code=~"${args.code}",job="${args.job}"}',
                    "total": 'http_requests_total{job="${args.job}"}',
                },
                "compare": {"toleratedRatio": "1.5"},
            },
            {
                "name": "error-share",
                "source": "long-term",
                "interval": "30s",
                "severity": "advisory",
                "counter": {"bad": 'http_requests_total{code="500"}', "total": "http_requests_total"},
                "identity": {
                    "labels": [
                        {
                            "name": "pod",
                            "stable": "${workload}-${stableHash}-[a-z0-9]+",
                            "canary": "${workload}-canary-${canaryHash}-[a-z0-9]+",
                            "match": "regex",
                        }
                    ]
                },
                "threshold": {"max": "0.05", "window": "2m", "consecutive": 2, "total": 10},
            },
            {
                "name": "queue",
                "value": {"query": 'max(queue_length{pod_template_hash="${canaryHash}"})'},
                "threshold": {"min": "-1", "max": "1000"},
            },
        ],
    },
}
CLUSTER_TEMPLATE = changed(TEMPLATE, {"kind": "ClusterAnalysisTemplate", "metadata": {"name": "http-health"}})

GOOD = {
    "smallest Rollout": SMALLEST,
    "full Rollout": FULL,
    "default steps": changed(SMALLEST, {"spec.strategy": {"canary": {}}}),
    "AnalysisTemplate": TEMPLATE,
    "ClusterAnalysisTemplate": CLUSTER_TEMPLATE,
}


@dataclass(frozen=True)
class Bad:
    """A document that is refused."""

    document: Document
    said: str
    """Part of the sentence of the parser."""
    said_by_server: str = ""
    """Part of the API server's; empty: the same."""


def _rollout(said: str, server: str = "", /, **changes: Any) -> Bad:
    return Bad(changed(SMALLEST, {path.replace("__", "."): value for path, value in changes.items()}), said, server)


def _template(said: str, server: str = "", /, **changes: Any) -> Bad:
    return Bad(changed(TEMPLATE, {path.replace("__", "."): value for path, value in changes.items()}), said, server)


_STEPS = "spec__strategy__canary__steps"
_ERRORS = "spec__metrics__0"

BAD = {
    "no workload": _rollout("spec.workload is missing", "spec.workload: Required value", spec__workload=REMOVED),
    "misspelt field": _rollout(
        "spec.progresDeadline is not a field; did you mean progressDeadline?",
        'unknown field "spec.progresDeadline"',
        spec__progresDeadline="1m",
    ),
    "misspelt case": _rollout(
        "spec.traffic.gatewayApi is not a field; did you mean gatewayAPI?",
        'unknown field "spec.traffic.gatewayApi"',
        spec__traffic={"gatewayApi": {}},
    ),
    "field in Python's spelling": _rollout(
        "spec.progress_deadline is not a field; did you mean progressDeadline?",
        'unknown field "spec.progress_deadline"',
        spec__progress_deadline="1m",
    ),
    "no provider": _rollout("give exactly one traffic provider", spec__traffic={}),
    "route and gateway": _rollout(
        "give exactly one of route",
        spec__traffic__gatewayAPI={"route": {"name": "a"}, "gateway": {"name": "b"}, "hostnames": ["c"]},
    ),
    "gateway without hostnames": _rollout(
        "hostnames belong to gateway", spec__traffic__gatewayAPI={"gateway": {"name": "b"}}
    ),
    "route with hostnames": _rollout("hostnames belong to gateway", spec__traffic__gatewayAPI__hostnames=["a"]),
    "port by name": _rollout("spec.service.port: input should be a valid integer", "must be of type integer", spec__service__port="http"),
    "port 0": _rollout("spec.service.port: input should be greater than or equal to 1", "should be greater than or equal to 1", spec__service__port=0),
    "name too long for a copy": _rollout("should have at most 56 characters", "56", spec__workload__name="a" * 57),
    "Rollout's name too long": _rollout("a Rollout's name has at most 63 characters", metadata__name="a" * 64),
    "no strategy": _rollout("give exactly one strategy", spec__strategy={}),
    "no steps": _rollout("at least 1 item", "should have at least 1 items", **{_STEPS: []}),
    "weight and approval": _rollout("a step is either a weight", **{_STEPS: [{"weight": 5, "approval": {}}]}),
    "empty step": _rollout("a step is either a weight", **{_STEPS: [{}, {"weight": 5}]}),
    "approval with a time": _rollout(
        "atLeast and atMost belong to a step with a weight",
        **{_STEPS: [{"weight": 5}, {"approval": {}, "atMost": "1m"}]},
    ),
    "atLeast above atMost": _rollout(
        "atLeast must not be longer than atMost", **{_STEPS: [{"weight": 5, "atLeast": "2m", "atMost": "119s"}]}
    ),
    "falling weights": _rollout("weights must rise from step to step", **{_STEPS: [{"weight": 5}, {"approval": {}}, {"weight": 4}]}),
    "equal weights": _rollout("weights must rise from step to step", **{_STEPS: [{"weight": 5}, {"weight": 5}]}),
    "weight 100": _rollout("less than or equal to 99", **{_STEPS: [{"weight": 100}]}),
    "only approval": _rollout("steps need at least one weight", **{_STEPS: [{"approval": {}}]}),
    "duration without unit": _rollout("must be a duration such as 90s", "should match", spec__progressDeadline="90"),
    "duration of a number": _rollout("spec.progressDeadline: input should be a valid string", "must be of type string", spec__progressDeadline=90),
    "no time at all": _rollout("must be a duration such as 90s", spec__progressDeadline="0s"),
    "more than a week": _rollout("must be a duration such as 90s", spec__progressDeadline="169h"),
    "alpha of one": _rollout('must be a number in quotes such as "0.01"', spec__analysis__alpha="1"),
    "alpha without quotes": _rollout("put it in quotes", "must be of type string", spec__analysis__alpha=0.01),
    "unknown choice": _rollout("spec.analysis.onInconclusive: must be 'hold', 'promote' or 'rollBack', not 'rollback'", "supported values", spec__analysis__onInconclusive="rollback"),
    "bare off": _rollout('spec.rollback.git.mode: write "off" in quotes', "must be of type string", spec__rollback={"git": {"mode": False}}),
    "no templates": _rollout("at least 1 item", "should have at least 1 items", spec__analysis__templates=[]),
    "no metrics": _template("at least 1 item", "should have at least 1 items", spec__metrics=[]),
    "two metrics of one name": _template("name 'queue' is given twice", "Duplicate value", spec__metrics__0__name="queue"),
    "no kind of metric": _template("give exactly one of counter, histogram and value", **{f"{_ERRORS}__counter": REMOVED}),
    "two judges": _template("give exactly one judge", **{f"{_ERRORS}__threshold": {"max": "1"}}),
    "value that burns": _template("a value is judged by threshold", spec__metrics__2__threshold=REMOVED, spec__metrics__2__burnRate={"objective": "99.9"}),
    "short window above the long": _template("short must not be longer than long", **{f"{_ERRORS}__compare": REMOVED, f"{_ERRORS}__burnRate": {"objective": "99.9", "windows": [{"long": "5m", "short": "1h", "factor": "6"}]}}),
    "counter without identity": _template("a counter or histogram needs identity", spec__identity=REMOVED),
    "identity without tracks": _template("at least one identity label must differ", spec__identity__labels=[{"name": "a", "value": "b"}]),
    "identity of one track": _template("give either value", spec__identity__labels=[{"name": "a", "canary": "b"}]),
    "threshold without bounds": _template("give min, max or both", spec__metrics__2__threshold={}),
    "threshold upside down": _template("min must not be above max", spec__metrics__2__threshold={"min": "2", "max": "1.5"}),
    "tolerated ratio below one": _template('must be a number in quotes such as "1.5"', **{f"{_ERRORS}__compare__toleratedRatio": "0.5"}),
    "a function as selector": _template("'rate(errors_total[1m])' does not fit. Instant selector", "should match", **{f"{_ERRORS}__counter__bad": "rate(errors_total[1m])"}),
}  # fmt: skip

BAD_BY_PARSER_ALONE = {
    "unknown variable": _template(
        "metric 'queue': ${canaryhash} is not a variable; did you mean ${canaryHash}?",
        spec__metrics__2__value__query='up{pod_template_hash="${canaryhash}"}',
    ),
    "undeclared argument": _template(
        "metric 'queue': ${args.team} is not a variable; declare it under spec.args",
        spec__metrics__2__value__query='up{team="${args.team}"}',
    ),
    "null for a list": _template("spec.args: input should be a valid tuple", spec__args=None),
}
"""CEL could say these only at a cost above its budget, or the API server drops what is wrong."""

_MODELS: dict[str, type[BaseModel]] = {
    "Rollout": Rollout,
    "AnalysisTemplate": AnalysisTemplate,
    "ClusterAnalysisTemplate": ClusterAnalysisTemplate,
}
_BASES = {"Rollout": FULL, "AnalysisTemplate": TEMPLATE, "ClusterAnalysisTemplate": CLUSTER_TEMPLATE}


def sample(schema: Schema) -> Any:
    """The least value that a schema accepts."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema["type"]:
        case "object":
            return {name: sample(schema["properties"][name]) for name in schema.get("required", ())}
        case "array":
            return [sample(schema["items"])] * schema.get("minItems", 0)
        case "integer":
            return schema.get("minimum", 0)
        case _:
            # Patterns of the API: a cron expression, a duration, a number, a name.
            text = {9: "0 9 * * *", 2: "1m"}.get(schema.get("minLength", 0))
            return text or ("1" if "0-9]{1,12}" in schema.get("pattern", "") else "a")


def not_served_documents() -> dict[str, Bad]:
    """One document for each line of the table and each kind, made from the schema: good but for that one thing."""
    return {
        f"{kind} {entry.path}{'' if entry.value is None else f': {entry.value}'}": Bad(
            _saying(kind, entry), entry.message
        )
        for entry in NOT_SERVED
        for kind in entry.kinds
    }


_ALTERNATIVES = {"spec.traffic": "gatewayAPI", "spec.strategy": "canary", "histogram": "counter", "custom": "compare"}  # fmt: skip
"""What has to go where another of its kind is put, by the parent's path or by the field."""


def _saying(kind: str, entry: NotServed) -> Document:
    document = copy.deepcopy(_BASES[kind])
    node: Any = document
    for part, following in itertools.pairwise((*entry.parent.split("."), entry.field)):
        node = node.setdefault(part.removesuffix("[]"), {})
        if part.endswith("[]"):
            node = next((item for item in node if following.removesuffix("[]") in item), node[0])
    if entry.value is None:
        node.pop(_ALTERNATIVES.get(entry.parent) or _ALTERNATIVES.get(entry.field), None)
    node[entry.field] = entry.value or sample(node_at(structural(_MODELS[kind]), entry.path))
    return document
