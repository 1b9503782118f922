"""Two candidates never both lead, whatever their requests' delays, losses, restarts and their clocks' drift."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from canary.operator import lease
from canary.operator.lease import Candidacy

DRIFT = 0.05
"""Clocks run up to 5 % fast or slow: much more than real ones do."""


class Server:
    """One Lease with optimistic concurrency."""

    def __init__(self) -> None:
        self.obj: dict[str, Any] | None = None
        self.version = 0

    def write(self, body: dict[str, Any], expected: str | None) -> dict[str, Any] | None:
        present = self.obj["metadata"]["resourceVersion"] if self.obj else None
        if present != expected:
            return None
        self.version += 1
        self.obj = copy.deepcopy(body)
        self.obj["metadata"]["resourceVersion"] = str(self.version)
        return copy.deepcopy(self.obj)


class Candidate:
    """Drives one Candidacy: read, then claim; each takes its time, and any answer may be lost."""

    def __init__(self, name: str, server: Server, rng: random.Random) -> None:
        self.name, self.server, self.rng = name, server, rng
        self.rate = rng.uniform(1 - DRIFT, 1 + DRIFT)
        self.offset = rng.uniform(0, 1e6)
        self.candidacy = Candidacy(name)
        self.step: Callable[[float], None] = self.read
        self.at = rng.uniform(0, 5)
        self.base: dict[str, Any] | None = None
        self.pending: Any = None

    def clock(self, t: float) -> float:
        return self.offset + t * self.rate

    def leads(self, t: float) -> bool:
        return lease.leads(self.candidacy, self.clock(t))

    def delay(self) -> float:
        return self.rng.choice([0.001, 0.1, 1.0, self.rng.uniform(0, 30)])

    def read(self, t: float) -> None:
        self.pending = copy.deepcopy(self.server.obj)
        self.step, self.at = self.answered, t + self.delay()

    def answered(self, t: float) -> None:
        self.base = self.pending
        self.candidacy = lease.observed(self.candidacy, self.base, self.clock(t))
        self.claim(t)

    def claim(self, t: float) -> None:
        wanted = lease.claim(self.candidacy, self.clock(t))
        if wanted is None:
            self.step, self.at = self.read, t + 1
            return
        body = lease.record(self.candidacy, self.base, "ns", "lease", t)
        sent_at = self.clock(t)

        def arrives(now: float) -> None:
            answer = self.server.write(body, wanted.resource_version)
            self.step = lambda later: self.accepted(later, answer, sent_at)
            self.at = now + self.delay()

        self.step, self.at = arrives, t + self.delay()

    def accepted(self, t: float, answer: dict[str, Any] | None, sent_at: float) -> None:
        if answer is not None and self.rng.random() > 0.2:  # else: a conflict, or the answer is lost
            self.candidacy = lease.granted(self.candidacy, answer, sent_at, self.clock(t))
            self.base = answer
            self.step, self.at = self.claim, t + lease.RENEW_SECONDS
        else:
            self.step, self.at = self.read, t + 1
        if self.rng.random() < 0.05:
            self.restart(t)
        elif self.rng.random() < 0.05 and self.candidacy.held_until is not None and self.base is not None:
            self.resign(t)

    def restart(self, t: float) -> None:
        self.candidacy, self.base = Candidacy(self.name), None
        self.step, self.at = self.read, t + self.delay()

    def resign(self, t: float) -> None:
        self.candidacy = lease.stepped_down(self.candidacy)
        body = lease.released(self.candidacy, self.base or {}, "ns", "lease")
        assert self.candidacy.seen is not None
        self.server.write(body, self.candidacy.seen.resource_version)
        self.step, self.at = self.read, t + 5


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_two_candidates_never_both_lead(seed):
    rng = random.Random(seed)
    server = Server()
    candidates = [Candidate(name, server, rng) for name in ("a", "b", "c")]
    led = set()
    for _ in range(400):
        candidate = min(candidates, key=lambda c: c.at)
        t = candidate.at
        # A term ends by itself, so the worst instants are just before and just after each event.
        for instant in (t - 1e-6, t):
            leading = [c.name for c in candidates if c.leads(instant)]
            assert len(leading) <= 1, f"{leading} lead at {instant}"
            led.update(leading)
        candidate.step(t)
        leading = [c.name for c in candidates if c.leads(t)]
        assert len(leading) <= 1, f"{leading} lead at {t}"
        led.update(leading)
    assert led, "nobody ever led"


def taken(holder: str, version: str = "1") -> dict[str, Any]:
    return {"metadata": {"resourceVersion": version}, "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15}}


def test_a_lease_of_another_is_claimed_only_after_it_did_not_change_for_its_duration():
    me = lease.observed(Candidacy("me"), taken("other"), now=100)
    assert lease.claim(me, 114.9) is None
    assert lease.claim(me, 115) == lease.Claim("1")
    renewed = lease.observed(me, taken("other", "2"), now=114)
    assert lease.claim(renewed, 128) is None


def test_a_restart_of_the_same_container_claims_at_once():
    assert lease.claim(lease.observed(Candidacy("me"), taken("me"), now=0), 0) == lease.Claim("1")


def test_a_released_lease_is_free_at_once():
    assert lease.claim(lease.observed(Candidacy("me"), taken(""), now=0), 0) == lease.Claim("1")


def test_the_term_counts_from_before_the_request_was_sent():
    me = lease.granted(Candidacy("me"), taken("me"), sent_at=100, now=108)
    assert lease.leads(me, 109.9)
    assert not lease.leads(me, 110)


def test_seeing_another_holder_ends_the_term():
    me = lease.granted(Candidacy("me"), taken("me"), sent_at=100, now=100)
    assert not lease.leads(lease.observed(me, taken("other", "2"), now=101), 101)
