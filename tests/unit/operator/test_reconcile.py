"""Whole passes against the API server's fake: what the core decides is done, in order, and comes to rest."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from canary.analysis.verdict import MetricReading, Outcome, Reason, Verdict, combine
from canary.api.language import Language
from canary.core.observed import AnalysisView
from canary.core.state import Rejected, Revert
from canary.errors import ApiConflict, ApiUnavailable, CanaryError, NotFound
from canary.git.clone import GitSettings
from canary.git.credentials import Bindings
from canary.metrics.source import Query, Sample
from canary.operator import kinds
from canary.operator.analysis import Analyses
from canary.operator.cache import Cache
from canary.operator.clock import FakeClock
from canary.operator.git import Reverts
from canary.operator.notes import Notes, Told
from canary.operator.reconcile import Reconciler
from canary.operator.telemetry import Telemetry
from canary.workload.hashing import revision_of
from tests.unit.git.applications import NEWER, application, trying_again
from tests.unit.operator.cluster import NS, Cluster, rollout
from tests.unit.operator.fake_api import FakeApi

KEY = (NS, "checkout")


class NeverAsked:
    """A source: the judges are told what to say."""

    language = Language.PROMQL

    def ask(self, query: Query) -> Sample:
        raise AssertionError(query)


class Judges(Analyses):
    """The judges say what the test wants."""

    outcome: Outcome | None = None

    @override
    def view(self, key):
        seen = super().view(key)
        if seen is None or self.outcome is None:
            return seen
        reading = MetricReading("errors/errors", self.outcome, Reason.EVIDENCE_AGAINST, "compare", message="bad")
        verdict: Verdict = combine([reading], at=self._clock.now())
        return AnalysisView(seen.release, seen.returning, verdict)


class Git(Reverts):
    """Git answers what the test wants."""

    answer: Revert | None = None
    asked = 0

    @override
    def ask(self, key, effect, seen, state):
        self.asked += 1

    @override
    def outcome(self, key, release):
        return self.answer


class Remembered(Notes):
    """Git's notes tell what the test wants."""

    told = Told()

    @override
    def at_first_sight(self, key, origin, *, owned):
        return self.told


class World:
    def __init__(self, tmp_path: Path) -> None:
        self.api, self.clock, self.cache = FakeApi(), FakeClock(), Cache()
        self.api.watchers.append(
            lambda kind, event, obj: (self.cache.remove if event == "DELETED" else self.cache.put)(kind, obj)
        )
        self.cluster = Cluster(self.api)
        telemetry = Telemetry()
        self.judges = Judges(
            sources={"default": NeverAsked()},
            clock=self.clock,
            wake=lambda key: None,
            telemetry=telemetry,
        )
        self.notes = Remembered(
            clock=self.clock,
            wake=lambda key: None,
            bindings=Bindings,
            settings=GitSettings(tmp_path),
            random=lambda: 0.0,
        )
        self.git = Git(
            clock=self.clock,
            wake=lambda key: None,
            bindings=Bindings,
            settings=GitSettings(tmp_path),
            notes=self.notes,
            random=lambda: 0.0,
            telemetry=telemetry,
        )
        self.leads = True
        self.reconciler = Reconciler(
            api=self.api,
            cache=self.cache,
            clock=self.clock,
            analyses=self.judges,
            reverts=self.git,
            telemetry=telemetry,
            leads=lambda: self.leads,
        )

    @property
    def status(self):
        return self.api.peek(kinds.ROLLOUT, *KEY).get("status", {})

    @property
    def weight(self):
        backends = self.api.peek(kinds.HTTP_ROUTE, *KEY)["spec"]["rules"][0]["backendRefs"]
        return {b["name"]: b.get("weight") for b in backends}.get("checkout-canary")

    async def step(self, seconds: float = 0.6) -> float | None:
        again = await self.reconciler.reconcile(KEY)
        self.cluster.settle()
        await self.clock.advance(seconds, turns=1)
        return again

    async def until(self, what, passes: int = 80):
        for _ in range(passes):
            if what():
                return
            await self.step()
        pytest.fail(f"not reached; status: {self.status}")

    def phase_is(self, phase: str):
        return lambda: self.status.get("phase") == phase


