"""What the exhaustive walk (tests/model) found, told one by one."""

from __future__ import annotations

from dataclasses import replace

from canary.core import effects as fx
from canary.core.phases import Phase, Stage
from canary.core.plan import ApprovalStep, WeightStep
from tests.property.hands import HANDS
from tests.property.parts import PLAN, Pods
from tests.unit.core.test_hands import decided, outcomes, releasing
from tests.unit.core.test_releases import run


def test_a_step_that_becomes_an_approval_says_that_it_waits_for_one():
    world = releasing(Phase.STEP)
    world.plan = replace(PLAN, steps=(ApprovalStep(), WeightStep(5, 10, 60)))
    run(world, 2)
    assert world.state.reason == "AwaitingApproval"
    world.plan = PLAN
    run(world, 2)
    assert world.state.reason == "Watching"


def test_an_approval_that_was_paused_and_resumed_says_again_what_it_waits_for():
    world = releasing(Phase.STEP, plan=replace(PLAN, steps=(WeightStep(5, 10, 60), ApprovalStep())))
    run(world, 20)
    assert world.state.reason == "AwaitingApproval"
    HANDS["pause_or_resume"](world)
    run(world, 2)
    assert world.state.reason == "Paused"
    HANDS["pause_or_resume"](world)
    run(world, 2)
    assert world.state.reason == "AwaitingApproval"


def test_a_deployment_made_anew_and_changed_before_it_rolled_is_seen_for_the_first_time():
    world = releasing(Phase.STEP)
    world.settle()
    world.sets = {"good2": Pods(4, 0)}
    world.version = world.git_version = "good2"
    world.allowed.add("good2")
    world.push("good3")
    world.settle()
    assert world.state.phase is Phase.STABLE
    assert world.state.stable is not None
    assert world.state.stable.template_hash == "t-good3"
    assert [v for v, pods in world.sets.items() if pods.replicas] == ["good3"]


def test_a_gateway_that_never_confirms_the_last_traffic_change_is_told():
    world = releasing(Stage.CLEANUP)
    world.gateway_up, world.gateway_weight = False, 50
    for _ in range(4):
        world.operate()
        world.pass_time(15)
    assert (world.state.reason, world.state.stalled) == ("GatewaySilent", True)
    world.gateway_up = True
    world.settle()
    assert outcomes(world) == ["Promoted"]


def test_traffic_that_cannot_return_for_want_of_room_is_told():
    world = releasing(Stage.RETURN)
    run(world, 2)
    world.room, world.replicas = False, 8
    run(world, 60)
    assert (world.state.reason, world.state.stalled) == ("CapacityMissing", True)
    world.room = True
    world.settle()
    assert outcomes(world) == ["Promoted"]


def test_no_copy_is_asked_for_while_there_is_no_service_to_copy():
    world = releasing(Stage.PIN)
    seen = decided(world, service=None, canary_service=False)
    assert not [e for e in seen.effects if isinstance(e, fx.EnsureCopy)]


def test_a_roll_back_that_somebody_wrote_into_the_status_and_nobody_judged_starts_over():
    world = releasing(Phase.STARTING)
    world.state = replace(world.state, phase=Phase.ROLLING_BACK)
    world.settle()
    assert outcomes(world) == ["Promoted"]


def test_pods_that_are_about_to_go_are_not_the_only_ones_that_the_service_means():
    world = releasing(Stage.REPLACE)
    while world.held:
        run(world, 1)
    world.controller()
    assert world.copy is not None
    world.copy.pods.ready = 0
    world.operate()
    assert world.pin is None, "the Deployment rolls on while nobody looks"
    for _ in range(20):
        world.controller()
        for pods in world.sets.values():
            pods.ready = pods.replicas
        assert world.endpoints()


def test_a_service_is_not_pinned_to_pods_that_the_same_pass_takes_away():
    world = releasing(Stage.REPLACE)
    while world.sets.get("good1", Pods()).ready < 1:
        world.operate()
        world.controller()
        world.kubelet()
        world.gateway()
    world.push("good2")
    assert world.held
    assert world.copy is not None
    world.copy.pods.ready = 0
    world.operate()
    assert world.endpoints()


def test_a_roll_is_not_finished_when_the_deployment_rolls_on_to_another_version_by_itself():
    world = releasing(Stage.REPLACE)
    while not (world.sets.get("good1", Pods()).ready == 4 and world.sets["good0"].replicas == 0):
        assert world.state.release is not None
        assert world.state.release.stage is Stage.REPLACE
        if world.held:
            world.operate()
        world.controller()
        world.kubelet()
    world.held, world.version, world.git_version = False, "good2", "good2"  # let go by somebody with the right to
    world.allowed.add("good2")
    world.operate()
    assert world.state.release is not None
    assert world.state.release.stage is Stage.REPLACE
    assert world.pin is not None
    assert world.pin.startswith("k-copy"), "the canary carries the traffic until that roll is done"
    world.settle()
    assert world.state.stable is not None
    assert world.state.stable.template_hash == "t-good2"
