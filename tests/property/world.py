"""A small world for `decide()`: a Deployment controller, admission policies, a gateway, Git and judges, all as plain state.

It keeps what matters of the real ones: a held Deployment starts nothing new, rolls are gradual, the gateway lags, pods start late,
Git's versions arrive at any time, and the API server refuses a write that rests on an old object. The promises
(tests/property/promises.py) are asked after every single effect. Random histories (search.py) and the exhaustive walk
(tests/model) go through the same world.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from canary.core import effects as fx
from canary.core.decide import decide
from canary.core.effects import Decision
from canary.core.observed import Commands, Observed
from canary.core.phases import Phase
from canary.core.plan import Plan
from canary.core.state import Rejected, Revert, Revision, State
from tests.property import seeing
from tests.property.parts import PLAN, Copy, Pass, Pods, Refused, Violated, revision
from tests.property.promises import Deed, ask_all


@dataclass
class World:
    plan: Plan = PLAN
    now: float = 1_000.0
    state: State = field(default_factory=State)
    rollout_rv: int = 1
    version: str = "good0"
    rv: int = 1
    replicas: int = 4
    held: bool = False
    paused: bool = False
    """By its owner, who may do so while it is not held."""
    labelled: bool = False
    sets: dict[str, Pods] = field(default_factory=lambda: {"good0": Pods(4, 4)})
    exists: bool = True
    """Whether there is a Deployment."""
    room: bool = True
    """Whether quota and nodes let more pods start."""
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
    doubts: bool = True
    """Whether the judges suspect a dubious version for ever; else they come to find it good."""
    git_up: bool = True
    git_loses_the_answer: bool = False
    """The next push lands, and nobody is told."""
    cold_until: float = 0.0
    """Until when the Deployment's new pods look worse than the canary while traffic returns."""
    reverted: list[str] = field(default_factory=list)
    """Releases whose revert is in Git, by id."""
    asked: tuple[fx.RevertInGit, ...] = ()
    """All the reverts that were ever asked for."""
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
    carries: bool = True
    """Whether stable alone would carry the load, by its autoscaler's own target."""
    doubled: bool = False
    """Whether the load is twice what the Deployment has pods for, and its autoscaler does not see it."""
    engine_settled: bool = True
    """Whether the engine says that it has applied all of the commit."""
    sync_asked: str = ""
    revert_asked: fx.RevertInGit | None = None
    """What the operator's Git worker is at; a crash forgets it, and the next."""
    answer: tuple[str, Revert] | None = None
    passing: Pass | None = None
    """What the leading operator is about to do."""
    late: Pass | None = None
    """What an operator that no longer leads has sent, and the API server has not seen yet."""
    doing: Pass | None = None
    failed: set[str] = field(default_factory=set)
    """Releases that were judged bad, by id: their weight may never rise again."""
    writes: int = 0
    log: list[str] = field(default_factory=list)
    logs: bool = True
    does_all_twice: bool = False
    """Whether each effect is tried a second time, to see that it changes nothing."""

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
            elif not (self.held or self.paused):
                self.allowed.add(self.version)  # nothing holds it: promised nowhere
                self.disturb()

    def made(self, version: str) -> None:
        """The Deployment is made anew with this version; one that is on the list is held in that very write."""
        seen = revision(version)
        listed = bool({*self.listed, *self.listed.values()} & {seen.template_hash, seen.version_hash})
        self.exists, self.version, self.git_version, self.rv = True, version, version, self.rv + 1
        self.held = self.labelled = self.policies and listed
        self.sets = {} if self.held else {version: Pods(self.replicas, 0)}
        if not self.held:
            self.allowed.add(version)

    def controller(self) -> None:
        """One pass of the Deployment controller: gradual, one pod at a time; a paused one starts no new ReplicaSet."""
        before = self.clone()
        self._control()
        ask_all(Deed(None, before, self, None))

    def _control(self) -> None:
        if not self.exists:
            return
        if self.held or self.paused:
            active = [p for p in self.sets.values() if p.replicas]
            if len(active) == 1:
                active[0].replicas = self.replicas
            elif not active and self.replicas and self.sets:  # held when it was made, it has none
                newest = list(self.sets.values())[-1]
                newest.replicas = self.replicas
        else:
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
        stable = self.sets.get(self.state.stable.template_hash.removeprefix("t-")) if self.state.stable else None
        if self.copy is not None and stable is not None and not stable.ready and stable.replicas and self.room:
            self.disturb()  # stable had nobody ready to be pinned to
        for pods in self.sets.values():
            pods.ready = pods.replicas if self.room else min(pods.ready, pods.replicas)
        if self.copy is not None:
            if self.copy.deleting:
                self.copy = None
            elif self.copy.version in self.crashing:
                self.copy.pods.ready = 0
            elif self.room:
                self.copy.pods.ready = self.copy.pods.replicas

    def gateway(self) -> None:
        if self.gateway_up and not self.gateway_refuses:
            if self.gateway_weight and not self.weight:
                self.silent_since = self.now
            self.gateway_weight = self.weight

    def git(self) -> None:
        """The Git worker and the engine: the revert is pushed, and what is pushed is applied."""
        self.git_works()
        if self.sync_asked:
            self.sync()

    def git_works(self) -> None:
        """The Git worker: looks for our commit in the branch, else makes it and pushes it."""
        asked = self.revert_asked
        if asked is None or not self.git_up:
            return
        brings_it = asked.candidate.template_hash == f"t-{self.git_version}"
        commit = f"c-{asked.release}"
        if asked.release in self.reverted:
            told = Revert("BroughtBack", final=True) if brings_it else Revert("AlreadyReverted", True, commit)
        elif brings_it:
            self.git_version = asked.stable.template_hash.removeprefix("t-")
            self.reverted.append(asked.release)
            told = Revert("Reverted", final=True, commit=commit, message="Reverted.")
            if self.git_loses_the_answer:
                self.git_loses_the_answer = False
                return
        else:
            told = Revert("Superseded", final=True)
        self.answer, self.revert_asked = (asked.release, told), None

    def revert_told(self) -> Revert | None:
        """What the Git worker says of the present release."""
        release = self.state.release.id if self.state.release else ""
        if self.answer is not None and self.answer[0] == release:
            return self.answer[1]
        waits = self.revert_asked is not None and self.revert_asked.release == release and not self.git_up
        return Revert("GitUnavailable", final=False, message="No answer.") if waits else None

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    # --- what is seen ------------------------------------------------------------------------------------------------

    def observed(self) -> Observed:
        return seeing.observed(self)

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

    def look(self) -> Decision:
        """The operator looks and decides; what it decided is done by `step()`, and others may act in between."""
        seen = self.observed()
        decision = decide(self.plan, self.state, seen, self.now)
        if self.does_all_twice and decide(self.plan, self.state, seen, self.now) != decision:
            raise Violated("the_same_look_decides_the_same", str(decision))
        self.passing = Pass.of(decision.effects, seen, self.rollout_rv)
        if not decision.effects:
            self.passing, self.excused = None, False
        return decision

    def step(self) -> None:
        """Do the next effect of the pass; the first that is refused ends it."""
        passing = self.passing
        if passing is None:
            return
        try:
            self._land(passing)
        except Refused:
            self.passing = None
            return
        rv = self.rollout_rv if passing.rollout_rv == self.rollout_rv - 1 else passing.rollout_rv
        rest = passing.effects[1:]
        wrote = isinstance(passing.effects[0], fx.WriteStatus | fx.AddFinalizer | fx.RemoveFinalizer)
        self.passing = passing._replace(effects=rest, rollout_rv=rv if wrote else passing.rollout_rv) if rest else None
        if not rest and not passing.stale:
            self.excused = False

    def crash(self) -> None:
        """The operator ends in mid-pass; what it remembered besides the status is lost."""
        self.passing = self.revert_asked = self.answer = None

    def depose(self) -> None:
        """Another replica leads now; the old one has one request under way, for it asks before each whether it leads."""
        if self.passing is not None:
            self.late = self.passing._replace(effects=self.passing.effects[:1], stale=True, late=True)
        self.crash()

    def land_late(self) -> None:
        """The API server takes the old leader's request."""
        late, self.late = self.late, None
        self.disturb()
        if late is not None:
            try:
                self._land(late)
            except Refused:
                return

    def disturb(self) -> None:
        """Somebody has broken what the operator keeps, or what it rests its decisions on."""
        self.excused = True
        self.stale()

    def stale(self) -> None:
        """What is under way was decided on an old look."""
        if self.passing is not None:
            self.passing = self.passing._replace(stale=True)

    def operate(self, *, crash_after: int | None = None, meanwhile: Callable[[], None] | None = None) -> int:
        """One pass; stop after so many effects if told to. Return how many effects there were.

        `meanwhile` happens between looking and doing: what was decided rests on an old look.
        """
        if self.gone:
            return 0
        decision = self.look()
        if meanwhile is not None:
            meanwhile()
            self.disturb()
        left = len(decision.effects) if crash_after is None else crash_after
        while self.passing is not None and left > 0:
            self.step()
            left -= 1
        if crash_after is not None:
            self.crash()
        return len([e for e in decision.effects if not isinstance(e, (fx.Emit, fx.RevertInGit))])

    def _land(self, passing: Pass) -> None:
        self.doing = passing
        try:
            self.apply(passing.effects[0])
        finally:
            self.doing = None

    def apply(self, effect: fx.Effect) -> None:
        """Do one effect, of the pass that is being done, else of one that has just looked."""
        passing = self.doing or Pass.of((effect,), self.observed(), self.rollout_rv)
        if self.logs:
            self.log.append(f"{self.now:.0f} {effect}")
        if isinstance(effect, fx.Emit):
            return
        before = self.clone()
        self._do(effect, passing)
        if not isinstance(effect, fx.RevertInGit):
            self.writes += 1
        ask_all(Deed(effect, before, self, passing))

    def do_again(self, effect: fx.Effect, passing: Pass) -> None:
        """Do an effect once more as it was decided, whatever came of it."""
        try:
            self._do(effect, passing)
        except Refused:
            return

    def _do(self, effect: fx.Effect, passing: Pass) -> None:
        match effect:
            case fx.WriteStatus(state):
                self._write_rollout(passing)
                self.state = state
                if state.release is not None and state.phase is Phase.ROLLING_BACK:
                    self.failed.add(state.release.id)
                    if self.git_up and state.rejected[0] not in self.noted:
                        self.noted = (state.rejected[0], *self.noted)
            case fx.AddFinalizer():
                self._write_rollout(passing)
                self.finalizer = True
            case fx.RemoveFinalizer():
                self._write_rollout(passing)
                self.finalizer = False
            case fx.Label(workload, service, route):
                self.labelled |= workload and self.exists
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
                if rv not in {"any", str(self.rv)} or not self.exists:
                    raise Refused
                self.held, self.paused, self.rv = False, False, self.rv + 1
                self.allowed.add(self.version)  # whether it may is a promise of its own
            case fx.Pin(pod_template_hash):
                if not self.service:
                    raise Refused
                self.pin = pod_template_hash
            case fx.EnsureCopy(release, replicas, candidate):
                self._ensure(release, replicas, candidate)
            case fx.DeleteCopy():
                if self.copy is not None:
                    self.copy.deleting = True
                    self.copy.pods.ready = 0
                self.canary_service = False
            case fx.SetWeight(weight, rv):
                if not self.route or rv not in (None, str(self.route_rv)):
                    raise Refused
                self._weigh(weight)
            case fx.RestoreRoute():
                if not self.route:
                    raise Refused
                self._weigh(None)
            case fx.ScaleReplicaSet(name, replicas):
                pods = self.sets.get(name.removeprefix("rs-"))
                if pods is None:
                    raise Refused
                pods.replicas, pods.ready = replicas, min(pods.ready, replicas)
            case fx.RememberRejected(template_hash, version_hash):
                self.listed[template_hash] = version_hash
            case fx.ForgetRejected(version_hash, template_hash):
                kept = {t: v for t, v in self.listed.items() if t != template_hash and v != version_hash}
                self.listed = kept
                self.noted = tuple(r for r in self.noted if r.version_hash != version_hash)
            case fx.RevertInGit():
                if self.answer is None or self.answer[0] != effect.release:
                    self.revert_asked = effect
                if effect not in self.asked:
                    self.asked = (*self.asked, effect)
            case fx.AskSync(commit):
                self.sync_asked = commit
            case fx.Emit():
                pass

    def _write_rollout(self, passing: Pass) -> None:
        if passing.rollout_rv != self.rollout_rv:
            raise Refused
        self.rollout_rv += 1

    def _weigh(self, weight: int | None) -> None:
        self.route_rv += self.weight != weight  # a patch that says what is there already is no write
        self.weight = weight

    def _ensure(self, release: str, replicas: int, candidate: Revision) -> None:
        if not (self.exists and self.service):
            return
        version = candidate.template_hash.removeprefix("t-")
        if self.copy is None:
            self.copy = Copy(release, version, Pods(replicas, 0))
        else:
            ready = min(self.copy.pods.ready, replicas)  # another template rolls, gradually
            self.copy = Copy(release, version, Pods(replicas, ready), self.copy.deleting)
        self.canary_service = True

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

    # --- worlds as values --------------------------------------------------------------------------------------------

    def clone(self) -> World:
        """A world that goes its own way from here."""
        other: World = object.__new__(World)
        other.__dict__.update(self.__dict__)
        other.sets = {v: Pods(p.replicas, p.ready) for v, p in self.sets.items()}
        copy = self.copy
        if copy is not None:
            pods = Pods(copy.pods.replicas, copy.pods.ready)
            other.copy = Copy(copy.release, copy.version, pods, copy.deleting)
        other.crashing, other.allowed, other.failed = set(self.crashing), set(self.allowed), set(self.failed)
        other.listed, other.reverted = dict(self.listed), list(self.reverted)
        other.log = list(self.log)
        return other

    def key(self) -> tuple[object, ...]:
        """What tells two worlds apart: all but resource versions (they matter to writes under way), counts and logs."""
        copy, passing, late = self.copy, self.passing, self.late
        return (
            self.state,
            self.version,
            self.replicas,
            self.held,
            self.paused,
            self.labelled,
            tuple((v, p.replicas, p.ready) for v, p in self.sets.items()),
            self.exists,
            self.room,
            None if copy is None else (copy.release, copy.version, copy.pods.replicas, copy.pods.ready, copy.deleting),
            self.canary_service,
            self.service,
            self.service_labelled,
            self.pin,
            self.route,
            self.route_labelled,
            self.weight,
            self.gateway_weight,
            self.now - self.silent_since < self.plan.drain_seconds and self.now - self.silent_since,
            self.gateway_up,
            self.gateway_refuses,
            tuple(sorted(self.crashing)),
            self.metrics_up,
            self.doubts,
            self.git_up,
            self.git_loses_the_answer,
            max(0.0, self.cold_until - self.now),
            tuple(self.reverted),
            self.asked,
            self.git_version,
            self.commands,
            self.deleting,
            self.finalizer,
            self.policies,
            tuple(self.listed.items()),
            frozenset(self.allowed),
            self.excused,
            self.carries,
            self.doubled,
            self.noted,
            self.engine_settled,
            self.sync_asked,
            self.revert_asked,
            self.answer,
            passing and (passing, self.rv, self.route_rv, self.rollout_rv),
            late and (late, self.rv, self.route_rv, self.rollout_rv),
            frozenset(self.failed),
            self.plan,
        )
