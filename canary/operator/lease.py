"""Who leads, as a function of what was read and when: the part of leader election that has no I/O.

The clocks of two machines are not compared. Each candidate measures with its own monotonic clock how long the Lease
has not changed; the holder counts its term from *before* it sent the renewal, the others count theirs from *after*
they saw it. So the holder's term ends first, by at least the margin, as long as no clock runs faster than another by
margin / duration.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from canary.operator.kinds import LEASE, Obj

DURATION_SECONDS: Final = 15.0
"""How long a Lease that is not renewed keeps others away; Kubernetes' own components use the same."""
MARGIN_SECONDS: Final = 5.0
"""How long before that its holder has stopped. Covers clocks' drift and writes that are still on their way."""
RENEW_SECONDS: Final = 3.0
"""Between renewals: three tries within a term."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The Lease as it was read last."""

    resource_version: str
    holder: str
    """Empty: released, free for anyone."""
    duration_seconds: float
    since: float
    """Monotonic time at which this resourceVersion was seen first."""


@dataclass(frozen=True, slots=True)
class Candidacy:
    """What one candidate knows."""

    identity: str
    """Stable for one container: its restart is the same candidate, so it goes on at once."""
    seen: Seen | None = None
    """None: there is no Lease object, or it was not read yet."""
    held_until: float | None = None
    """Monotonic time at which the term ends; None when this candidate does not lead."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A write that would make this candidate the holder (or keep it so)."""

    resource_version: str | None
    """To be replaced; None to create the Lease."""


def leads(candidacy: Candidacy, now: float) -> bool:
    """Return whether this candidate may act now."""
    return candidacy.held_until is not None and now < candidacy.held_until


def observed(candidacy: Candidacy, lease: Obj | None, now: float) -> Candidacy:
    """Take what was read at `now` (the time after the answer came); None when there is no Lease."""
    if lease is None:
        return replace(candidacy, seen=None)
    version = lease["metadata"]["resourceVersion"]
    if candidacy.seen is not None and candidacy.seen.resource_version == version:
        return candidacy
    spec = lease.get("spec") or {}
    holder = spec.get("holderIdentity") or ""
    seen = Seen(version, holder, float(spec.get("leaseDurationSeconds") or DURATION_SECONDS), now)
    held_until = candidacy.held_until if holder == candidacy.identity else None
    return replace(candidacy, seen=seen, held_until=held_until)


def claim(candidacy: Candidacy, now: float) -> Claim | None:
    """Return the write to try now, or None while the Lease is another's."""
    seen = candidacy.seen
    if seen is None:
        return Claim(None)
    free = not seen.holder or seen.holder == candidacy.identity or now >= seen.since + seen.duration_seconds
    return Claim(seen.resource_version) if free else None


def granted(candidacy: Candidacy, lease: Obj, sent_at: float, now: float) -> Candidacy:
    """Take the answer to a claim that was sent at `sent_at` and accepted."""
    after = observed(candidacy, lease, now)
    return replace(after, held_until=sent_at + DURATION_SECONDS - MARGIN_SECONDS)


def stepped_down(candidacy: Candidacy) -> Candidacy:
    """Stop leading: to be called before the Lease is released."""
    return replace(candidacy, held_until=None)


def record(candidacy: Candidacy, base: Obj | None, namespace: str, name: str, wall: float) -> Obj:
    """Return the Lease object that a claim writes; times in it are for people."""
    now = datetime.fromtimestamp(wall, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    spec = dict((base or {}).get("spec") or {})
    if spec.get("holderIdentity") != candidacy.identity:
        spec["acquireTime"] = now
        spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
    spec.update(holderIdentity=candidacy.identity, leaseDurationSeconds=int(DURATION_SECONDS), renewTime=now)
    return _lease(namespace, name, spec, candidacy.seen)


def released(candidacy: Candidacy, base: Obj, namespace: str, name: str) -> Obj:
    """Return the Lease object that lets anybody take over at once."""
    spec = {**(base.get("spec") or {}), "holderIdentity": "", "leaseDurationSeconds": 1}
    return _lease(namespace, name, spec, candidacy.seen)


def _lease(namespace: str, name: str, spec: Obj, seen: Seen | None) -> Obj:
    meta: Obj = {"namespace": namespace, "name": name}
    if seen is not None:
        meta["resourceVersion"] = seen.resource_version
    return {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": meta, "spec": spec}
