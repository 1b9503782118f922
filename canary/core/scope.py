"""What one decision looks at, and the questions that several phases ask of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from canary.core.observed import Observed, ReplicaSetView, WorkloadView
from canary.core.phases import Phase, Stage
from canary.core.plan import Plan
from canary.core.sentences import sentences
from canary.core.state import HISTORY_LENGTH, Past, Rejected, Release, Revert, Revision, State


@dataclass(frozen=True, slots=True)
class Scope:
    """The four inputs of `decide()`."""

    plan: Plan
    state: State
    observed: Observed
    now: float

    @property
    def release(self) -> Release:
        """The release under way; phases in which there is none do not ask."""
        if self.state.release is None:
            raise ValueError(f"no release in phase {self.state.phase}")
        return self.state.release

    @property
    def workload(self) -> WorkloadView:
        """The Deployment; phases past `Pending` ask only after they saw that it exists."""
        if self.observed.workload is None:
            raise ValueError("no Deployment was observed")
        return self.observed.workload

    @property
    def elapsed(self) -> float:
        """Seconds since the present phase, step or stage began."""
        return self.now - self.release.since

    @property
    def stable_set(self) -> ReplicaSetView | None:
        """The ReplicaSet of the stable version; None when it was deleted or never made."""
        workload, stable = self.observed.workload, self.state.stable
        return workload.replica_set_of(stable.template_hash) if workload and stable else None

    @property
    def candidate_set(self) -> ReplicaSetView | None:
        """The Deployment's own ReplicaSet of the candidate: it exists only after the Deployment was let go."""
        workload, release = self.observed.workload, self.state.release
        return workload.replica_set_of(release.candidate.template_hash) if workload and release else None

    @property
    def at_stable(self) -> bool:
        """Whether the Deployment says the stable template."""
        stable = self.state.stable
        return stable is not None and self.workload.revision.template_hash == stable.template_hash

    @property
    def home(self) -> ReplicaSetView | None:
        """The ReplicaSet whose pods the root Service means when the canary has gone; None when there is none."""
        return self.candidate_set if self.state.past_the_point_of_no_return else self.stable_set

    @property
    def home_serves(self) -> bool:
        """Whether that ReplicaSet has a ready pod, or is to have none."""
        return self.home is not None and (self.home.ready > 0 or self.workload.replicas == 0)

    @property
    def rolls_by_itself(self) -> bool:
        """Whether the Deployment rolls to a version that was not let go: somebody took the hold off.

        Without the admission policies anybody may do that, and the hold is put back before the roll is done.
        """
        workload, state = self.observed.workload, self.state
        home = state.release.candidate if state.release and state.past_the_point_of_no_return else state.stable
        if workload is None or workload.paused or home is None:
            return False
        holds_again = not self.observed.policies and not self.observed.deleting and not workload.rolled_out
        return workload.revision.template_hash != home.template_hash and not holds_again

    @property
    def reverted(self) -> Revert | None:
        """The commit that took the candidate back, as the Git worker told it; None when there is none.

        The engine may apply it before the worker's answer was written down.
        """
        told = self.observed.revert or self.release.revert
        return told if told is not None and told.commit else None

    @property
    def canary_ready(self) -> int:
        """How many pods of the present release's canary are ready, and stay."""
        copy = self.observed.copy
        return 0 if copy is None or copy.deleting or copy.release != self.release.id else copy.ready

    @property
    def return_weight(self) -> int:
        """The weight in percent that the canary has in the present step of the return."""
        weights = self.plan.return_weights
        return weights[min(self.release.return_step, len(weights) - 1)]

    @property
    def load(self) -> int:
        """How many pods the whole load needs: what the Deployment wants, or more while its autoscaler is behind."""
        return max(self.workload.replicas, self.observed.load.needs)

    def needed(self, weight: int) -> int:
        """Return how many ready canary pods a weight needs: the same share of pods as of traffic, one at the least.

        While the Deployment is too small for the load it is so many that the autoscaler's average, which counts them,
        leaves its tolerance: it grows the Deployment then, and would not otherwise.
        """
        return max(1, math.ceil(self.load * weight / 100), self.observed.load.canary_at_least)

    def share(self, weight: int, pods: int) -> int:
        """Return a weight's share of so many pods: of no more than the Deployment wants, and one at the least."""
        return max(1, math.ceil(min(pods, self.workload.replicas) * weight / 100))

    def weight_in_force(self, weight: int) -> bool:
        """Return whether the gateway serves exactly this weight now."""
        traffic = self.observed.traffic
        return traffic is not None and traffic.weight == weight and traffic.in_force and not traffic.problem

    def pinned(self, pod_template_hash: str | None) -> bool:
        """Return whether the root Service selects just the pods of this hash (None: is not pinned)."""
        service = self.observed.service
        return service is not None and service.pin == pod_template_hash and service.selector_hash == pod_template_hash

    def is_rejected(self, revision: Revision) -> bool:
        """Return whether a version was rolled back before and nobody asked to try it again.

        The version hash (the template without labels and annotations) recognises a rejected version that comes again
        under another annotation; it says nothing when the rejected one differed from stable only in those.
        """
        stable_version = self.state.stable.version_hash if self.state.stable else ""
        known = {h for r in self.state.rejected for h in (r.template_hash, r.version_hash)}
        known.update(self.observed.rejected_elsewhere)
        known.update(h for r in self.observed.noted for h in (r.template_hash, r.version_hash))
        known.discard(stable_version)
        return revision.template_hash in known or revision.version_hash in known


