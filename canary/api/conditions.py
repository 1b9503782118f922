"""Condition types as kstatus defines them, and their reasons.

Flux's `wait`, Argo CD's health checks and `kubectl wait` read these: "Ready" means that what Git asks for is what
users get. A reason is an API: alerts and scripts match on it.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from canary.api.model import StatusModel
from canary.api.text import Message


class ConditionType(StrEnum):
    """Which question a condition answers."""

    READY = "Ready"
    """True: the version in Git is the stable version and serves everybody."""
    RECONCILING = "Reconciling"
    """True: the operator is working towards Ready; present only while it does (kstatus: InProgress)."""
    STALLED = "Stalled"
    """True: nothing will change until somebody acts; present only then (kstatus: Failed)."""


class ConditionStatus(StrEnum):
    """Kubernetes' three answers."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Reason(StrEnum):
    """Why a condition is as it is."""

    # Ready is True
    RELEASED = "Released"
    """When the stable version is what Git asks for and no release runs."""
    ADOPTED = "Adopted"
    """When a Rollout was seen first and took the running version as stable, without analysis."""

    # Reconciling is True, Ready is False
    HELD = "Held"
    """When a new template waits for the operator to start its release."""
    STARTING = "Starting"
    """When canary pods are being started and have no traffic yet."""
    PROGRESSING = "Progressing"
    """When a step of a release is watched."""
    AWAITING_APPROVAL = "AwaitingApproval"
    """When an approval step waits for `canary approve`."""
    AWAITING_CAPACITY = "AwaitingCapacity"
    """When a raise of the weight waits until both versions have ready capacity for it."""
    SUSPICION = "Suspicion"
    """When the evidence against the canary is high enough to keep the weight, not to fail it."""
    NO_DATA = "NoData"
    """When a metric gave nothing for longer than `analysis.noDataAfter`: held, alerted, never counted as a failure."""
    INCONCLUSIVE = "Inconclusive"
    """When a step reached `atMost` without a verdict and `analysis.onInconclusive` is `hold`."""
    METRICS_UNAVAILABLE = "MetricsUnavailable"
    """When the metric source does not answer, answers with an error, or answers in part."""
    PROMOTING = "Promoting"
    """When the canary passed and replaces the stable version."""
    ROLLING_BACK = "RollingBack"
    """When the canary failed: its traffic goes to zero."""
    REVERTING = "Reverting"
    """When the commit that brought the failed version is being reverted."""
    GIT_UNAVAILABLE = "GitUnavailable"
    """When the repository cannot be reached or did not take the push; traffic stays at zero, retried with backoff."""
    AWAITING_GIT = "AwaitingGit"
    """When the revert is pushed and the GitOps engine has not applied it yet."""
    PAUSED = "Paused"
    """When somebody paused the release with `canary pause`."""
    PAUSED_BY_USER = "PausedByUser"
    """When the Deployment was already paused by its owner: Canary does nothing until it is not."""

    # Stalled is True, Ready is False
    REJECTED = "Rejected"
    """When Git still asks for a version that was rolled back; `canary retry` or a new version goes on."""
    SPEC_INVALID = "SpecInvalid"
    """When the Rollout, or a template it names, says what cannot be or is not served."""
    WORKLOAD_NOT_FOUND = "WorkloadNotFound"
    """When the Deployment does not exist."""
    SERVICE_NOT_FOUND = "ServiceNotFound"
    """When the Service does not exist."""
    ROUTE_NOT_FOUND = "RouteNotFound"
    """When the route or the Gateway does not exist."""
    ROUTE_NOT_OWNED = "RouteNotOwned"
    """When the route or the Service is held by another Rollout."""
    ROUTE_NOT_ACCEPTED = "RouteNotAccepted"
    """When the gateway refuses the route."""
    TEMPLATE_NOT_FOUND = "TemplateNotFound"
    """When an analysis template does not exist."""
    SOURCE_NOT_FOUND = "SourceNotFound"
    """When a template names a metric source that the operator does not have."""
    WORKLOAD_TAKEN = "WorkloadTaken"
    """When an older Rollout has the same Deployment."""
    NOT_FROM_GIT = "NotFromGit"
    """When a failed version came without a commit (`rollout restart`, a webhook): nothing to revert."""
    REVERT_REFUSED = "RevertRefused"
    """When the revert cannot be made or may not be pushed: a person has to revert."""
    FORBIDDEN = "Forbidden"
    """When the operator lacks a right that this Rollout needs."""
    PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
    """When the promoted Deployment did not finish rolling: traffic stays on the canary."""


class Condition(StatusModel):
    """A Kubernetes condition."""

    type: ConditionType
    """Which question this answers: Ready, Reconciling or Stalled."""
    status: ConditionStatus
    """True, False or Unknown."""
    reason: Annotated[str, Field(min_length=1, max_length=64)]
    """Why, in one CamelCase word."""
    message: Message = ""
    """Why, in a sentence, with what to do next."""
    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The spec's generation that this was said of."""
    last_transition_time: datetime
    """When `status` last changed."""
