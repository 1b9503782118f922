from __future__ import annotations

import asyncio

import pytest

from canary.operator.clock import FakeClock
from canary.operator.queue import Backoff, DeadlineQueue


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def queue(clock: FakeClock) -> DeadlineQueue[str]:
    return DeadlineQueue(clock)


async def test_a_key_is_given_out_when_it_is_due_and_not_before(clock, queue):
    queue.put("a", after_seconds=10)
    getting = asyncio.create_task(queue.get())
    await clock.advance(9.9)
    assert not getting.done()
    await clock.advance(0.2)
    assert getting.result() == "a"


async def test_the_earliest_deadline_counts(clock, queue):
    queue.put("a", after_seconds=5)
    queue.put("a", after_seconds=50)
    queue.put("b", after_seconds=60)
    queue.put("b", after_seconds=1)
    await clock.advance(1)
    assert await queue.get() == "b"
    await clock.advance(4)
    assert await queue.get() == "a"
    assert len(queue) == 0


async def test_a_new_deadline_wakes_a_waiting_worker(clock, queue):
    queue.put("later", after_seconds=100)
    getting = asyncio.create_task(queue.get())
    await clock.advance(1)
    queue.put("now")
    await clock.advance(0)
    assert getting.result() == "now"


async def test_a_busy_key_is_not_given_to_a_second_worker_and_comes_after_it_is_done(clock, queue):
    queue.put("a")
    assert await queue.get() == "a"
    queue.put("a")
    second = asyncio.create_task(queue.get())
    await clock.advance(5)
    assert not second.done()
    queue.done("a")
    await clock.advance(0)
    assert second.result() == "a"


async def test_a_busy_key_keeps_the_deadline_that_it_was_parked_with(clock, queue):
    queue.put("a")
    await queue.get()
    queue.put("a", after_seconds=30)
    await clock.advance(10)
    queue.done("a")
    getting = asyncio.create_task(queue.get())
    await clock.advance(19)
    assert not getting.done()
    await clock.advance(2)
    assert getting.result() == "a"


async def test_a_forgotten_key_does_not_come(clock, queue):
    queue.put("gone", after_seconds=1)
    queue.put("b", after_seconds=2)
    queue.forget("gone")
    await clock.advance(3)
    assert await queue.get() == "b"
    assert queue.overdue == 0


async def test_two_workers_get_different_keys(clock, queue):
    workers = [asyncio.create_task(queue.get()) for _ in range(2)]
    await clock.advance(0)
    queue.put("a")
    queue.put("b")
    await clock.advance(0)
    assert {w.result() for w in workers} == {"a", "b"}


@pytest.mark.parametrize(("failures", "expected"), [(1, 0.5), (2, 1.0), (5, 8.0), (8, 60.0), (1000, 60.0)])
def test_the_backoff_doubles_up_to_its_bound(failures, expected):
    assert Backoff().seconds(failures, lambda: 0.0) == expected
    assert Backoff().seconds(failures, lambda: 1.0) == expected / 2
