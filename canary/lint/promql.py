"""Whether a template's texts are PromQL, and what they cost Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import promql_parser as promql

from canary.api.identity import Identity
from canary.api.language import Language
from canary.api.metric import Counter, Value
from canary.api.template import Template
from canary.api.variables import ARGUMENT_PREFIX, variables_in
from canary.errors import SpecInvalid
from canary.lint.documents import Document
from canary.lint.finding import Finding, Level, Rule
from canary.metrics.language import fill_in
from canary.metrics.promql import Selector, fill
from canary.metrics.templates import Tracks
from canary.metrics.web_query import read_query

EXAMPLE: Final = Tracks("shop", "checkout", "checkout", "checkout", "checkout-canary", 80, "5d9c7f6b8", "6f8b5c4d7")
"""What a release would put into a template's texts, for reading them as Prometheus will."""
_MANY: Final = ("topk", "bottomk", "count_values", "limitk", "limit_ratio")
"""Aggregations that keep several series."""


def look_at_queries(document: Document, template: Template) -> Iterator[Finding]:
    """Look at every metric of a template that is valid otherwise."""
    for index, metric in enumerate(template.spec.metrics):
        path = f"spec.metrics[{index}]"
        identity = template.spec.identity_of(metric)
        if metric.counter is not None:
            yield from _counter(document, metric.counter, f"{path}.counter", metric.name)
        if metric.histogram is not None:
            yield from _selector(document, metric.histogram.buckets, f"{path}.histogram", "buckets", metric.name)
        if metric.value is not None and metric.value.language is not Language.PROMQL:
            yield from _foreign(document, metric.value, f"{path}.value.query", metric.name)
        elif metric.value is not None:
            yield from _value(document, metric.value, identity, f"{path}.value.query", metric.name)
        if identity is not None and not any("${namespace}" in text for text in identity.texts()):
            where = f"{path}.identity" if metric.identity is not None else "spec.identity"
            message = (
                f"metric {metric.name}: no label of identity says ${{namespace}}, so workloads of one name in two "
                "namespaces may share their series; add it where the series have it"
            )
            yield document.finding(where, Level.WARNING, Rule.IDENTITY, message)


def _selector(document: Document, text: str, path: str, field: str, name: str) -> Iterator[Finding]:
    parsed = _read(document, text, f"{path}.{field}", name, selector=True)
    if isinstance(parsed, Finding):
        yield parsed
    elif own := _of_the_rollout(text):
        message = (
            f"metric {name}: ${{{own[0]}}} in {field} makes a query for each Rollout; as a label of identity, one "
            "query serves all"
        )
        yield document.finding(f"{path}.{field}", Level.WARNING, Rule.GROUPING, message)


def _counter(document: Document, counter: Counter, path: str, name: str) -> Iterator[Finding]:
    for field, text in (("bad", counter.bad), ("total", counter.total)):
        yield from _selector(document, text, path, field, name)
    if counter.bad.split() == counter.total.split():
        message = f"metric {name}: bad and total are the same series, so that every event is a bad one; narrow bad"
        yield document.finding(f"{path}.bad", Level.ERROR, Rule.PROMQL, message)


def _value(document: Document, value: Value, identity: Identity | None, path: str, name: str) -> Iterator[Finding]:
    if value.stable_query is not None:
        stable = _read(document, value.stable_query, f"{path.removesuffix('query')}stableQuery", name, selector=False)
        if isinstance(stable, Finding):
            yield stable
    parsed = _read(document, value.query, path, name, selector=False)
    if isinstance(parsed, Finding):
        yield parsed
        return
    own = _of_the_rollout(value.query)
    if own:
        message = (
            f"metric {name}: ${{{own[0]}}} makes a query for each Rollout; without variables and with an identity one "
            "query serves all"
        )
        yield document.finding(path, Level.NOTE, Rule.GROUPING, message)
    kept = [] if own or identity is None else [label.name for label in identity.labels]
    if lost := _loses(parsed, kept):
        yield document.finding(path, Level.WARNING, Rule.SERIES, f"metric {name}: {lost}")
    for series in sorted(_read_whole(parsed)):
        message = f"metric {name}: every series of {series} is read at each look; narrow it by a label"
        yield document.finding(path, Level.WARNING, Rule.SERIES, message)