@pytest.fixture
def world(tmp_path) -> World:
    world = World(tmp_path)
    world.api.put(kinds.ROLLOUT, rollout())
    return world


async def test_what_serves_is_adopted_and_then_nothing_is_written(world):
    await world.until(world.phase_is("Stable"))
    for _ in range(5):
        await world.step()
    world.api.log.clear()
    agains = [await world.step() for _ in range(5)]
    assert world.api.log == []
    assert agains == [None] * 5
    assert {c["type"]: c["status"] for c in world.status["conditions"]} == {"Ready": "True"}


async def test_at_rest_neither_pods_nor_endpoints_are_read(world):
    await world.until(world.phase_is("Stable"))
    for _ in range(5):
        await world.step()

    def fail(verb, kind, name):
        return AssertionError(f"{verb} {kind.kind}")

    world.api.fail = fail
    await world.step()


async def test_a_good_version_gets_its_weight_and_is_promoted(world):
    await world.until(world.phase_is("Stable"))
    world.cluster.push("v2")
    await world.until(world.phase_is("Step"))
    await world.until(lambda: world.weight == 10)
    world.judges.outcome = Outcome.PASS
    await world.until(lambda: world.weight == 100)
    await world.until(lambda: world.status["phase"] == "Stable", passes=200)
    assert world.cluster.deployment()["spec"].get("paused") in (None, False)
    assert world.weight is None
    assert world.status["history"][0]["outcome"] == "Promoted"
    assert ("deployments", NS, "checkout-canary") not in world.api.objects


async def test_what_somebody_adds_to_the_canarys_template_is_taken_out_and_not_fought_over(world):
    await world.until(world.phase_is("Stable"))
    world.cluster.push("v2")
    await world.until(lambda: world.weight == 10)
    made = copy.deepcopy(world.cluster.deployment("checkout-canary"))
    edited = copy.deepcopy(made)
    edited["spec"]["template"]["spec"]["nodeSelector"] = {"tried-by": "hand"}  # no apply of ours takes it out
    world.api.put(kinds.DEPLOYMENT, edited)
    for _ in range(3):
        await world.step()
    assert world.cluster.deployment("checkout-canary")["spec"]["template"] == made["spec"]["template"]
    world.api.log.clear()
    for _ in range(3):
        await world.step()
    assert [entry for entry in world.api.log if entry[1] == "Deployment"] == []


async def test_a_bad_version_loses_its_traffic_in_the_first_write_after_the_verdict(world):
    await world.until(world.phase_is("Stable"))
    world.cluster.push("v2")
    await world.until(lambda: world.weight == 10)
    await world.step()
    world.judges.outcome = Outcome.FAIL
    world.api.log.clear()
    await world.step()
    assert world.api.log[0] == ("patch", "HTTPRoute", "checkout")
    assert world.weight == 0
    await world.until(world.phase_is("Reverting"))
    world.git.answer = Revert("Reverted", final=True, commit="abc", message="reverted x", at=world.clock.now())
    await world.until(world.phase_is("AwaitingGit"))
    assert world.git.asked > 0
    assert world.cluster.deployment()["spec"]["paused"] is True
    world.cluster.push("v1")
    await world.until(world.phase_is("Stable"))
    await world.until(lambda: not world.cluster.deployment()["spec"].get("paused"))
    assert world.status["rejected"][0]["reason"] == "AnalysisFailed"


