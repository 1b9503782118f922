"""Analysis templates: what is measured, how the tracks are told apart, and how it is judged.

An SRE writes a template once; every Rollout that names it shares its queries. That works because what differs from
Rollout to Rollout stands in `identity`, as label values, and not in the selectors: the planner asks one question with
all Rollouts' label values in it, and sorts the answer's series by these labels. Rollouts whose rendered selectors
differ (by `${args.x}`, say) get a query for each text.

A counter of an application that Prometheus scrapes pod by pod::

    spec:
      identity:
        labels:
        - {name: namespace, value: "${namespace}"}
        - {name: pod_template_hash, stable: "${stableHash}", canary: "${canaryHash}"}
      metrics:
      - name: errors
        counter:
          bad: http_requests_total{code=~"5.."}
          total: http_requests_total
        compare: {toleratedRatio: "1.5"}

Values of variables are escaped for the place where they stand (a PromQL string, or a regular expression in it); they
are never pasted. A variable therefore may stand only inside a label's value.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from canary.api.identity import Identity
from canary.api.judges import Against
from canary.api.metadata import ObjectMeta
from canary.api.metric import Metric
from canary.api.model import SpecModel, rules
from canary.api.names import API_VERSION
from canary.api.text import Identifier, KeyedBy, Line
from canary.api.variables import ARGUMENT_PREFIX, unknown_variable, variables_in


class Argument(SpecModel):
    """An argument of a template, used as `${args.<name>}`."""

    name: Identifier
    """Name of the argument."""
    default: Annotated[str, Field(max_length=256)] | None = None
    """Value when a Rollout gives none. Absent: a Rollout must give it."""
    description: Line | None = None
    """What it is for, for those who write Rollouts."""


_NEEDS_IDENTITY: Final = "a counter or histogram needs identity, its own or the template's, to tell canary from stable"


_NO_HASH_A_WEEK_AGO: Final = (
    "compare.against: history asks for stable's series of a week ago, which had another hash: tell stable by its "
    "Service or job, not by ${stableHash}"
)


def _stable_hash(metric: Metric, identity: Identity | None) -> bool:
    """Whether stable's series are told by the hash of the pods that serve now."""
    labels = identity.labels if identity else ()
    value = metric.value and metric.value.stable_query
    texts = (*(label.stable_text for label in labels), *((value,) if value else ()))
    return any("stableHash" in variables_in(text) for text in texts)


class AnalysisTemplateSpec(SpecModel):
    """Metrics that are judged together."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "has(self.identity) || self.metrics.all(metric, has(metric.value) || has(metric.identity))",
                _NEEDS_IDENTITY,
            )
        )
    )

    description: Line | None = None
    """What the template is for."""
    args: Annotated[tuple[Argument, ...], Field(max_length=16), KeyedBy("name")] = ()
    """Arguments that Rollouts give. Absent: none."""
    identity: Identity | None = None
    """How series of all metrics are told apart, if a metric has none of its own. Absent: each counter has one."""
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1, max_length=16), KeyedBy("name")]
    """The metrics. One failed critical metric fails the release."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        declared = frozenset(argument.name for argument in self.args)
        for metric in self.metrics:
            identity = self.identity_of(metric)
            if metric.value is None and identity is None:
                raise ValueError(f"metric {metric.name!r}: {_NEEDS_IDENTITY}")
            if (
                metric.compare is not None
                and metric.compare.against is Against.HISTORY
                and _stable_hash(metric, identity)
            ):
                raise ValueError(f"metric {metric.name!r}: {_NO_HASH_A_WEEK_AGO}")
            for text in (*metric.texts(), *(identity.texts() if identity else ())):
                for name in variables_in(text):
                    if wrong := unknown_variable(name, declared):
                        raise ValueError(f"metric {metric.name!r}: {wrong}")
        return self

    def identity_of(self, metric: Metric) -> Identity | None:
        """A metric's own identity, else the template's; a value may have None."""
        return metric.identity or self.identity

    def arguments(self, given_values: dict[str, str]) -> dict[str, str]:
        """Values of `${args.*}` by variable name (`args.x`), defaults filled in.

        Raises
        ------
        ValueError
            An argument is missing, or is not declared by this template.
        """
        declared = {argument.name: argument.default for argument in self.args}
        if stray := sorted(given_values.keys() - declared.keys()):
            raise ValueError(f"argument {stray[0]!r} is not one of the template's: {', '.join(declared) or 'none'}")
        values = {name: given_values.get(name, default) for name, default in declared.items()}
        if missing := [name for name, value in values.items() if value is None]:
            raise ValueError(f"argument {missing[0]!r} has no default: give it under args")
        return {f"{ARGUMENT_PREFIX}{name}": value for name, value in values.items() if value is not None}


class AnalysisTemplate(SpecModel):
    """Metrics that Rollouts of the same namespace may name."""

    api_version: Literal["canary.delivery/v1alpha1"] = API_VERSION
    kind: Literal["AnalysisTemplate"] = "AnalysisTemplate"
    metadata: ObjectMeta
    spec: AnalysisTemplateSpec
    """Metrics that are judged together."""


class ClusterAnalysisTemplate(SpecModel):
    """Metrics that Rollouts of every namespace may name."""

    api_version: Literal["canary.delivery/v1alpha1"] = API_VERSION
    kind: Literal["ClusterAnalysisTemplate"] = "ClusterAnalysisTemplate"
    metadata: ObjectMeta
    spec: AnalysisTemplateSpec
    """Metrics that are judged together."""


Template = AnalysisTemplate | ClusterAnalysisTemplate