def _foreign(document: Document, value: Value, path: str, name: str) -> Iterator[Finding]:
    """Look at what can be told of a query in another language: its variables, and the shape of a web query."""
    try:
        filled = fill_in(value.language, value.query, EXAMPLE.values() | _arguments(value.query))
        if value.language is Language.WEB:
            read_query(filled)
    except SpecInvalid as error:
        yield document.finding(path, Level.ERROR, Rule.QUERY, f"metric {name}: {error}")
        return
    message = f"metric {name}: queries in {value.language} are not parsed here; only their variables were looked at"
    yield document.finding(path, Level.NOTE, Rule.QUERY, message)


def _arguments(text: str) -> dict[str, str]:
    return {variable: "x" for variable in variables_in(text) if variable.startswith(ARGUMENT_PREFIX)}


def _read(document: Document, text: str, path: str, name: str, *, selector: bool) -> promql.Expr | Finding:
    try:
        filled = fill(text, EXAMPLE.values() | _arguments(text))
        if selector:
            Selector.parse(filled)
        return promql.parse(filled)
    except (SpecInvalid, ValueError) as error:
        return document.finding(path, Level.ERROR, Rule.PROMQL, f"metric {name}: {error}")


def _of_the_rollout(text: str) -> list[str]:
    """Variables whose values differ from Rollout to Rollout; arguments may be the same for many."""
    return [variable for variable in variables_in(text) if not variable.startswith(ARGUMENT_PREFIX)]


def _loses(expression: promql.Expr, kept: list[str]) -> str:
    """Say why the expression does not give one sample for each set of the kept labels; empty when it does, or may."""
    match expression:
        case promql.ParenExpr() | promql.UnaryExpr():
            return _loses(expression.expr, kept)
        case promql.BinaryExpr():
            sides = [_loses(side, kept) for side in (expression.lhs, expression.rhs) if not _is_number(side)]
            return next((said for said in sides if said), "")
        case promql.AggregateExpr():
            return _loses_by(expression, kept)
        case promql.Call() if expression.func.name == "histogram_quantile":
            return _loses(expression.args[-1], [*kept, "le"])
        case promql.Call() if expression.func.name in {"scalar", "vector", "time", "absent", "absent_over_time"}:
            return ""
        case promql.Call():
            inner = [argument for argument in expression.args if not _is_number(argument)]
            return _loses(inner[0], kept) if inner else ""
        case promql.VectorSelector() | promql.MatrixSelector() | promql.SubqueryExpr():
            by = f" by ({', '.join(kept)})" if kept else ""
            return f"may give more than one sample, which is an error then; put sum{by}, max{by} or the like around it"
        case _:
            return ""


def _loses_by(expression: promql.AggregateExpr, kept: list[str]) -> str:
    modifier = expression.modifier
    if str(expression.op) in _MANY:
        return "gives several samples, which is an error then; take sum, max or the like"
    labels = list(modifier.labels) if modifier is not None else []
    if modifier is not None and modifier.type == promql.AggModifierType.Without:
        return ""  # without (...): what is left is not known here
    if lost := [label for label in kept if label not in labels]:
        return (
            f"the labels {', '.join(lost)} are lost, by which a Rollout finds its sample; write by ({', '.join(kept)})"
        )
    if more := [label for label in labels if label not in kept]:
        return f"may give a sample for each {', '.join(more)}, which is an error then; leave it out of by (...)"
    return ""


def _is_number(expression: promql.Expr) -> bool:
    return isinstance(expression, promql.NumberLiteral | promql.StringLiteral)


def _read_whole(expression: promql.Expr) -> set[str]:
    """Names of series that are read without any matcher."""
    found: set[str] = set()

    def visit(node: promql.Expr) -> None:
        if isinstance(node, promql.VectorSelector) and node.name:
            matchers = node.matchers
            if not matchers.matchers and not matchers.or_matchers:
                found.add(node.name)

    promql.walk(expression, visit)
    return found
