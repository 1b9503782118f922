"""What `canary watch --until` waits for, and when it has come or can no longer come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from canary.cli.cluster import Seen
from canary.cli.state import RETREATING
from canary.core.phases import Phase


class Until(StrEnum):
    """Ends that one can wait for."""

    STABLE = "stable"
    """No release runs, and the operator has seen the latest spec."""
    PROMOTED = "promoted"
    """The release's version has become the stable one."""
    ROLLED_BACK = "rolledBack"
    """The release's version has no traffic, and what is to be done in Git is done."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What was waited for has come, or can no longer come."""

    well: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Awaited:
    """An end that is waited for, of one release.

    That release is the one that runs when the waiting begins, else the next one; or with `commit` the one that this
    commit brought, also if it has ended already.
    """

    until: Until
    release: str | None = None
    """Its id; None until it is known."""
    earlier: frozenset[str] = frozenset()
    """Releases that had ended before the waiting began: not the one that is meant."""
    commit: str = ""
    """The beginning of the Git commit that brought it; empty: whichever comes."""

    @classmethod
    def begin(cls, until: Until, seen: Seen, commit: str = "") -> Awaited:
        """Begin to wait, the Rollout being as it is now."""
        earlier = frozenset() if commit else frozenset(past.id for past in seen.status.history)
        return cls(until, None, earlier, commit.lower()).followed(seen)

    def followed(self, seen: Seen) -> Awaited:
        """Return the same with the release that is meant, once it is known."""
        if self.release is not None:
            return self
        status = seen.status
        running = status.release
        if running is not None and status.candidate is not None and self._meant(status.candidate.commit):
            return replace(self, release=running.id)
        for past in status.history:
            if past.id not in self.earlier and self._meant(past.commit):
                return replace(self, release=past.id)
        return self

    def ended(self, seen: Seen) -> Ended | None:
        """Return how it ended; None while what is waited for may still come."""
        if self.until is Until.STABLE:
            current = seen.status.observed_generation >= seen.generation
            return Ended(True, f"{seen.name} is stable.") if seen.phase is Phase.STABLE and current else None
        past = next((p for p in seen.status.history if p.id == self.release), None)
        if past is not None:
            said = f"{seen.name}: release {past.id} ended as {past.outcome}. {past.message}".rstrip()
            return Ended(self._fits(past.outcome), said)
        if self.release is None:
            return self._stable_already(seen)
        if seen.status.release is None or seen.status.release.id != self.release or seen.phase not in RETREATING:
            return None
        if self.until is Until.PROMOTED:
            return Ended(False, f"{seen.name}: release {self.release} is rolled back. {seen.status.message}".rstrip())
        settled = seen.phase is Phase.AWAITING_GIT
        return Ended(True, f"{seen.name}: release {self.release} is rolled back.") if settled else None

    def _meant(self, commit: str) -> bool:
        return not self.commit or commit.lower().startswith(self.commit)

    def _fits(self, outcome: str) -> bool:
        return outcome == ("Promoted" if self.until is Until.PROMOTED else "RolledBack")

    def _stable_already(self, seen: Seen) -> Ended | None:
        """A commit's release may have ended so long ago that the history has forgotten it."""
        stable = seen.status.stable
        if self.commit and stable is not None and seen.phase is Phase.STABLE and self._meant(stable.commit):
            return Ended(self.until is Until.PROMOTED, f"{seen.name}: commit {self.commit} is the stable version.")
        return None
