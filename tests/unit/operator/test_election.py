from __future__ import annotations

import asyncio

from canary.errors import ApiUnavailable
from canary.operator.clock import FakeClock
from canary.operator.election import Election
from canary.operator.kinds import LEASE
from tests.unit.operator.fake_api import FakeApi


def election(api: FakeApi, clock: FakeClock, identity: str) -> tuple[Election, list[str]]:
    told: list[str] = []
    runs = Election(api, clock, namespace="ns", name="canary", identity=identity)
    return runs, told


def running(runs: Election, told: list[str]) -> asyncio.Task[None]:
    return asyncio.create_task(runs.run(elected=lambda: told.append("elected"), deposed=lambda: told.append("deposed")))


async def test_the_first_leads_and_the_second_takes_over_when_it_resigns():
    api, clock = FakeApi(), FakeClock()
    first, told = election(api, clock, "a")
    second, told_second = election(api, clock, "b")
    task = running(first, told)
    await clock.advance(0)
    follower = running(second, told_second)
    await clock.advance(30)
    assert (told, told_second) == (["elected"], [])
    task.cancel()
    await first.resign()
    assert not first.leads
    await clock.advance(1.5)
    assert told_second == ["elected"]
    follower.cancel()


async def test_a_holder_that_cannot_renew_stops_before_another_can_start():
    api, clock = FakeApi(), FakeClock()
    first, told = election(api, clock, "a")
    second, told_second = election(api, clock, "b")
    tasks = [running(first, told), running(second, told_second)]
    await clock.advance(5)
    leader, leader_told, other_told = (first, told, told_second) if first.leads else (second, told_second, told)
    mine = "a" if leader is first else "b"
    cut = {"on": True}

    class Cut(FakeApi):
        pass

    def fail(verb, kind, name):
        body = api.objects.get(("leases", "ns", "canary"))
        holder = body["spec"]["holderIdentity"] if body else ""
        return ApiUnavailable("cut off") if cut["on"] and verb == "replace" and holder == mine else None

    api.fail = fail
    for _ in range(300):
        await clock.advance(0.1)
        assert not (first.leads and second.leads)
        if "deposed" in leader_told:
            break
    assert leader_told == ["elected", "deposed"]
    assert other_told == []
    cut["on"] = False
    await clock.advance(20)
    assert first.leads != second.leads
    for task in tasks:
        task.cancel()


async def test_a_restarted_process_of_the_same_identity_goes_on_at_once():
    api, clock = FakeApi(), FakeClock()
    first, told = election(api, clock, "pod-1")
    task = running(first, told)
    await clock.advance(4)
    task.cancel()  # kill -9: nothing is released
    again, told_again = election(api, clock, "pod-1")
    task = running(again, told_again)
    await clock.advance(0)
    assert told_again == ["elected"]
    assert api.peek(LEASE, "ns", "canary")["spec"]["leaseTransitions"] == 1
    task.cancel()


async def test_a_hanging_renewal_ends_the_term_in_time():
    api, clock = FakeApi(), FakeClock()
    runs, told = election(api, clock, "a")
    task = running(runs, told)
    await clock.advance(0)
    assert told == ["elected"]

    async def hang(*args, **kwargs):
        await asyncio.Event().wait()

    api.replace = hang  # type: ignore[method-assign]  # the fake's answer never comes
    await clock.advance(10.1)
    assert told == ["elected", "deposed"]
    task.cancel()
