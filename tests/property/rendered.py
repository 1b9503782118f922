"""The small world with real objects: what is decided is rendered, applied to Kubernetes objects as JSON, and read back.

The hands, the controllers and the promises are those of `world.py`, and act on its fields. Before the operator looks,
what they changed is written into the objects, as a person, an engine, a controller or a gateway would; then the real
code looks, decides, renders and applies; and what the objects are then, whatever the operator believes of them, is what
the fields say, and what the promises are asked of. Besides, each effect has to leave the fields as it leaves them in
the world without objects: what was walked there exhaustively then holds of the renderers.
"""

from __future__ import annotations

import asyncio
import atexit
import json
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

from typing_extensions import override

from canary.core import effects as fx
from canary.core.decide import decide
from canary.core.effects import Decision
from canary.core.observed import Observed
from canary.core.phases import Phase
from canary.core.plan import Plan
from canary.core.state import Rejected, Revision, State
from canary.errors import CanaryError
from canary.operator import apply, kinds
from canary.operator.cache import Cache
from canary.operator.kinds import Kind, Obj
from canary.operator.look import Besides, Named, look, named
from canary.operator.planning import weight_wanted
from canary.operator.status import from_status, merge_patch, shown, to_status
from canary.workload.hashing import revision_of
from tests.property import manifests, seeing
from tests.property.api_server import ApiServer
from tests.property.manifests import COPY, NAME, NS
from tests.property.parts import PLAN, Copy, Pass, Pods, Refused, Violated, revision
from tests.property.promises import Deed, ask_all
from tests.property.world import World

T = TypeVar("T")
_LOOP: Final = asyncio.new_event_loop()
atexit.register(_LOOP.close)

SAME: Final = [
    "version",
    "held",
    "paused",
    "labelled",
    "replicas",
    "sets",
    "copy",
    "canary_service",
    "pin",
    "weight",
    "service_labelled",
    "route_labelled",
    "listed",
    "finalizer",
    "deleting",
    "allowed",
    "failed",
    "asked",
    "revert_asked",
]
"""Fields that an effect leaves as it does in the world without objects."""
QUIET_SECONDS: Final = 150.0
"""More than metrics are waited for; what waits longer says so, and is stalled."""


