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


def test_a_roll_that_is_to_be_taken_back_is_held_before_the_service_means_stable_alone():
    world = releasing(Stage.REPLACE)
    run(world, 1)
    assert world.copy is not None
    assert world.state.release is not None
    HANDS["all_of_the_canary_pods_die"](world)
    world.operate()
    HANDS["somebody_asks_to_abort"](world)
    world.operate(crash_after=1)  # the hold has not landed yet
    assert not world.held
    while world.sets["good0"].replicas:
        world.controller()
        world.kubelet()
    assert world.endpoints() > 0


def test_what_somebody_gives_the_canary_in_the_clean_up_stays_there_while_nobody_else_serves():
    world = releasing(Stage.CLEANUP)
    HANDS["pods_of_the_deployment_die"](world)
    HANDS["somebody_sets_the_weight_to_30"](world)
    world.operate()
    assert world.weight == 30
    world.settle()
    assert outcomes(world) == ["Promoted"]


def test_a_drain_that_somebody_broke_begins_anew_although_the_operator_ends_as_it_takes_the_traffic():
    world = releasing(Phase.REVERTING, version="bad1")
    run(world, 2)
    assert world.state.drained_since is not None
    HANDS["somebody_sets_the_weight_to_30"](world)
    world.gateway()
    for effects in range(3):
        world.operate(crash_after=effects)
        world.gateway()
    run(world, int(world.plan.drain_seconds) - 1)
    assert world.copy is not None
    assert not world.copy.deleting


def test_a_drain_of_before_a_release_got_traffic_again_does_not_count_when_it_is_rolled_back():
    world = releasing(Phase.STEP, version="bad1")
    run(world, 2)
    HANDS["somebody_sets_the_weight_to_None"](world)
    world.gateway()
    world.operate()
    assert world.state.drained_since is not None
    HANDS["somebody_sets_the_weight_to_1"](world)
    world.gateway()
    world.pass_time(10)
    world.operate(crash_after=1)
    world.gateway()
    assert world.weight == 0
    silent = world.now
    while world.copy is not None and not world.copy.deleting:
        world.operate()
        world.git()
        world.gateway()
        world.pass_time(1)
    assert world.now - silent >= world.plan.drain_seconds


def test_a_version_that_was_judged_bad_does_not_start_again_because_somebody_writes_another_phase():
    world = releasing(Phase.ROLLING_BACK, version="bad1")
    for written in (Phase.HELD, Phase.STARTING, Phase.STEP):
        HANDS[f"somebody_writes_phase_{written}"](world)
        run(world, 1)
        assert world.state.phase not in {Phase.HELD, Phase.STARTING, Phase.STEP}
        assert not world.weight
    world.settle()
    assert outcomes(world) == ["RolledBack"]
