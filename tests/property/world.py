"""A small world for `decide()`: a Deployment controller, admission policies, a gateway, Git and judges, all as plain state.

It keeps what matters of the real ones: a held Deployment starts nothing new, rolls are gradual, the gateway lags, pods start late,
and Git's versions arrive at any time. `check()` states the invariants; it runs after every single effect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from canary.analysis.verdict import MetricReading, Outcome, Reason, Verdict
from canary.core import effects as fx
from canary.core.decide import decide
from canary.core.observed import (
    AnalysisView,
    Commands,
    CopyView,
    LoadView,
    Observed,
    ReplicaSetView,
    ServiceView,
    TrafficView,
    WorkloadView,
)
from canary.core.phases import POINT_OF_NO_RETURN, Phase, Stage
from canary.core.plan import Plan
from canary.core.state import Rejected, Revert, Revision, State
from tests.property.parts import PLAN, Copy, Pods, Refused, Violated, revision


@dataclass
class World:
    plan: Plan = PLAN
    now: float = 1_000.0
    state: State = field(default_factory=State)
    version: str = "good0"
    rv: int = 1
    replicas: int = 4
    held: bool = False
    labelled: bool = False
    sets: dict[str, Pods] = field(default_factory=lambda: {"good0": Pods(4, 4)})
    exists: bool = True
    """Whether there is a Deployment."""
    copy: Copy | None = None
    canary_service: bool = False
    service: bool = True
    service_labelled: bool = False
    pin: str | None = None
    route: bool = True
    route_rv: int = 1
    route_labelled: bool = False
    weight: int | None = None
    gateway_weight: int | None = None
    """What the gateway serves; `gateway()` makes it the route's."""
    silent_since: float = 0.0
    """Since when the gateway sends a canary nothing."""
    gateway_up: bool = True
    gateway_refuses: bool = False
    """The route is told as not accepted."""
    crashing: set[str] = field(default_factory=set)
    metrics_up: bool = True
    git_up: bool = True
    cold_until: float = 0.0
    """Until when the Deployment's new pods look worse than the canary while traffic returns."""
    reverted: list[str] = field(default_factory=list)
    git_version: str = "good0"
    commands: Commands = field(default_factory=Commands)
    deleting: bool = False
    finalizer: bool = False
    policies: bool = True
    listed: dict[str, str] = field(default_factory=dict)
    """The namespace's list: version hashes by template hash."""
    noted: tuple[Rejected, ...] = ()
    """What Git's notes tell; read at first sight."""
    allowed: set[str] = field(default_factory=lambda: {"good0"})
    """Versions that may have pods of the Deployment: adopted, judged, or let go by a person."""
    excused: bool = False
    """Somebody has just broken what the operator keeps: not its fault until it has looked again."""
    old_look: bool = False
    """What is being done was decided on an old look: of pods that died since it knows nothing."""
    carries: bool = True
    """Whether stable alone would carry the load, by its autoscaler's own target."""
    doubled: bool = False
    """Whether the load is twice what the Deployment has pods for, and its autoscaler does not see it."""
    engine_settled: bool = True
    """Whether the engine says that it has applied all of the commit."""
    sync_asked: str = ""
    revert_asked: fx.RevertInGit | None = None
    exposed_since: float | None = None
    failed: set[str] = field(default_factory=set)
    """Releases that were judged bad, by id: their weight may never rise again."""
    writes: int = 0
    log: list[str] = field(default_factory=list)

    # --- what the others do ------------------------------------------------------------------------------------------

    def push(self, version: str) -> None:
        """Git says another version, and the engine applies it at once."""
        self.git_version = version
        self.sync()

    def sync(self) -> None:
        if self.exists and self.git_version != self.version:
            if not self.held and self.state.stable and self.state.stable.template_hash != f"t-{self.version}":
                self.excused = True  # the Service was left to a version that rolled by somebody's hand
            self.version = self.git_version
            self.rv += 1
            if self.labelled and self.policies:
                self.held = True
            elif not self.held:
                self.allowed.add(self.version)  # nothing holds it: promised nowhere

    def controller(self) -> None:
        """One pass of the Deployment controller: gradual, one pod at a time; a paused one starts no new ReplicaSet."""
        before = self.endpoints()
        self._control()
        if before and self.replicas and not self.endpoints() and not self.excused:
            raise Violated(f"the root Service loses its endpoints as the Deployment rolls: pinned to {self.pin}")

    def _control(self) -> None:
        if not self.exists:
            return
        if self.held:
            active = [p for p in self.sets.values() if p.replicas]
            if len(active) == 1:
                active[0].replicas = self.replicas
            elif not active and self.replicas and self.sets:  # held when it was made, it has none
                newest = list(self.sets.values())[-1]
                newest.replicas = self.replicas
        else:
            if self.version not in self.allowed:
                raise Violated(f"pods of an unjudged version start: {self.version}")
            own = self.sets.setdefault(self.version, Pods())
            others = [p for v, p in self.sets.items() if v != self.version and p.replicas]
            if own.replicas < self.replicas:
                own.replicas += 1
            elif others and own.ready >= own.replicas:
                others[0].replicas -= 1
            own.replicas = min(own.replicas, self.replicas) if not others else own.replicas
        for pods in self.sets.values():
            pods.ready = min(pods.ready, pods.replicas)

    def kubelet(self) -> None:
        """Pods that may become ready do; those of a crashing version never."""
        for pods in self.sets.values():
            pods.ready = pods.replicas
        if self.copy is not None:
            if self.copy.deleting:
                self.copy = None
            else:
                self.copy.pods.ready = 0 if self.copy.version in self.crashing else self.copy.pods.replicas

    def gateway(self) -> None:
        if self.gateway_up and not self.gateway_refuses:
            if self.gateway_weight and not self.weight:
                self.silent_since = self.now
            self.gateway_weight = self.weight

    def git(self) -> None:
        """The Git worker and the engine: the revert is pushed, and what is pushed is applied."""
        asked = self.revert_asked
        if asked is not None and self.git_up and asked.candidate.template_hash == f"t-{self.git_version}":
            self.git_version = asked.stable.template_hash.removeprefix("t-")
            self.reverted.append(asked.release)
            self.revert_asked = None
        if self.sync_asked:
            self.sync()

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    # --- what is seen ------------------------------------------------------------------------------------------------

    def _verdict(self) -> Verdict | None:
        release = self.state.release
        if release is None or release.analysis_since is None:
            return None
        watched = self.now - release.analysis_since
        if not self.metrics_up:
            outcome, reason, suspicious = Outcome.ERROR, Reason.UNAVAILABLE, False
        elif release.stage is Stage.RETURN and self.now < self.cold_until:
            outcome, reason, suspicious = Outcome.FAIL, Reason.EVIDENCE_AGAINST, True
        elif release.candidate.images[0].split(":")[1].startswith("bad"):
            outcome, reason, suspicious = (
                (Outcome.FAIL, Reason.EVIDENCE_AGAINST, True)
                if watched >= 5
                else (Outcome.INCONCLUSIVE, Reason.NOT_ENOUGH_EVIDENCE, watched >= 3)
            )
        else:
            outcome, reason, suspicious = (
                (Outcome.PASS, Reason.EVIDENCE_FOR, False)
                if watched >= 5
                else (Outcome.INCONCLUSIVE, Reason.NOT_ENOUGH_EVIDENCE, False)
            )
        reading = MetricReading(
            "http/errors", outcome, reason, "compare", suspicious=suspicious, critical=True, message="m"
        )
        return Verdict(outcome, suspicious, (reading,), reason, "http/errors: m", self.now)

    def observed(self) -> Observed:
        sets = tuple(
            ReplicaSetView(f"rs-{v}", f"k-{v}", revision(v), p.replicas, p.ready)
            for v, p in reversed(self.sets.items())
        )
        own = self.sets.get(self.version)
        refused = "the gateway refuses the route" if self.gateway_refuses else ""
        others = any(p.replicas for v, p in self.sets.items() if v != self.version)
        rolled = own is not None and own.ready >= self.replicas and not others
        copy = self.copy
        release = self.state.release
        revert = None
        if release is not None and self.revert_asked is not None and self.revert_asked.release == release.id:
            revert = Revert("GitUnavailable", final=False, message="No answer.")
        if release is not None and release.id in self.reverted:
            revert = Revert("Reverted", final=True, commit=f"c-{release.id}", message="Reverted.")
        returning = release is not None and release.stage is Stage.RETURN
        analysis = None
        if release is not None and release.analysis_since is not None:
            silent_since = None if self.metrics_up else release.analysis_since
            analysis = AnalysisView(release.id, returning, self._verdict(), no_data_since=silent_since)
        return Observed(
            workload=WorkloadView(
                resource_version=str(self.rv),
                revision=revision(self.version),
                replicas=self.replicas,
                ready=sum(p.ready for p in self.sets.values()),
                paused=self.held,
                held=self.held,
                labelled=self.labelled,
                rolled_out=rolled,
                replica_sets=sets,
            )
            if self.exists
            else None,
            service=ServiceView(
                labelled=self.service_labelled,
                pin=self.pin,
                selector_hash=self.pin,
                ready_endpoints=self.endpoints(),
                pinned_endpoints=self.endpoints() if self.pin else 0,
            )
            if self.service
            else None,
            traffic=TrafficView(
                labelled=self.route_labelled,
                weight=self.weight,
                in_force=self.gateway_weight == self.weight and not refused,
                problem=refused,
                resource_version=str(self.route_rv),
            )
            if self.route
            else None,
            copy=None
            if copy is None
            else CopyView(
                release=copy.release,
                replicas=copy.pods.replicas,
                ready=copy.pods.ready,
                pods=copy.pods.replicas,
                pod_template_hash=f"k-copy-{copy.release}",
                template_hash=f"t-{copy.version}",
                failure="pod x: CrashLoopBackOff" if copy.version in self.crashing else "",
                deleting=copy.deleting,
            ),
            canary_service=self.canary_service,
            canary_endpoints=copy.pods.ready if copy is not None and self.canary_service else 0,
            analysis=analysis,
            revert=revert,
            commands=self.commands,
            commit=f"sha-{self.version}",
            applied=f"sha-{self.version}" if self.engine_settled else "",
            sync_asked=self.sync_asked,
            policies=self.policies,
            deleting=self.deleting,
            finalizer=self.finalizer,
            noted=self.noted if self.state.phase is Phase.PENDING else (),
            load=self.load(),
            rejected_elsewhere=tuple(h for pair in self.listed.items() for h in pair),
        )

    def load(self) -> LoadView:
        """What the Deployment's autoscaler would say of it alone."""
        if not self.carries:
            return LoadView(enough=False, why="the autoscaler cannot tell")
        if not self.doubled or not self.replicas:
            return LoadView()
        unready = self.copy is not None and self.copy.pods.ready < self.copy.pods.replicas
        return LoadView(
            enough=False,
            why="the load has doubled",
            needs=2 * self.replicas,
            canary_at_least=self.replicas,
            blocked=unready,
        )

    def endpoints(self) -> int:
        """Ready pods behind the root Service."""
        if not self.service:
            return 0
        if self.pin is None:
            return sum(p.ready for p in self.sets.values()) + (self.copy.pods.ready if self.copy else 0)
        if self.copy is not None and self.pin == f"k-copy-{self.copy.release}":
            return self.copy.pods.ready
        return self.sets.get(self.pin.removeprefix("k-"), Pods()).ready

    # --- the operator ------------------------------------------------------------------------------------------------

    @property
    def gone(self) -> bool:
        """Whether the Rollout is no more."""
        return self.deleting and not self.finalizer

    def operate(self, *, crash_after: int | None = None, meanwhile: Callable[[], None] | None = None) -> int:
        """One pass; stop after so many effects if told to. Return how many effects there were.

        `meanwhile` happens between looking and doing: what was decided rests on an old look.
        """
        if self.gone:
            return 0
        decision = decide(self.plan, self.state, self.observed(), self.now)
        before = self.state
        if meanwhile is not None:
            meanwhile()
            self.excused = True
            if self.state != before:
                return 1  # the status was read with the look: its write is refused, and with it the pass
        self.old_look = meanwhile is not None
        effects = decision.effects if crash_after is None else decision.effects[:crash_after]
        try:
            for effect in effects:
                self.apply(effect)
        except Refused:
            return 1
        if meanwhile is None and len(effects) == len(decision.effects):
            self.excused = False
        return len([e for e in decision.effects if not isinstance(e, (fx.Emit, fx.RevertInGit))])

    def apply(self, effect: fx.Effect) -> None:
        self.log.append(f"{self.now:.0f} {effect}")
        before = self.endpoints()
        self._do(effect)
        if not isinstance(effect, fx.Emit | fx.RevertInGit):
            self.writes += 1
        ran = self.exists and self.sets  # of one that was deleted, or refused when it was made anew, nothing serves
        if before and ran and self.replicas and not self.endpoints() and not self.old_look:
            raise Violated(f"{effect} takes the root Service's endpoints away")
        self.check()

    def _do(self, effect: fx.Effect) -> None:
        match effect:
            case fx.WriteStatus(state):
                if state.phase is Phase.ROLLING_BACK and not state.undoing and self.weight and not self.old_look:
                    raise Violated("the verdict is written before the traffic is taken away")
                self.state = state
                if state.release is not None and state.phase is Phase.ROLLING_BACK:
                    self.failed.add(state.release.id)
                    self.noted = (state.rejected[0], *self.noted) if self.git_up else self.noted
            case fx.AddFinalizer():
                self.finalizer = True
            case fx.RemoveFinalizer():
                left = (self.copy, self.weight, self.pin, self.canary_service)
                if left != (None, None, None, False) and not self.old_look:
                    raise Violated(f"the Rollout goes and leaves {left}")
                self.finalizer = False
            case fx.Label(workload, service, route):
                self.labelled |= workload
                self.service_labelled |= service and self.service
                self.route_labelled |= route and self.route
            case fx.Unlabel(workload):
                self.service_labelled = self.route_labelled = False
                self.labelled = self.labelled and not workload
            case fx.Hold(rv):
                if rv != str(self.rv) or not self.exists:
                    raise Refused
                self.held, self.rv = True, self.rv + 1
            case fx.LetGo(rv):
                self._let_go(rv)
            case fx.Pin(pod_template_hash):
                if not self.service:
                    raise Refused
                self.pin = pod_template_hash
            case fx.EnsureCopy(release, replicas, candidate):
                self._ensure(release, replicas, candidate)
            case fx.DeleteCopy():
                self._delete_is_fair()
                if self.copy is not None:
                    self.copy.deleting = True
                    self.copy.pods.ready = 0
                self.canary_service = False
            case fx.SetWeight(weight, rv):
                if not self.route or rv not in (None, str(self.route_rv)):
                    raise Refused
                self._set_weight(weight)
            case fx.RestoreRoute():
                if not self.route:
                    raise Refused
                self.weight = None
            case fx.ScaleReplicaSet(name, replicas):
                self._scale(name.removeprefix("rs-"), replicas)
            case fx.RememberRejected(template_hash, version_hash):
                self.listed[template_hash] = version_hash
            case fx.ForgetRejected(version_hash, template_hash):
                kept = {t: v for t, v in self.listed.items() if t != template_hash and v != version_hash}
                self.listed = kept
                self.noted = tuple(r for r in self.noted if r.version_hash != version_hash)
            case fx.RevertInGit():
                self.revert_asked = effect
            case fx.AskSync(commit):
                self.sync_asked = commit
            case fx.Emit():
                pass

    def _delete_is_fair(self) -> None:
        if self.copy is None or self.copy.deleting or self.old_look:
            return
        if self.route and self.weight is not None:
            raise Violated("the canary goes while the route names it")
        if self.now - self.silent_since < self.plan.drain_seconds:
            raise Violated("the canary goes while requests are on their way to it")

    def _scale(self, version: str, replicas: int) -> None:
        pods, stable = self.sets.get(version), self.state.stable
        if pods is None:
            raise Refused
        is_stable = stable is not None and stable.template_hash == f"t-{version}"
        if is_stable and not self.state.past_the_point_of_no_return and replicas < min(pods.replicas, self.replicas):
            raise Violated("stable is scaled down before the unpause")
        pods.replicas, pods.ready = replicas, min(pods.ready, replicas)

    def _let_go(self, rv: str) -> None:
        if rv not in {"any", str(self.rv)} or not self.exists:
            raise Refused
        release, stable = self.state.release, self.state.stable
        allowed = {stable.template_hash} if stable else set()
        if not self.sets and self._may_run_first():
            allowed.add(f"t-{self.version}")
        if release is not None and release.stage in POINT_OF_NO_RETURN:
            allowed.add(release.candidate.template_hash)
        if f"t-{self.version}" not in allowed:
            raise Violated(f"an unjudged template is let go: {self.version}")
        self.allowed.add(self.version)
        self.held, self.rv = False, self.rv + 1

    def _may_run_first(self) -> bool:
        """A version held when its Deployment was made may run if it is not a rejected one, or was asked for again."""
        release = self.state.release
        if release is not None and release.candidate.template_hash == f"t-{self.version}":
            return not release.blocked
        rejected = {h for r in (*self.state.rejected, *self.noted) for h in (r.template_hash, r.version_hash)}
        rejected |= {*self.listed, *self.listed.values()}
        return not rejected & {f"t-{self.version}", revision(self.version).version_hash}

    def made(self, version: str) -> None:
        """The Deployment is made anew with this version; one that is on the list is held in that very write."""
        seen = revision(version)
        listed = bool({*self.listed, *self.listed.values()} & {seen.template_hash, seen.version_hash})
        self.exists, self.version, self.git_version, self.rv = True, version, version, self.rv + 1
        self.held = self.labelled = self.policies and listed
        self.sets = {} if self.held else {version: Pods(self.replicas, 0)}
        if not self.held:
            self.allowed.add(version)

    def _ensure(self, release: str, replicas: int, candidate: Revision) -> None:
        if not (self.exists and self.service):
            return
        version = candidate.template_hash.removeprefix("t-")
        if self.copy is None:
            self.copy = Copy(release, version, Pods(replicas, 0))
        else:
            same = self.copy.version == version
            ready = min(self.copy.pods.ready, replicas) if same else 0
            self.copy = Copy(release, version, Pods(replicas, ready), self.copy.deleting)
        self.canary_service = True

    def _set_weight(self, weight: int) -> None:
        release, copy = self.state.release, self.copy
        before, self.weight = self.weight or 0, weight
        self.route_rv += 1
        past = self.state.past_the_point_of_no_return
        if weight > before and release is not None:
            if release.id in self.failed:
                raise Violated(f"the weight of {release.id} rises to {weight} after it was judged bad")
            if self.old_look:
                return
            verdict = self._verdict()
            if not past and verdict is not None and self.plan.has_analysis and verdict.suspicious:
                raise Violated(f"weight {weight} is given to a canary under suspicion")
            if copy is None or copy.pods.ready < 1 or copy.release != release.id:
                raise Violated(f"weight {weight} goes to a canary without ready pods")
            if not past and copy.pods.ready * 100 < min(weight * self.replicas, 100 * self.replicas):
                raise Violated(f"weight {weight} goes to {copy.pods.ready} of {self.replicas} pods")
        if (
            weight < before
            and past
            and not self.old_look
            and self.service
            and self.replicas
            and self.endpoints() < 1
            and copy is not None
            and copy.pods.ready
        ):
            raise Violated("traffic returns to a Service without endpoints")
        stable = self.sets.get(self.state.stable.template_hash.removeprefix("t-")) if self.state.stable else None
        if weight < before and not past and copy and stable and stable.ready and self.pin == f"k-copy-{copy.release}":
            raise Violated("weight 0 means the canary, for the Service is pinned to it")

    # --- what has to be true -----------------------------------------------------------------------------------------

    def check(self) -> None:
        stable, release, copy = self.state.stable, self.state.release, self.copy
        past = self.state.past_the_point_of_no_return or self.state.undoing
        if stable is None or self.excused or not (self.service and self.exists):
            return
        if not self.held and not past and stable.template_hash != f"t-{self.version}":
            return  # it rolls by somebody's hand, unjudged
        own = self.sets.get(stable.template_hash.removeprefix("t-"))
        if own is None or not own.ready:
            return  # better a canary than nobody
        if copy is not None and copy.pods.ready and not past:
            stage = release.stage if release else None
            if self.pin != f"k-{stable.template_hash.removeprefix('t-')}" and stage is not Stage.PIN:
                raise Violated(f"clients of the root Service meet a canary: pinned to {self.pin}")
            decided = stage in (Stage.SHIFT, Stage.BAKE, Stage.PIN)
            if (self.weight or 0) > 50 and not decided:
                raise Violated(f"weight {self.weight} is more than any step asks for")

    def settle(self, *, rounds: int = 1500, seconds: float = 1.0) -> None:
        """Everything works from here on and nothing new comes: run until nothing is left to do."""
        quiet = 0
        for _ in range(rounds):
            self.kubelet()
            self.controller()
            self.kubelet()
            self.gateway()
            self.git()
            done = self.operate()
            self.pass_time(seconds)
            quiet = 0 if done else quiet + 1
            if quiet > 130:
                return