async def test_a_git_server_that_does_not_answer_leaves_the_traffic_at_zero(world):
    await world.until(world.phase_is("Stable"))
    world.cluster.push("v2")
    await world.until(lambda: world.weight == 10)
    world.judges.outcome = Outcome.FAIL
    await world.until(world.phase_is("Reverting"))
    world.git.answer = Revert("GitUnavailable", final=False, message="no route to host", at=world.clock.now())
    for _ in range(10):
        await world.step()
    assert world.status["phase"] == "Reverting"
    assert world.status["revert"]["final"] is False
    assert world.weight in (0, None)
    assert {c["type"] for c in world.status["conditions"]} == {"Ready", "Stalled"}


async def test_a_missing_template_is_told_and_heals(world):
    template = copy.deepcopy(world.api.peek(kinds.ANALYSIS_TEMPLATE, NS, "errors"))
    await world.api.delete(kinds.ANALYSIS_TEMPLATE, NS, "errors")
    await world.until(lambda: world.status.get("reason") == "TemplateNotFound")
    assert "errors" in world.status["message"]
    template["metadata"].pop("uid")
    world.api.put(kinds.ANALYSIS_TEMPLATE, template)
    await world.until(lambda: world.status.get("reason") == "Stable")


async def test_an_unknown_metric_source_is_told(world):
    template = copy.deepcopy(world.api.peek(kinds.ANALYSIS_TEMPLATE, NS, "errors"))
    template["spec"]["metrics"][0]["source"] = "nowhere"
    world.api.put(kinds.ANALYSIS_TEMPLATE, template)
    await world.until(lambda: world.status.get("reason") == "SourceNotFound")


async def test_a_query_in_another_language_than_its_source_s_is_told_before_a_release(world):
    template = copy.deepcopy(world.api.peek(kinds.ANALYSIS_TEMPLATE, NS, "errors"))
    value = {"language": "nrql", "query": "SELECT count(*) FROM Transaction"}
    template["metadata"]["uid"] = "in-another-language"  # templates are parsed once for each uid and version
    template["spec"]["metrics"] = [{"name": "errors", "value": value, "threshold": {"max": "1"}}]
    world.api.put(kinds.ANALYSIS_TEMPLATE, template)
    await world.until(lambda: world.status.get("reason") == "SpecInvalid")
    assert "'default' takes queries in promql, and this one is in nrql" in world.status["message"]


async def test_a_rollout_that_cannot_be_read_says_so_in_its_conditions(world):
    world.api.put(kinds.ROLLOUT, {**world.api.peek(kinds.ROLLOUT, *KEY), "spec": {"workload": {"name": "checkout"}}})
    with pytest.raises(CanaryError, match="service"):
        await world.reconciler.reconcile(KEY)
    stalled = {c["type"]: c for c in world.status["conditions"]}["Stalled"]
    assert stalled["reason"] == "SpecInvalid"
    world.api.put(kinds.ROLLOUT, {**world.api.peek(kinds.ROLLOUT, *KEY), "spec": rollout()["spec"]})
    await world.until(world.phase_is("Stable"))
    assert {c["type"] for c in world.status["conditions"]} == {"Ready"}


async def test_a_commit_that_lands_between_decision_and_letting_go_is_not_shipped(world):
    await world.until(world.phase_is("Stable"))
    world.cluster.push("v2")
    await world.until(lambda: world.weight == 10)
    world.judges.outcome = Outcome.PASS
    await world.until(lambda: world.status.get("promotion") == "Pin")

    real = world.api.patch

    async def patch(kind, namespace, name, body, **rest):
        if kind is kinds.DEPLOYMENT and name == "checkout" and body.get("spec") == {"paused": None}:
            world.cluster.push("v3")  # lands just before our patch does
        return await real(kind, namespace, name, body, **rest)

    world.api.patch = patch

    async def go_on():
        for _ in range(20):
            await world.step()

    with pytest.raises(ApiConflict):
        await go_on()
    assert world.cluster.deployment()["spec"]["paused"] is True


async def test_whoever_is_deposed_in_mid_pass_writes_nothing_more(world):
    world.leads = False
    await world.reconciler.reconcile(KEY)
    assert world.api.log == []


