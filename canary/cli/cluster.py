"""The seam between the commands and a cluster: what a command reads, and the few things it can do.

`apiserver.py` talks to a real API server; the tests' fake stands in its place. Nothing here imports a client.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from canary.core.phases import Phase, Stage
from canary.core.plan import Step

if TYPE_CHECKING:  # the models are imported only when an object is read
    from canary.api.conditions import Condition
    from canary.api.rollout import RolloutSpec
    from canary.api.status import RolloutStatus


@dataclass(frozen=True, slots=True)
class Target:
    """Which cluster and namespace are meant; None leaves it to the kubeconfig."""

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A Rollout as it was read at one moment."""

    namespace: str
    name: str
    resource_version: str
    generation: int
    status: RolloutStatus
    spec: RolloutSpec | None
    """None when this version of Canary does not understand the spec; `spec_problem` says why."""
    spec_problem: str = ""
    steps: tuple[Step, ...] = ()
    """The steps of a release with every default filled in; empty when the spec is not understood."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    created_at: datetime | None = None
    document: Mapping[str, object] = field(default_factory=dict)
    """The object as the API server gave it, for `-o json` and `-o yaml`."""

    @property
    def phase(self) -> Phase | None:
        """Where the Rollout is; None when no operator has seen it yet."""
        return self.status.phase

    @property
    def stage(self) -> Stage | None:
        """The part of the promotion; None when none runs."""
        return self.status.promotion

    @property
    def step(self) -> Step | None:
        """The step that is watched now; None when no step is, or the spec does not have it any more."""
        index = self.status.step
        return self.steps[index] if index is not None and self.phase is Phase.STEP and index < len(self.steps) else None

    def condition(self, kind: str) -> Condition | None:
        """Return the condition of a type (Ready, Reconciling, Stalled), or None when the operator has not set it."""
        return next((c for c in self.status.conditions if c.type == kind), None)

    @property
    def stalled(self) -> bool:
        """Whether nothing moves until somebody acts."""
        return self.status.stalled


class Cluster(Protocol):
    """What the commands need of a cluster.

    Every method raises ApiUnavailable when the API server does not answer, Forbidden when it refuses this user, and
    NotInstalled when it does not know Rollouts. Nothing is kept between calls.
    """

    @property
    def namespace(self) -> str:
        """The namespace that is meant when none is given: the target's, else the kubeconfig's, else `default`."""
        ...

    def get_rollout(self, namespace: str, name: str) -> Seen:
        """Read one Rollout; raises NotFound."""
        ...

    def list_rollouts(self, namespace: str | None) -> tuple[Seen, ...]:
        """Read the Rollouts of a namespace, or of all namespaces for None, by namespace and name."""
        ...

    def watch(self, seen: Seen, timeout_seconds: float) -> Iterator[Seen | None]:
        """Yield the Rollout after each change since `seen`, and None once when it is deleted.

        Ends after `timeout_seconds` (rounded up to whole seconds), or earlier when the server closes the connection or
        no longer knows the version of `seen`: read again, then watch again.
        """
        ...

    def patch_annotations(self, seen: Seen, changes: Mapping[str, str | None]) -> Seen:
        """Set annotations, or take them away (None), and return what came of it.

        Raises ApiConflict when the Rollout was changed since `seen` was read, so that what was checked still holds.
        """
        ...

    def whoami(self) -> str:
        """Return the name by which the API server knows this user, for the record of who asked."""
        ...
