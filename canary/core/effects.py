"""What is to be done, as values. Only the operator executes them, in the order given.

Every effect is idempotent: done twice, or again after a crash, it leaves the same world.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from canary.core.state import Revision, State


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """Write the state (with the resourceVersion of the Rollout that was read); a conflict ends the pass."""

    state: State


@dataclass(frozen=True, slots=True)
class AddFinalizer:
    """Put our finalizer on the Rollout, before anything else is touched for it."""


@dataclass(frozen=True, slots=True)
class RemoveFinalizer:
    """Let the Rollout go; everything else is cleaned up."""


@dataclass(frozen=True, slots=True)
class Label:
    """Put this Rollout's label on the Deployment, the Service and the route, so that the policies act on them."""

    workload: bool
    service: bool
    route: bool


@dataclass(frozen=True, slots=True)
class Unlabel:
    """Take this Rollout's label off the Service and the route, and off the Deployment unless it is held."""

    workload: bool


@dataclass(frozen=True, slots=True)
class Hold:
    """Pause the Deployment with our annotation: the hold on clusters without admission policies."""

    resource_version: str


@dataclass(frozen=True, slots=True)
class LetGo:
    """Unpause the Deployment and take the hold's annotation off, in one patch.

    The resource version is that of the observation that was judged: a commit that landed since then makes a
    conflict, and is never shipped unjudged.
    """

    resource_version: str


@dataclass(frozen=True, slots=True)
class Pin:
    """Pin the root Service to pods of one pod-template-hash; None takes the pin off."""

    pod_template_hash: str | None


@dataclass(frozen=True, slots=True)
class EnsureCopy:
    """Create or correct the canary copy and its Service: the candidate's template, as the Deployment has it now."""

    release: str
    replicas: int
    candidate: Revision


@dataclass(frozen=True, slots=True)
class DeleteCopy:
    """Delete the canary copy and its Service."""


@dataclass(frozen=True, slots=True)
class SetWeight:
    """Give the canary this share of the traffic, in percent.

    A raise carries the route's resourceVersion of the observation, so that it fails when somebody wrote since; a
    decrease is forced.
    """

    weight: int
    resource_version: str | None
    """None forces the write."""


@dataclass(frozen=True, slots=True)
class RestoreRoute:
    """Put Git's own backends back and take our annotations off."""


@dataclass(frozen=True, slots=True)
class ScaleReplicaSet:
    """Scale one ReplicaSet of the Deployment through its scale subresource."""

    name: str
    replicas: int


@dataclass(frozen=True, slots=True)
class RememberRejected:
    """Write the rejected version into the namespace's ConfigMap, where it outlives the Rollout."""

    template_hash: str
    version_hash: str
    commit: str
    reason: str
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ForgetRejected:
    """Take a version off the namespace's list, and have Git's notes say so: somebody asked to try it again."""

    version_hash: str
    template_hash: str


@dataclass(frozen=True, slots=True)
class RevertInGit:
    """Ask the Git worker to revert what brought the candidate; its answer comes with a later observation."""

    release: str
    at: float
    report: str
    candidate: Revision
    stable: Revision


@dataclass(frozen=True, slots=True)
class AskSync:
    """Ask the GitOps engine to sync now, because this commit is there to be had; end what keeps it at an older one."""

    commit: str


@dataclass(frozen=True, slots=True)
class Emit:
    """Tell people: a Kubernetes Event on the Rollout."""

    reason: str
    message: str
    warning: bool = False


Effect: TypeAlias = (
    WriteStatus
    | AddFinalizer
    | RemoveFinalizer
    | Label
    | Unlabel
    | Hold
    | LetGo
    | Pin
    | EnsureCopy
    | DeleteCopy
    | SetWeight
    | RestoreRoute
    | ScaleReplicaSet
    | RememberRejected
    | ForgetRejected
    | RevertInGit
    | AskSync
    | Emit
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What `decide()` returns."""

    state: State
    effects: tuple[Effect, ...]
    """In the order in which they are to be done; the first that fails ends the pass."""
    wake_at: float | None
    """When to look again although nothing changed; None to wait for a change."""
