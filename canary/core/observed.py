"""One frozen look at the world, made by the operator from its caches and read by `decide()`."""

from __future__ import annotations

from dataclasses import dataclass, field

from canary.analysis.verdict import Verdict
from canary.core.state import Rejected, Revert, Revision


@dataclass(frozen=True, slots=True)
class ReplicaSetView:
    """A ReplicaSet that the Deployment owns."""

    name: str
    pod_template_hash: str
    """Kubernetes' label: what selectors use."""
    revision: Revision
    replicas: int
    """Wanted, by its spec."""
    ready: int


@dataclass(frozen=True, slots=True)
class WorkloadView:
    """The Deployment in Git, as the API server has it."""

    resource_version: str
    revision: Revision
    """Of the template in its spec."""
    replicas: int
    """Wanted, by its spec (the HPA's number, if there is one)."""
    ready: int
    paused: bool
    held: bool
    """Paused, and carrying our annotation."""
    labelled: bool
    """Whether it carries this Rollout's label, so that the policies act on it."""
    rolled_out: bool
    """Whether the controller has seen the spec and every pod is of its template and available."""
    replica_sets: tuple[ReplicaSetView, ...] = ()
    """Those with wanted or existing pods first, then the others; newest first."""
    history_limit: int = 10
    pods: int = 0
    """That exist, by its status: told apart from ReplicaSets, which may be learned of later than the Deployment."""
    other_owner: str = ""
    """The name of another Rollout that holds this Deployment; empty when none does."""

    @property
    def never_ran(self) -> bool:
        """Whether no version of it has had a pod: it was just made, or was held when it was made."""
        return not self.replica_sets and not self.pods

    @property
    def active(self) -> tuple[ReplicaSetView, ...]:
        """ReplicaSets that want pods."""
        return tuple(rs for rs in self.replica_sets if rs.replicas > 0)

    def replica_set_of(self, template_hash: str) -> ReplicaSetView | None:
        """Return the ReplicaSet that runs a template, or None when there is none."""
        return next((rs for rs in self.replica_sets if rs.revision.template_hash == template_hash), None)


@dataclass(frozen=True, slots=True)
class CopyView:
    """The canary copy: its Deployment, Service and pods."""

    release: str
    """The release id it carries."""
    replicas: int
    ready: int
    """Pods ready, of the wanted release."""
    pods: int
    """Pods that exist, terminating ones included."""
    pod_template_hash: str = ""
    """Empty until its ReplicaSet exists."""
    template_hash: str = ""
    """Ours, recomputed from the copy's live template with our additions taken off: tells an edit by hand."""
    created_at: float | None = None
    """When it was made; None when the API does not say."""
    first_ready_at: float | None = None
    failure: str = ""
    """Why it can never become ready (CrashLoopBackOff, ImagePullBackOff, OOMKilled...), with the pod's name; empty
    if none."""
    no_room: str = ""
    """Why pods of it cannot be made or placed (a quota, no node): not the version's fault; empty if they can."""
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class ServiceView:
    """The root Service."""

    labelled: bool
    pin: str | None
    """The pod-template-hash in our annotation."""
    selector_hash: str | None
    """The pod-template-hash in its selector: what is in force."""
    ready_endpoints: int
    """Ready addresses in its EndpointSlices."""
    pinned_endpoints: int
    """Those of them that belong to pods of `selector_hash`."""
    other_owner: str = ""


@dataclass(frozen=True, slots=True)
class TrafficView:
    """What the provider's object says, and what the gateway made of it."""

    labelled: bool
    weight: int | None
    """The canary's weight in the object; None when the canary is not in it (Git's own backends)."""
    in_force: bool
    """Whether the gateway says that it serves this generation of the object."""
    problem: str = ""
    """Why the route cannot be used (not accepted, a backend unresolved...); empty if it can."""
    other_owner: str = ""
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class AnalysisView:
    """What the judges say of the release that is under way."""

    release: str
    returning: bool
    """Whether the sides are those of the return: the Deployment's new pods against the canary copy."""
    verdict: Verdict | None
    """None until the first look that covers everything since the analysis began."""
    no_data_since: float | None = None
    """Since when some metric has had no answer that counts; None while all have."""
    first_look_at: float = 0.0
    """The earliest Unix second at which the first look can have been."""


@dataclass(frozen=True, slots=True)
class Commands:
    """What people asked for with the command line; each value names the release id that it is meant for."""

    approved: str | None = None
    paused: bool = False
    abort: str | None = None
    retry: str | None = None
    promote: str | None = None


@dataclass(frozen=True, slots=True)
class LoadView:
    """Whether the Deployment's ready pods alone would carry the whole load now, as its autoscaler computes it."""

    enough: bool = True
    """True without an autoscaler."""
    why: str = ""
    """Why not, or why that is not known."""
    needs: int = 0
    """Pods that the whole load needs; 0 when they are enough, or when it is not known."""
    canary_at_least: int = 0
    """Pods of the canary with which the autoscaler's average leaves its tolerance, so that it grows the Deployment;
    0 like `needs`, and when the Deployment wants as many pods already."""
    blocked: bool = False
    """Whether canary pods that are not ready keep the autoscaler from growing the Deployment."""


@dataclass(frozen=True, slots=True)
class Observed:
    """The whole look. None means that the object does not exist."""

    workload: WorkloadView | None
    service: ServiceView | None
    traffic: TrafficView | None
    copy: CopyView | None = None
    canary_service: bool = False
    """Whether the canary's Service exists and selects this release."""
    canary_endpoints: int = 0
    """Ready addresses of the canary's Service."""
    analysis: AnalysisView | None = None
    revert: Revert | None = None
    """The latest outcome of the Git worker for the present release; None before the first."""
    commands: Commands = field(default_factory=Commands)
    commit: str = ""
    """The commit that the GitOps engine applied (or tries to apply) now; empty when none tells."""
    applied: str = ""
    """The commit that the engine has applied in full; empty while it applies another, and when none tells."""
    sync_asked: str = ""
    """The commit for which the engine was last asked to sync; empty when it never was, and while an older sync of its
    own keeps it from that commit."""
    policies: bool = True
    """Whether the admission policies hold Deployments; without them the operator keeps them paused."""
    deleting: bool = False
    """Whether the Rollout is being deleted."""
    finalizer: bool = True
    problem: str = ""
    """What is wrong with the Rollout itself (a template that does not exist, a field not served): nothing new is
    started."""
    problem_reason: str = ""
    load: LoadView = field(default_factory=LoadView)
    rejected_elsewhere: tuple[str, ...] = ()
    """Template and version hashes on the namespace's list of rejected versions."""
    noted: tuple[Rejected, ...] = ()
    """Versions of this Rollout that Git's notes call rejected; read at first sight only, empty before and after."""
    notes_awaited: bool = False
    """Whether they are still being read. Never for long: what cannot be read in time counts as empty."""
