"""Everything that is looked for, over all files together: a Rollout's template may stand in another file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from canary.analysis.metric import Compare, EventMetric, Metric
from canary.api.parse import parse_rollout, parse_template, problems_of
from canary.api.rollout import Rollout, TemplateKind, TemplateRef
from canary.api.template import Template
from canary.errors import SpecInvalid
from canary.lint.documents import Document
from canary.lint.finding import Finding, Level, Rule
from canary.lint.promql import EXAMPLE, look_at_queries
from canary.lint.traffic import Traffic, look_at_steps
from canary.metrics.templates import metrics_of


def check(documents: Iterable[Document], traffic: Traffic | None = None) -> list[Finding]:
    """Return what is found, in the order of files and lines.

    Parameters
    ----------
    documents
        Objects of Canary's.
    traffic
        With it, steps are looked at for whether they can decide.
    """
    documents = list(documents)
    findings: list[Finding] = []
    templates: dict[tuple[str, str, str], Template] = {}
    rollouts: list[tuple[Document, Rollout]] = []
    for document in documents:
        problems = problems_of(document.content)
        findings += [
            document.finding(problem.partition(" ")[0].rstrip(":"), Level.ERROR, Rule.FIELD, problem)
            for problem in problems
        ]
        if problems:
            continue
        if document.kind == "Rollout":
            rollouts.append((document, parse_rollout(document.content)))
        else:
            template = parse_template(document.content)
            templates[document.kind, template.metadata.namespace, template.metadata.name] = template
            findings += look_at_queries(document, template)
    for document, rollout in rollouts:
        findings += _rollout(document, rollout, templates, traffic)
    return sorted(findings)


def _rollout(
    document: Document, rollout: Rollout, templates: dict[tuple[str, str, str], Template], traffic: Traffic | None
) -> Iterator[Finding]:
    metrics: list[Metric] = []
    for index, reference in enumerate(rollout.spec.effective_templates()):
        path = f"spec.analysis.templates[{index}]"
        template = _find(reference, rollout.metadata.namespace, templates)
        if template is None:
            message = f"the template {reference.name} is in none of the files; its arguments were not looked at"
            yield document.finding(path, Level.NOTE, Rule.TEMPLATE, message)
            continue
        try:
            metrics += metrics_of(template, reference.args, EXAMPLE)
        except SpecInvalid as error:
            yield document.finding(path, Level.ERROR, Rule.TEMPLATE, str(error))
    if traffic is not None:
        compared = [m for m in metrics if isinstance(m, EventMetric) and isinstance(m.judge, Compare)]
        sharing = [m for m in metrics if isinstance(m.judge, Compare) and m.judge.alpha is None]
        share = rollout.spec.analysis.alpha.value / max(1, sum(m.critical for m in sharing))
        judges = [
            (m.name, replace(m.judge, alpha=m.judge.alpha or share)) for m in compared if isinstance(m.judge, Compare)
        ]
        yield from look_at_steps(document, rollout, judges, traffic)


def _find(reference: TemplateRef, namespace: str, templates: dict[tuple[str, str, str], Template]) -> Template | None:
    """Return the template as the operator would find it; a file may leave the namespace to whoever applies it."""
    kinds = [reference.kind] if reference.kind is not None else list(TemplateKind)
    for kind in kinds:
        places = ("",) if kind is TemplateKind.CLUSTER_ANALYSIS_TEMPLATE else (namespace, "")
        for place in places:
            if found := templates.get((kind, place, reference.name)):
                return found
    return None
