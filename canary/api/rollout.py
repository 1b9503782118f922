"""The Rollout: what an application's team declares beside its Deployment."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from canary.api.decimals import Alpha
from canary.api.duration import Duration
from canary.api.metadata import ObjectMeta
from canary.api.model import SpecModel, rules
from canary.api.names import API_VERSION
from canary.api.status import RolloutStatus
from canary.api.strategy import DEFAULT_BAKE, DEFAULT_STEPS, CanaryStrategy, EffectiveStep, Strategy
from canary.api.text import Identifier, KeyedBy, Label, ObjectName, ServiceName, WorkloadName
from canary.api.traffic import Traffic

DEFAULT_ALPHA: Final = Alpha("0.01")
DEFAULT_NO_DATA_AFTER: Final = Duration("2m")
DEFAULT_PROGRESS_DEADLINE: Final = Duration("10m")
DEFAULT_TEMPLATE: Final = "default"
"""The ClusterAnalysisTemplate of a Rollout that names none: what the platform's team has chosen."""


class WorkloadKind(StrEnum):
    """What kind of object runs the pods."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    """Not served yet."""
    DAEMON_SET = "DaemonSet"
    """Not served yet."""


class WorkloadApi(StrEnum):
    """API versions of the workloads."""

    APPS_V1 = "apps/v1"


class WorkloadRef(SpecModel):
    """The workload in Git, in the Rollout's namespace; it stays unchanged and is the stable version."""

    api_version: WorkloadApi = WorkloadApi.APPS_V1
    """API version of the kind. Absent: apps/v1."""
    kind: WorkloadKind = WorkloadKind.DEPLOYMENT
    """Absent: Deployment. StatefulSet and DaemonSet are not served yet."""
    name: WorkloadName
    """Name of the workload; at most 56 characters, because the canary is called `<name>-canary`."""


class ServiceRef(SpecModel):
    """The Service in Git, in the Rollout's namespace, through which the workload is reached."""

    name: ServiceName
    """Name of the Service; at most 56 characters, because the canary's is called `<name>-canary`."""
    port: Annotated[int, Field(ge=1, le=65535, strict=True)]
    """The Service's port that the route sends to."""


class TemplateKind(StrEnum):
    """Where an analysis template lives."""

    ANALYSIS_TEMPLATE = "AnalysisTemplate"
    CLUSTER_ANALYSIS_TEMPLATE = "ClusterAnalysisTemplate"


class TemplateRef(SpecModel):
    """An analysis template and the arguments for it."""

    name: ObjectName
    """Name of the template."""
    kind: TemplateKind | None = None
    """AnalysisTemplate (of the Rollout's namespace) or ClusterAnalysisTemplate. Absent: the first of these two that
    exists."""
    args: Annotated[dict[Identifier, Annotated[str, Field(max_length=256)]], Field(max_length=16)] = Field(
        default_factory=dict
    )
    """Values for the template's arguments, strings. Absent: the template's own defaults."""


class OnInconclusive(StrEnum):
    """What follows when a step reaches atMost without a verdict."""

    HOLD = "hold"
    """Keep the weight, tell, and wait for evidence or a person."""
    PROMOTE = "promote"
    """Go on with the next step."""
    ROLL_BACK = "rollBack"
    """Treat it as a failure."""


class Analysis(SpecModel):
    """What decides whether a version is good."""

    templates: Annotated[tuple[TemplateRef, ...], Field(min_length=1, max_length=8)] | None = None
    """The templates whose metrics are judged, all of them. Absent: the ClusterAnalysisTemplate named `default`."""
    on_inconclusive: OnInconclusive = OnInconclusive.HOLD
    """When a step reaches atMost without a verdict: hold, promote or rollBack. Absent: hold, because no evidence is
    neither good nor bad."""
    no_data_after: Duration = DEFAULT_NO_DATA_AFTER
    """A metric without data for this long holds the release and alerts; it never counts as a failure. Absent: 2m."""
    alpha: Alpha = DEFAULT_ALPHA
    """Bound on the chance that a release of a good version is rolled back by `compare`, over all its metrics and
    however often they are looked at; in quotes. Absent: "0.01"."""


