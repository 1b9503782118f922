"""Condition types as kstatus defines them.

Flux's `wait`, Argo CD's health checks and `kubectl wait` read these: "Ready" means that what Git asks for is what
users get. Reasons are given where they are decided (`canary.core`); docs/troubleshooting.md lists them all.
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