class RenderedWorld(World):
    """A world whose state is in objects, of which the fields say what matters."""

    def __init__(
        self, plan: Plan = PLAN, *, policies: bool = True, managed: bool = False, compares: bool = True
    ) -> None:
        named_plan = replace(plan, workload=NAME, service=NAME, route="" if managed else NAME)
        super().__init__(plan=named_plan, policies=policies, route=not managed, logs=True)
        self.managed = managed
        self.compares = compares
        """Whether each effect is compared with the world without objects, and each look with the fields."""
        self.api = ApiServer(policies=policies)
        self.cache = Cache()
        self.late_events: list[tuple[Kind, str, Obj]] | None = None
        """What a watch that lags has not told yet; None: it tells at once."""
        self.api.watchers.append(self._event)
        self.versions: dict[str, str] = {}
        """By template hash."""
        self.pins: dict[str, str] = {}
        """What the small world calls pods of a pod-template-hash."""
        self.selector: Mapping[str, str] = {}
        self.canary_selector: Mapping[str, str] = {}
        self.copy_labels: Mapping[str, str] = {}
        self.known: dict[str, Any] = {}
        self.worked_at = 0
        """The API server's version after which controllers had nothing more to do."""
        self._named: tuple[int, Named] | None = None
        self._read_status: tuple[str, State] = ("", State())
        self._write_out()

    # --- what is there ----------------------------------------------------------------------------------------------

    def pods(self) -> Iterator[tuple[Mapping[str, str], int]]:
        """Labels of pods, and how many of them are ready."""
        for version, pods in self.sets.items():
            labels = manifests.LABELS
            yield {**labels, "pod-template-hash": manifests.pod_hash(manifests.template(version))}, pods.ready
        if self.copy is not None:
            yield self.copy_labels, self.copy.pods.ready

    @override
    def endpoints(self) -> int:
        return sum(n for labels, n in self.pods() if self.service and manifests.selects(self.selector, labels))

    def real(self, version: str) -> Revision:
        """The revision of a version's template."""
        found = revision_of(manifests.template(version))
        self.versions[found.template_hash] = version
        return found

    # --- the operator -----------------------------------------------------------------------------------------------

    @override
    def look(self) -> Decision:
        self._write_out()
        rollout = self.cache.get(kinds.ROLLOUT, NS, NAME)
        assert rollout is not None
        state = from_status(rollout.get("status") or {})
        what = self._named_of(rollout)
        release = self.state.release
        besides = Besides(
            analysis=seeing.analysis(self),
            revert=self.revert_told() if release is not None else None,
            policies=self.policies,
            sync_asked=self.sync_asked,
            noted=tuple(self._really(r) for r in self.noted) if self.state.phase is Phase.PENDING else (),
        )
        seen = _run(look(self.api, self.cache, rollout, what, state, besides, self.now))
        decision = decide(what.plan, state, seen.observed, self.now)
        if self.compares and self.late_events is None:
            self._compare_look(seen.observed)

        def render(present: Obj) -> Obj | None:
            before = present.get("status") or {}
            told = shown(what.plan, seen.observed, decision.state, weight_wanted(what.plan, decision.state))
            generation = rollout["metadata"]["generation"]
            patch: Obj | None = merge_patch(before, to_status(decision.state, told, generation, before, self.now))
            return patch

        run = apply.Pass(
            api=self.api,
            cache=self.cache,
            rollout=rollout,
            seen=seen,
            state=decision.state,
            now=self.now,
            render_status=render,
            ask_git=lambda effect, at, decided: None,  # the world's own Git worker is asked
            note_retried=lambda effect, at, when: None,
        )
        truth = seeing.observed(self)
        if self.late_events is not None:
            truth = replace(truth, workload=seen.observed.workload)  # how many pods are wanted is told by a watch
        self.passing = Pass.of(decision.effects, truth, self.rollout_rv)._replace(run=run)
        if not decision.effects:
            self.passing, self.excused = None, False
        return decision

    @override
    def apply(self, effect: fx.Effect) -> None:
        passing = self.doing
        assert passing is not None
        self.log.append(f"{self.now:.0f} {effect}")
        if isinstance(effect, fx.Emit):
            return
        self._write_out()
        before = self.clone()
        self._do(effect, passing)
        if not isinstance(effect, fx.RevertInGit):
            self.writes += 1
        said = self._said(effect)
        ask_all(Deed(said, before, self, passing))
        self._ask_of_objects()
        if self.compares:
            self._compare_deed(said, before, passing)

    @override
    def _do(self, effect: fx.Effect, passing: Pass) -> None:
        try:
            with self.api.by_the_operator():
                _run(apply.apply(passing.run, effect))
        except CanaryError as error:
            self._read_in()
            self.log.append(f"{self.now:.0f} refused: {error}")
            raise Refused from error
        self._read_in()
        self._beside(self._said(effect))

    def _beside(self, effect: fx.Effect) -> None:
        """What an effect means to the parts of the world that are no objects: judges, Git and its notes."""
        plain = World(state=self.state, logs=False)
        for name in ("failed", "noted", "git_up", "allowed", "version", "exists", "answer", "asked", "revert_asked"):
            setattr(plain, name, getattr(self, name))
        match effect:
            case fx.WriteStatus() | fx.ForgetRejected() | fx.RevertInGit():
                World._do(plain, effect, Pass((), plain.rollout_rv))
            case fx.LetGo():
                plain.allowed = self.allowed | {self.version}
            case fx.AskSync(sha):
                self.sync_asked = sha
            case _:
                pass
        for name in ("failed", "noted", "allowed", "asked", "revert_asked"):
            setattr(self, name, getattr(plain, name))

    def lag(self) -> None:
        """From here on the watches tell nothing, until `catch_up`; pods are read, and seen as they are."""
        self._write_out()
        self.late_events = []

    def catch_up(self) -> None:
        """The watches tell what they have kept."""
        events, self.late_events = self.late_events or [], None
        for kind, what, obj in events:
            self._event(kind, what, obj)

    def _event(self, kind: Kind, what: str, obj: Obj) -> None:
        if self.late_events is not None:
            self.late_events.append((kind, what, obj))
        elif what == "DELETED":
            self.cache.remove(kind, obj)
        else:
            self.cache.put(kind, obj)

    def _named_of(self, rollout: Obj) -> Named:
        generation = rollout["metadata"]["generation"]
        if self._named is None or self._named[0] != generation:
            self._named = generation, named(rollout)
        return self._named[1]

    @override
    def settle(self, *, rounds: int = 300, seconds: float = 5.0) -> None:
        """In longer strides than without objects: until nothing was left to do for as long as anything is waited for."""
        quiet = 0.0
        for _ in range(rounds):
            for work in (self.kubelet, self.controller, self.kubelet, self.gateway, self.git):
                work()
            done = self.operate()
            self.pass_time(seconds)
            quiet = 0.0 if done else quiet + seconds
            if quiet > QUIET_SECONDS:
                return

    # --- asked of the objects ---------------------------------------------------------------------------------------

    def _ask_of_objects(self) -> None:
        if not self.weight or self.excused or not self.canary_service:
            return
        meets = [labels for labels, n in self.pods() if n and manifests.selects(self.canary_selector, labels)]
        if any(labels != self.copy_labels for labels in meets):
            raise Violated("the_canarys_share_reaches_the_canary_alone", f"the canary's Service selects {meets}")

    def _compare_deed(self, said: fx.Effect, before: World, passing: Pass) -> None:
        expected = World.clone(before)
        try:
            World._do(expected, said, passing._replace(rollout_rv=before.rollout_rv))
        except Refused:
            raise Violated("an_old_look_writes_nothing", f"{said} was taken, and rests on an old object") from None
        if isinstance(said, fx.Label) and self.managed:
            expected.route = expected.route_labelled = True  # a route of its own is made when it is labelled
        if isinstance(said, fx.Unlabel) and self.managed:
            expected.route_labelled = before.route_labelled  # and goes with its Rollout
        if isinstance(said, fx.Pin) and self.policies and not self.service_labelled:
            expected.pin = self.pin  # the policy looks at what is labelled
        for name in SAME:
            is_, should = getattr(self, name), getattr(expected, name)
            if is_ != should:
                raise Violated("the_objects_say_what_was_decided", f"after {said} {name} is {is_}, not {should}")

    def _compare_look(self, seen: Observed) -> None:
        truth = seeing.observed(self)
        for part in ("workload", "service", "traffic", "copy"):
            is_, should = getattr(seen, part), getattr(truth, part)
            if part == "traffic" and self.managed and not self.route:
                seen = replace(seen, traffic=None)  # told as one without a label, so that it is made
                continue
            if (is_ is None) != (should is None):
                raise Violated("the_look_sees_what_is_there", f"{part} is seen as {is_}, and is {should}")
        told, true = self._told(seen), self._told(truth)
        for name, value in true.items():
            if told[name] != value:
                raise Violated("the_look_sees_what_is_there", f"{name} is seen as {told[name]}, and is {value}")

    def _told(self, seen: Observed) -> dict[str, object]:
        """What of a look is compared, in the words of the small world."""
        workload, service, traffic, copy = seen.workload, seen.service, seen.traffic, seen.copy
        told: dict[str, object] = {"deleting": seen.deleting}
        release = self.state.release
        if release is None or (copy is not None and copy.release == release.id):
            told["canary endpoints"] = seen.canary_endpoints
        if workload is not None:
            sets = {self._version(s.revision): (s.replicas, s.ready) for s in workload.replica_sets}
            told |= {"sets": sets, "wanted": workload.replicas, "held": workload.held, "paused": workload.paused}
            told |= {"version": self._version(workload.revision), "labelled": workload.labelled}
        if service is not None:
            if self.state.release is not None or copy is not None or self.canary_service:  # else no pods are read
                told |= {"endpoints": service.ready_endpoints, "pinned": service.pinned_endpoints}
            told |= {"pin": self.pins.get(service.selector_hash or "", service.selector_hash)}
        if traffic is not None:
            told |= {"weight": traffic.weight, "in force": traffic.in_force, "refused": bool(traffic.problem)}
        if copy is not None:
            told |= {"canary": (copy.release, copy.replicas, copy.ready, copy.deleting), "fails": bool(copy.failure)}
        return told

    # --- the small world's words ------------------------------------------------------------------------------------

    def _version(self, of: Revision) -> str:
        return self.versions.get(of.template_hash, of.template_hash.removeprefix("t-"))

    def _plain(self, of: Revision) -> Revision:
        return replace(revision(self._version(of)), images=of.images)

    def _plain_rejected(self, of: Rejected) -> Rejected:
        said = revision(self.versions.get(of.template_hash, of.template_hash))
        return replace(of, template_hash=said.template_hash, version_hash=said.version_hash)

    def _really(self, of: Rejected) -> Rejected:
        said = self.real(of.template_hash.removeprefix("t-"))
        return replace(of, template_hash=said.template_hash, version_hash=said.version_hash)

    def _plain_state(self, state: State) -> State:
        release = state.release
        return replace(
            state,
            stable=state.stable and self._plain(state.stable),
            release=release and replace(release, candidate=self._plain(release.candidate)),
            rejected=tuple(self._plain_rejected(r) for r in state.rejected),
        )

    def _said(self, effect: fx.Effect) -> fx.Effect:
        """An effect in the words of the small world."""
        match effect:
            case fx.WriteStatus(state):
                return fx.WriteStatus(self._plain_state(state))
            case fx.Pin(str(pod_hash)):
                return fx.Pin(self.pins.get(pod_hash, pod_hash))
            case fx.EnsureCopy(release, replicas, candidate):
                return fx.EnsureCopy(release, replicas, self._plain(candidate))
            case fx.ScaleReplicaSet(name, replicas):
                return fx.ScaleReplicaSet(self.pins[name.removeprefix(f"{NAME}-")].replace("k-", "rs-"), replicas)
            case fx.RememberRejected() | fx.ForgetRejected():
                said = revision(self.versions.get(effect.template_hash, effect.template_hash))
                return replace(effect, template_hash=said.template_hash, version_hash=said.version_hash)
            case fx.RevertInGit():
                return replace(effect, candidate=self._plain(effect.candidate), stable=self._plain(effect.stable))
            case _:
                return effect

    # --- from objects to fields -------------------------------------------------------------------------------------

    def _read_in(self) -> None:
        """Let the fields say what the objects are."""
        found = self.api.find(kinds.DEPLOYMENT, NAME)
        self.exists, self.labelled, self.sets = found is not None, False, {}
        if found is not None:
            self._read_deployment(found)
        self._read_copy(self.api.find(kinds.DEPLOYMENT, COPY))
        twin, service = self.api.find(kinds.SERVICE, COPY), self.api.find(kinds.SERVICE, NAME)
        self.canary_service = twin is not None
        self.canary_selector = twin["spec"]["selector"] if twin else {}
        self.service, self.service_labelled, self.pin = service is not None, _labelled(service), None
        if service is not None:
            self.selector = service["spec"]["selector"]
            pod_hash = self.selector.get("pod-template-hash")
            self.pin = None if pod_hash is None else self.pins.get(pod_hash, pod_hash)
        self._read_route(self.api.find(kinds.HTTP_ROUTE, NAME))
        self._read_rollout(self.api.find(kinds.ROLLOUT, NAME))
        listed = self.api.find(kinds.CONFIG_MAP, "canary-rejected-versions")
        rows = json.loads((listed or {}).get("data", {}).get(NAME, "[]"))
        plain = [self._plain_rejected(Rejected(r["template_hash"], r["version_hash"], 0.0)) for r in rows]
        self.listed = {r.template_hash: r.version_hash for r in plain}
        self.known = self._snapshot()

    def _read_deployment(self, found: Obj) -> None:
        spec, meta = found["spec"], found["metadata"]
        self.version, self.replicas, self.labelled = (
            manifests.version_of(spec["template"]),
            spec["replicas"],
            _labelled(found),
        )
        held = "canary.delivery/held" in meta.get("annotations", {})
        self.held, self.paused = held and bool(spec.get("paused")), not held and bool(spec.get("paused"))
        self.rv = int(meta["resourceVersion"])
        for rs in self.api.owned_by(found):
            pods = Pods(rs["spec"]["replicas"], min(rs["status"]["readyReplicas"], rs["spec"]["replicas"]))
            self.sets[manifests.version_of(rs["spec"]["template"])] = pods

    def _read_copy(self, found: Obj | None) -> None:
        if found is None:
            self.copy = None
            return
        pod_template = found["spec"]["template"]
        labels, deleting = pod_template["metadata"]["labels"], "deletionTimestamp" in found["metadata"]
        ready = 0 if self.copy is None or deleting else min(self.copy.pods.ready, found["spec"]["replicas"])
        release = labels.get("canary.delivery/release", "")
        pods = Pods(found["spec"]["replicas"], ready)
        self.copy = Copy(release, manifests.version_of(pod_template), pods, deleting)
        pod_hash = manifests.pod_hash(pod_template)
        self.pins[pod_hash] = f"k-copy-{release}"
        self.copy_labels = {**labels, "pod-template-hash": pod_hash}

    def _read_route(self, found: Obj | None) -> None:
        self.route, self.route_labelled, self.weight = found is not None, _labelled(found), None
        if found is not None:
            weights = {ref["name"]: ref.get("weight", 1) for ref in found["spec"]["rules"][0]["backendRefs"]}
            self.route_rv = int(found["metadata"]["resourceVersion"])
            if COPY in weights:
                share = 100 * weights[COPY] / (sum(weights.values()) or 1)
                self.weight = int(share) if share == int(share) else None

    def _read_rollout(self, found: Obj | None) -> None:
        if found is None:
            self.deleting, self.finalizer = True, False
            return
        self.rollout_rv = int(found["metadata"]["resourceVersion"])
        self.finalizer = "canary.delivery/rollout" in found["metadata"].get("finalizers", ())
        self.state = self._plain_state(from_status(found.get("status") or {}))

    # --- from fields to objects -------------------------------------------------------------------------------------

    def _snapshot(self) -> dict[str, Any]:
        copy = self.copy
        return {
            "deployment": (self.exists, self.version, self.replicas, self.held, self.paused, self.labelled),
            "sets": tuple((v, p.replicas, p.ready) for v, p in self.sets.items()),
            "copy": copy and (copy.release, copy.version, copy.pods.replicas, copy.pods.ready, copy.deleting),
            "canary_service": self.canary_service,
            "service": (self.service, self.service_labelled, self.pin),
            "route": (self.route, self.route_labelled, self.weight),
            "gateway": (self.gateway_weight, self.gateway_refuses),
            "rollout": (self.plan, self.commands, self.deleting, self.finalizer),
            "state": self.state,
            "listed": dict(self.listed),
            "pods": (self.room, frozenset(self.crashing)),
            "load": (self.carries, self.doubled),
            "engine": (self.version, self.engine_settled),
        }

    def _write_out(self) -> None:
        """Write what others changed into the objects, as they would."""
        now = self._snapshot()
        changed = {part for part in now if part not in self.known or self.known[part] != now[part]}
        if not changed and self.worked_at == self.api.latest:
            return
        self._put_rollout(changed)
        if "deployment" in changed:
            self._write_deployment()
        if "copy" in changed:
            self._write_copy()
        if "canary_service" in changed and not self.canary_service:
            self.api.remove(kinds.SERVICE, COPY)
        if "service" in changed:
            self._write_service()
        if "route" in changed:
            self._write_route()
        if "listed" in changed:
            self._write_list()
        self._work(changed)
        self.worked_at = self.api.latest
        self._read_in()

    def _put_rollout(self, changed: set[str]) -> None:
        found = self.api.find(kinds.ROLLOUT, NAME)
        if self.gone:
            return
        meta = dict((found or {}).get("metadata", {"namespace": NS, "name": NAME}))
        body: Obj = {**manifests.rollout(self.plan, managed=self.managed), "status": (found or {}).get("status", {})}
        asked = {
            "approved": self.commands.approved,
            "paused": "somebody" if self.commands.paused else None,
            "abort": self.commands.abort,
            "retry": self.commands.retry,
            "promote": self.commands.promote,
        }
        meta["annotations"] = {f"canary.delivery/{name}": value for name, value in asked.items() if value is not None}
        meta["finalizers"] = ["canary.delivery/rollout"] if self.finalizer else []
        if self.deleting:
            meta["deletionTimestamp"] = manifests.when(self.now)
        if "state" in changed and self.known:
            edited = {**body["status"], "phase": self.state.phase.value}
            body["status"] = {} if self.state == State() else edited
        if {"rollout", "state"} & changed:
            self.api.put(kinds.ROLLOUT, {**body, "metadata": meta})

    def _write_deployment(self) -> None:
        found = self.api.find(kinds.DEPLOYMENT, NAME)
        if not self.exists:
            self.api.remove(kinds.DEPLOYMENT, NAME)
            return
        flux = {"kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
        body: Obj = {
            "metadata": {"namespace": NS, "name": NAME, "labels": dict(flux)},
            "spec": {
                "replicas": self.replicas,
                "selector": {"matchLabels": {"app": "checkout"}},
                "template": manifests.template(self.version),
            },
            "status": (found or {}).get("status", {}),
        }
        self.real(self.version)
        if self.labelled:
            body["metadata"]["labels"]["canary.delivery/rollout"] = NAME
        if self.held:
            body["metadata"]["annotations"] = {"canary.delivery/held": "true"}
        if self.held or self.paused:
            body["spec"]["paused"] = True
        self.api.put(kinds.DEPLOYMENT, body)

    def _write_sets(self) -> None:
        owner = self.api.find(kinds.DEPLOYMENT, NAME)
        if owner is not None:
            self._write_sets_of(owner, {v: (manifests.template(v), p) for v, p in self.sets.items()})
            for version in self.sets:
                self.real(version)
                self.pins[manifests.pod_hash(manifests.template(version))] = f"k-{version}"

    def _write_sets_of(self, owner: Obj, wanted: Mapping[str, tuple[Obj, Pods]]) -> None:
        made = {}
        for pod_template, pods in wanted.values():
            rs = manifests.replica_set(owner, pod_template, pods.replicas, pods.ready, self.now)
            before = self.api.find(kinds.REPLICA_SET, rs["metadata"]["name"])
            if before is not None:
                rs["metadata"]["creationTimestamp"] = before["metadata"]["creationTimestamp"]
            made[rs["metadata"]["name"]] = self.api.put(kinds.REPLICA_SET, rs)
        for rs in self.api.owned_by(owner):
            if rs["metadata"]["name"] not in made:
                self.api.remove(kinds.REPLICA_SET, rs["metadata"]["name"])
        rows = [(rs, rs["status"]["readyReplicas"]) for rs in made.values()]
        self.api.put(kinds.DEPLOYMENT, {**owner, "status": manifests.deployment_status(owner, rows)})

    def _write_copy(self) -> None:
        found, copy = self.api.find(kinds.DEPLOYMENT, COPY), self.copy
        if copy is None or found is None:
            self.api.remove(kinds.DEPLOYMENT, COPY)
            return
        spec = {**found["spec"], "replicas": copy.pods.replicas}
        if copy.version == "good-edited":
            app = spec["template"]["spec"]["containers"][0]
            added = {**app, "env": [*app["env"], {"name": "ADDED", "value": "by hand"}]}
            spec["template"] = {**spec["template"], "spec": {"containers": [added]}}
        meta = dict(found["metadata"])
        if copy.deleting and "deletionTimestamp" not in meta:
            meta |= {"deletionTimestamp": manifests.when(self.now), "finalizers": ["foregroundDeletion"]}
        self.api.put(kinds.DEPLOYMENT, {**found, "metadata": meta, "spec": spec})

    def _write_service(self) -> None:
        found = self.api.find(kinds.SERVICE, NAME)
        if not self.service:
            self.api.remove(kinds.SERVICE, NAME)
            return
        body = found or manifests.service()
        meta, selector = dict(body["metadata"]), dict(body["spec"]["selector"])
        if not self.service_labelled and not self.policies:  # the policies keep it
            meta["labels"] = {}
        if self.pin is None:
            selector.pop("pod-template-hash", None)
            if self.policies:  # by a member of the break-glass group: the policies would keep it
                meta["annotations"] = {
                    k: v for k, v in meta.get("annotations", {}).items() if k != "canary.delivery/pin"
                }
        self.api.put(kinds.SERVICE, {**body, "metadata": meta, "spec": {**body["spec"], "selector": selector}})

    def _write_route(self) -> None:
        found = self.api.find(kinds.HTTP_ROUTE, NAME)
        if not self.route:
            self.api.remove(kinds.HTTP_ROUTE, NAME)
            return
        body = found or manifests.route()
        if found is None and self.managed:
            return
        meta, marks = dict(body["metadata"]), dict(body["metadata"].get("annotations", {}))
        if not self.route_labelled and not self.policies:
            meta["labels"] = {}
        refs = [{"name": NAME, "port": 80}]
        if self.weight is not None:
            refs = [
                {"name": NAME, "port": 80, "weight": 100 - self.weight},
                {"name": COPY, "port": 80, "weight": self.weight},
            ]
        weighed = not self.known or self.known["route"][2] != self.weight
        if self.policies and not self.managed and weighed:  # by a member of the break-glass group
            marks.pop("canary.delivery/split", None)
            if self.weight is not None:
                marks["canary.delivery/split"] = f"{NAME} {COPY} {100 - self.weight} {self.weight}"
        rules = [{"backendRefs": refs}] if weighed else body["spec"]["rules"]
        self.api.put(
            kinds.HTTP_ROUTE,
            {**body, "metadata": {**meta, "annotations": marks}, "spec": {**body["spec"], "rules": rules}},
        )

    def _write_list(self) -> None:
        if not self.listed:
            self.api.remove(kinds.CONFIG_MAP, "canary-rejected-versions")
            return
        found = [self.real(t.removeprefix("t-")) for t in self.listed]
        rows = [{"template_hash": r.template_hash, "version_hash": r.version_hash, "at": 0.0} for r in found]
        meta = {"namespace": NS, "name": "canary-rejected-versions"}
        self.api.put(kinds.CONFIG_MAP, {"metadata": meta, "data": {NAME: json.dumps(rows)}})

    def _work(self, changed: set[str]) -> None:
        """Controllers, kubelets, the gateway and the engine write what follows from what is there."""
        if "engine" in changed:
            for kind, obj in manifests.engine(self.version, settled=self.engine_settled):
                self.api.put(kind, obj)
        self._write_sets()
        copy, owner = self.copy, self.api.find(kinds.DEPLOYMENT, COPY)
        if copy is not None and owner is not None:
            self._write_sets_of(owner, {copy.version: (owner["spec"]["template"], copy.pods)})
        for rs in self.api.all(kinds.REPLICA_SET):
            canary = copy is not None and owner is not None and self.api.owns(owner, rs)
            self._write_pods(rs, crashes=canary and copy is not None and copy.version in self.crashing)
        self._sweep()
        pods = self.api.all(kinds.POD)
        for service in self.api.all(kinds.SERVICE):
            self.api.put(kinds.ENDPOINT_SLICE, manifests.endpoint_slice(service, pods))
        route = self.api.find(kinds.HTTP_ROUTE, NAME)
        if route is not None:
            served = self.gateway_weight == self.weight
            status = manifests.route_status(route, served=served, refused=self.gateway_refuses)
            self.api.put(kinds.HTTP_ROUTE, {**route, "status": status})
        if (self.doubled or not self.carries) and self.exists and self.replicas:
            running = sum(p.replicas for p in self.sets.values())
            total = 2 * self.replicas if self.doubled else self.replicas
            self.api.put(kinds.AUTOSCALER, manifests.autoscaler(total=total, running=running, blind=not self.carries))
        else:
            self.api.remove(kinds.AUTOSCALER, NAME)

    def _write_pods(self, rs: Obj, *, crashes: bool) -> None:
        for number in range(rs["spec"]["replicas"]):
            ready = number < rs["status"]["readyReplicas"]
            before = self.api.find(kinds.POD, f"{rs['metadata']['name']}-{number}")
            if before is not None and manifests.is_ready(before) and ready:
                continue
            self.api.put(
                kinds.POD, manifests.pod(rs, number, ready=ready, crashes=crashes, room=self.room, now=self.now)
            )

    def _sweep(self) -> None:
        """Take away what its owner is gone, or what is one too many."""
        uids = {d["metadata"]["uid"] for d in self.api.all(kinds.DEPLOYMENT)}
        for rs in self.api.all(kinds.REPLICA_SET):
            if rs["metadata"]["ownerReferences"][0]["uid"] not in uids:
                self.api.remove(kinds.REPLICA_SET, rs["metadata"]["name"])
        meant = {
            f"{rs['metadata']['name']}-{n}"
            for rs in self.api.all(kinds.REPLICA_SET)
            for n in range(rs["spec"]["replicas"])
        }
        for pod in self.api.all(kinds.POD):
            if pod["metadata"]["name"] not in meant:
                self.api.remove(kinds.POD, pod["metadata"]["name"])
        for name in (NAME, COPY):
            if self.api.find(kinds.SERVICE, name) is None:
                self.api.remove(kinds.ENDPOINT_SLICE, name)


def _labelled(obj: Obj | None) -> bool:
    return obj is not None and obj["metadata"].get("labels", {}).get("canary.delivery/rollout") == NAME


def _run(work: Coroutine[Any, Any, T]) -> T:
    return _LOOP.run_until_complete(work)