class GitMode(StrEnum):
    """How the commit of a failed version is taken back."""

    PUSH = "push"
    """A revert is pushed to the branch."""
    PULL_REQUEST = "pullRequest"
    """A revert is offered as a pull request. Not served yet."""
    OFF = "off"
    """Git is left alone: a person reverts."""


class GitRollback(SpecModel):
    """What happens in Git after a rollback."""

    mode: GitMode = GitMode.PUSH
    """push, pullRequest (not served yet) or "off" (in quotes: YAML reads a bare off as false). Absent: push, which
    keeps Git and the cluster the same."""


class Rollback(SpecModel):
    """What follows a failed verdict, after traffic is at zero."""

    git: GitRollback = GitRollback()
    """What happens in Git. Absent: the commit that brought the version is reverted by a push."""


class Window(SpecModel):
    """When releases may start. Not served yet."""

    schedule: Annotated[str, Field(min_length=9, max_length=128)]
    """Cron expression of five fields: when the window opens."""
    for_: Annotated[Duration, Field(alias="for")]
    """How long the window stays open."""
    time_zone: Annotated[str, Field(max_length=64)] | None = None
    """IANA time zone of the schedule. Absent: UTC."""


class Notification(SpecModel):
    """Who is told. Not served yet."""

    channel: Label
    """Name of a channel in the operator's configuration."""


class RolloutSpec(SpecModel):
    """What is released, how traffic is split, and what decides."""

    workload: WorkloadRef
    """The Deployment in Git; unchanged, and the stable version."""
    service: ServiceRef
    """The Service in Git; unchanged, and stable's Service."""
    traffic: Traffic
    """Who splits the traffic: exactly one provider."""
    strategy: Strategy | None = None
    """How a release goes: exactly one key. Absent: canary with its default steps."""
    analysis: Analysis = Analysis()
    """What decides whether a version is good. Absent: the ClusterAnalysisTemplate named `default`."""
    rollback: Rollback = Rollback()
    """What follows a failed verdict. Absent: traffic to zero, then a revert in Git."""
    progress_deadline: Duration = DEFAULT_PROGRESS_DEADLINE
    """Canary pods must be ready, and a promoted Deployment rolled, within this. Absent: 10m, as a Deployment's
    own progressDeadlineSeconds."""
    windows: Annotated[tuple[Window, ...], Field(max_length=16)] | None = None
    """When releases may start. Absent: at any time. Not served yet."""
    notify: Annotated[tuple[Notification, ...], Field(max_length=16), KeyedBy("channel")] | None = None
    """Who is told, by names of channels in the operator's configuration. Absent: nobody beyond Events. Not served
    yet."""

    def effective_steps(self) -> tuple[EffectiveStep, ...]:
        """The steps with every default filled in; at 100 % and bake nothing is written here."""
        canary = self._canary()
        return DEFAULT_STEPS if canary.steps is None else tuple(step.effective() for step in canary.steps)

    def bake_seconds(self) -> int:
        """How long the canary is watched at 100 %."""
        return (self._canary().bake or DEFAULT_BAKE).seconds

    def effective_templates(self) -> tuple[TemplateRef, ...]:
        """The templates that are judged, the platform's default when none is named."""
        if self.analysis.templates is None:
            return (TemplateRef(name=DEFAULT_TEMPLATE, kind=TemplateKind.CLUSTER_ANALYSIS_TEMPLATE),)
        return self.analysis.templates

    def _canary(self) -> CanaryStrategy:
        return (self.strategy and self.strategy.canary) or CanaryStrategy()


_LONG_NAME: Final = "a Rollout's name has at most 63 characters: it is written as a label"


class Rollout(SpecModel):
    """Releases the new versions of one Deployment step by step, and reverts in Git those that fail."""

    model_config = ConfigDict(json_schema_extra=rules(("size(self.metadata.name) <= 63", _LONG_NAME)))

    api_version: Literal["canary.delivery/v1alpha1"] = API_VERSION
    kind: Literal["Rollout"] = "Rollout"
    metadata: ObjectMeta
    spec: RolloutSpec
    """What is released, how traffic is split, and what decides."""
    status: RolloutStatus = RolloutStatus()
    """Written by the operator."""

    @model_validator(mode="after")
    def _name_is_a_label(self) -> Self:
        if len(self.metadata.name) > 63:
            raise ValueError(_LONG_NAME)
        return self

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.metadata.namespace, self.metadata.name