@pytest.mark.parametrize("nth", range(1, 60, 3))
async def test_a_crash_at_any_write_converges(tmp_path, nth):
    world = World(tmp_path)
    world.api.put(kinds.ROLLOUT, rollout())
    await world.until(world.phase_is("Stable"))
    world.cluster.push("v2")
    count = 0

    def fail(verb, kind, name):
        nonlocal count
        if verb in ("get", "list"):
            return None
        count += 1
        return ApiUnavailable("the connection broke") if count == nth else None

    world.api.fail = fail
    world.judges.outcome = Outcome.PASS

    async def live(passes):
        for _ in range(passes):
            try:
                await world.step()
            except CanaryError:
                # A new process: nothing but the API's objects is left.
                world.reconciler._memory.clear()
                world.judges._judging.clear()
            if count > nth and world.status["phase"] == "Stable" and not world.status.get("release"):
                return

    await live(250)
    assert world.status["phase"] == "Stable"
    assert world.status["history"][0]["outcome"] == "Promoted"
    assert world.weight is None


async def test_a_deleted_rollout_leaves_the_service_unpinned_and_the_deployment_held(world):
    await world.until(world.phase_is("Stable"))
    world.cluster.push("v2")
    await world.until(lambda: world.weight == 10)
    going = copy.deepcopy(world.api.peek(kinds.ROLLOUT, *KEY))
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    world.api.put(kinds.ROLLOUT, going)
    await world.until(lambda: ("rollouts", *KEY) not in world.api.objects)
    assert world.cluster.deployment()["spec"]["paused"] is True
    assert world.weight is None
    service = world.api.peek(kinds.SERVICE, NS, "checkout")
    assert "canary.delivery/pin" not in service["metadata"].get("annotations", {})
    assert ("deployments", NS, "checkout-canary") not in world.api.objects