def enter(scope: Scope, phase: Phase, *, stage: Stage | None = None, step: int = 0, reason: str, message: str) -> State:
    """Return the state in which a phase, step or stage begins now."""
    release = replace(scope.release, since=scope.now, stage=stage, step=step, in_force_since=None, unready_since=None)
    # What was drained before a weight was asked for is none of what has to drain after it.
    drained = None if phase in (Phase.STEP, Phase.PROMOTING) else scope.state.drained_since
    state = replace(scope.state, phase=phase, release=release, reason=reason, message=sentences(message), stalled=False)
    return replace(state, drained_since=drained)


def stay(state: State, reason: str, message: str, *, stalled: bool = False) -> State:
    """Return the same state with another explanation."""
    return replace(state, reason=reason, message=sentences(message), stalled=stalled)


def begin(scope: Scope, state: State, *, retried: bool = False) -> State:
    """Return the state in which the Deployment's present template is held as a new release.

    Whether it was rejected before is asked here once, so that a retried one is not refused again.
    """
    candidate = replace(scope.workload.revision, commit=scope.observed.commit)
    attempt = state.attempts + 1
    release = Release(
        id=f"{candidate.template_hash[:10]}-{attempt}",
        candidate=candidate,
        attempt=attempt,
        held_at=scope.now,
        since=scope.now,
        blocked="Rejected" if not retried and scope.is_rejected(candidate) else "",
    )
    message = f"{' '.join(candidate.images) or 'A new template'} is held: no pod of it runs."
    return replace(
        state, phase=Phase.HELD, release=release, attempts=attempt, reason="Held", message=message, stalled=False
    )


def end(scope: Scope, outcome: str, message: str, *, stable: Revision | None = None) -> State:
    """Return the stable state in which the release under way has become history."""
    release, message = scope.release, sentences(message)
    past = Past(
        id=release.id,
        template_hash=release.candidate.template_hash,
        images=release.candidate.images,
        outcome=outcome,
        started_at=release.held_at,
        ended_at=scope.now,
        commit=release.candidate.commit,
        message=message,
        revert_commit=scope.reverted.commit if scope.reverted else "",
    )
    return replace(
        scope.state,
        phase=Phase.STABLE,
        stable=stable or scope.state.stable,
        release=None,
        history=(past, *scope.state.history)[:HISTORY_LENGTH],
        reason=outcome,
        message=message,
        stalled=False,
    )


def without_rejection(rejected: tuple[Rejected, ...], revision: Revision) -> tuple[Rejected, ...]:
    """Return the rejected versions less those that a revision is recognised by."""
    return tuple(
        r for r in rejected if r.template_hash != revision.template_hash and r.version_hash != revision.version_hash
    )