def tracked(world: World, app: dict[str, Any]) -> None:
    """Have an Argo CD Application apply the Deployment."""
    world.api.put(kinds.APPLICATION, app)
    deployment = copy.deepcopy(world.cluster.deployment())
    tracking_id = {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/checkout"}
    deployment["metadata"].setdefault("annotations", {}).update(tracking_id)
    world.api.put(kinds.DEPLOYMENT, deployment)


async def reverted(world: World) -> None:
    """A bad version came, and its revert was pushed."""
    await world.until(world.phase_is("Stable"))
    world.cluster.push("v2")
    await world.until(lambda: world.weight == 10)
    world.judges.outcome = Outcome.FAIL
    await world.until(world.phase_is("Reverting"))
    world.git.answer = Revert("Reverted", final=True, commit=NEWER, message="reverted x", at=world.clock.now())
    await world.until(world.phase_is("AwaitingGit"))


async def test_argo_cd_is_asked_once_to_look_at_the_revert_although_it_takes_the_request_away(world):
    tracked(world, application())
    await reverted(world)
    for _ in range(5):
        await world.step()
    asked = copy.deepcopy(world.api.peek(kinds.APPLICATION, "argocd", "shop"))
    assert asked["metadata"]["annotations"].pop("argocd.argoproj.io/refresh") == "normal"
    assert "operation" not in asked
    world.api.put(kinds.APPLICATION, asked)
    world.api.log.clear()
    for _ in range(10):
        await world.step()
    assert ("patch", "Application", "shop") not in world.api.log
    assert world.status["phase"] == "AwaitingGit"


async def test_a_sync_of_argo_cd_that_keeps_at_the_bad_commit_is_ended_once_after_the_revert(world):
    tracked(world, trying_again())
    await world.until(world.phase_is("Stable"))
    for _ in range(5):
        await world.step()
    operation = world.api.peek(kinds.APPLICATION, "argocd", "shop")["status"]["operationState"]
    assert operation["phase"] == "Running", "before there is a revert it is Argo CD's own business"
    await world.clock.advance(2_000_000_000, turns=1)
    await reverted(world)
    for _ in range(5):
        await world.step()
    after = world.api.peek(kinds.APPLICATION, "argocd", "shop")
    assert after["status"]["operationState"]["phase"] == "Terminating"
    assert after["metadata"]["annotations"]["argocd.argoproj.io/refresh"] == "normal"
    assert world.api.log.count(("patch", "Application", "shop")) == 1


async def test_two_rollouts_of_one_source_do_not_undo_each_others_requests(world):
    tracked(world, application())
    await reverted(world)
    for _ in range(3):
        await world.step()
    other = copy.deepcopy(world.api.peek(kinds.APPLICATION, "argocd", "shop"))
    other["metadata"]["annotations"]["argocd.argoproj.io/refresh"] = "hard"
    world.api.put(kinds.APPLICATION, other)
    world.api.log.clear()
    for _ in range(10):
        await world.step()
    assert ("patch", "Application", "shop") not in world.api.log


async def test_nothing_is_adopted_while_gits_notes_are_read(world):
    world.notes.told = Told(awaited=True)
    for _ in range(5):
        assert await world.step() is not None
    assert (world.status["phase"], world.status["reason"]) == ("Pending", "ReadingNotes")
    world.notes.told = Told()
    await world.until(world.phase_is("Stable"))


async def test_a_version_that_gits_notes_call_rejected_is_refused_and_listed_in_the_namespace(world):
    serving = revision_of(world.cluster.deployment()["spec"]["template"])
    noted = Rejected(serving.template_hash, serving.version_hash, 5.0, "abc", "5xx", serving.images)
    world.notes.told = Told((noted,))
    await world.until(lambda: world.status.get("reason") == "RejectedServes")
    assert world.status["rejected"][0]["images"] == ["v1"]
    listed = world.api.peek(kinds.CONFIG_MAP, NS, "canary-rejected-versions")["data"]
    assert listed["hold_checkout"] == "checkout\nv1"
    assert {c["type"] for c in world.status["conditions"]} == {"Ready", "Stalled"}


async def test_a_list_in_status_outlives_a_restart_with_its_images(world):
    await world.until(world.phase_is("Stable"))
    world.cluster.push("v2")
    await world.until(lambda: world.weight == 10)
    world.judges.outcome = Outcome.FAIL
    await world.until(world.phase_is("Reverting"))
    assert world.status["rejected"][0]["images"] == ["v2"]
    await world.step()
    listed = world.api.peek(kinds.CONFIG_MAP, NS, "canary-rejected-versions")["data"]
    assert listed["hold_checkout"] == "checkout\nv2"


def autoscaler(**status):
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    return {
        "metadata": {"namespace": NS, "name": "checkout"},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "checkout"},
            "maxReplicas": 10,
            "metrics": [{"type": "Resource", "resource": cpu}],
        },
        "status": status,
    }


async def test_the_pods_metrics_are_read_only_for_a_release_beside_an_autoscaler(world):
    read = []

    def seen(verb, kind, name):
        if kind is kinds.POD_METRICS:
            read.append(world.status.get("phase"))

    world.api.fail = seen
    await world.until(world.phase_is("Stable"))
    world.cluster.push("v2")
    await world.until(lambda: world.weight == 10)
    assert read == []
    world.api.put(kinds.AUTOSCALER, autoscaler())
    await world.step()
    assert set(read) == {"Step"}


async def test_metrics_of_pods_that_cannot_be_read_keep_the_weight_and_are_told(world):
    def refuse(verb, kind, name):
        return NotFound("list PodMetrics: the server could not find it") if kind is kinds.POD_METRICS else None

    world.api.fail = refuse
    world.api.put(kinds.AUTOSCALER, autoscaler())
    await world.until(world.phase_is("Stable"))
    world.cluster.push("v2")
    await world.until(lambda: world.status.get("reason") == "NotRaised", passes=120)
    assert "the server could not find it" in world.status["message"]
    assert not world.weight
    await world.api.delete(kinds.AUTOSCALER, NS, "checkout")
    await world.until(lambda: world.weight == 10)
