"""What must hold of a release at every moment, as rules on two samples that follow each other.

Two, so that what changes between two questions of one sample is no violation. The rules know from the test which
version is stable, which is the candidate, and whether that one is good: the operator has to find that out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from typing_extensions import override

SETTLE_SECONDS: Final = 2.0
"""From a weight that was written to the last answer by an older one: the gateway's time, with room for a busy machine."""
_FORWARD: Final = frozenset({"Pin", "Replace", "Repin", "Return", "Cleanup"})
"""Stages of a promotion that was decided."""
_CONDEMNED: Final = frozenset({"RollingBack", "Reverting", "AwaitingGit"})


@dataclass(frozen=True, slots=True)
class Trial:
    """What the test knows of the release under way."""

    stable: str = "v1"
    """Version that serves before it."""
    candidate: str = ""
    """Version that is tried; empty: none."""
    good: bool = True
    replicas: int = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """One shop at one moment."""

    at: float
    """Seconds since the epoch, when the first question was asked."""
    trial: Trial = Trial()
    phase: str = ""
    stage: str = ""
    attempts: int = 0
    """Releases so far, by the Rollout: a greater number is a newer release."""
    weight: int | None = None
    """The canary's share in percent; None: the route is as Git has it."""
    replica_sets: Mapping[str, int] = field(default_factory=dict)
    """Of the Deployment in Git: pods wanted, by version."""
    pods: Mapping[str, int] = field(default_factory=dict)
    """Of the Deployment in Git, those that do not end: by version."""
    endpoints: int = 1
    """Ready addresses of the root Service."""
    canary_endpoints: int = 0
    """Of these, the canary copy's."""
    answers: Mapping[str, int] = field(default_factory=dict)
    """What clients of the gateway have got so far, by version."""
    inside: Mapping[str, int] = field(default_factory=dict)
    """The same of clients inside the cluster, which ask the root Service."""

    @property
    def decided(self) -> bool:
        """Whether the promotion of the candidate was decided: by the status, or by pods that it can only have then."""
        return self.stage in _FORWARD or self.replica_sets.get(self.trial.candidate, 0) > 0


@dataclass(frozen=True, slots=True)
class Violation:
    """What must never be."""

    namespace: str
    rule: str
    at: float
    detail: str

    @override
    def __str__(self) -> str:
        return f"{self.namespace} at {self.at:.2f}: {self.rule}: {self.detail}"


def never_in_the_deployment_undecided(before: Sample, now: Sample) -> str:
    """A candidate has pods of the Deployment in Git only when it is good and its promotion was decided."""
    wanted = now.replica_sets.get(now.trial.candidate, 0)
    if not wanted or now.trial != before.trial or now.trial.candidate == now.trial.stable:
        return ""
    if not now.trial.good:
        return f"the bad version {now.trial.candidate} has {wanted} pods of the Deployment"
    if now.phase in {"Held", "Starting", "Step", *_CONDEMNED} and before.phase == now.phase:
        return f"{now.trial.candidate} has {wanted} pods of the Deployment in phase {now.phase}"
    return ""


def stable_is_whole(before: Sample, now: Sample) -> str:
    """Pods of stable are there at full size until the candidate is let go."""
    trial = now.trial
    if before.decided or now.decided or trial != before.trial:
        return ""
    if now.pods.get(trial.stable, 0) < trial.replicas and before.pods.get(trial.stable, 0) < trial.replicas:
        return f"{now.pods.get(trial.stable, 0)} pods of {trial.stable} instead of {trial.replicas}"
    return ""


def root_has_no_canary(before: Sample, now: Sample) -> str:
    """Clients of the root Service meet no canary before its promotion is decided."""
    if now.canary_endpoints and before.canary_endpoints and not (before.decided or now.decided):
        return f"{now.canary_endpoints} pods of the canary are endpoints of the root Service in phase {now.phase}"
    return ""


def inside_meets_no_canary(before: Sample, now: Sample) -> str:
    """The same, as those clients see it."""
    trial = now.trial
    if trial != before.trial or before.decided or now.decided or trial.candidate == trial.stable:
        return ""
    more = now.inside.get(trial.candidate, 0) - before.inside.get(trial.candidate, 0)
    return (
        f"clients of the root Service got {more} answers of {trial.candidate} in phase {now.phase}" if more > 0 else ""
    )


def root_has_endpoints(before: Sample, now: Sample) -> str:
    """A Service in use has endpoints."""
    return "the root Service has no endpoint" if not now.endpoints and not before.endpoints else ""


def no_raise_when_condemned(before: Sample, now: Sample) -> str:
    """The weight does not rise once the release was judged bad, until a new one begins."""
    if before.phase in _CONDEMNED and now.attempts == before.attempts and (now.weight or 0) > (before.weight or 0):
        return f"weight {before.weight} became {now.weight} in phase {before.phase}"
    return ""


RULES: Final[tuple[Callable[[Sample, Sample], str], ...]] = (
    never_in_the_deployment_undecided,
    stable_is_whole,
    root_has_no_canary,
    inside_meets_no_canary,
    root_has_endpoints,
    no_raise_when_condemned,
)


@dataclass
class Answers:
    """The rule on clients: at weight 0 the canary answers nobody. It looks back further than one sample."""

    weighted_at: float = float("-inf")
    """When the canary was last seen with a weight, or promoted."""
    answered: int = 0

    def look(self, now: Sample, *, late: bool) -> str:
        """Take a sample; `late` says that the gateway may not have heard of the newest weight."""
        trial = now.trial
        if now.weight or now.decided or late or not trial.candidate or trial.candidate == trial.stable:
            self.weighted_at = now.at
        before, self.answered = self.answered, now.answers.get(trial.candidate, 0)
        # The counts are written four times a second: they may tell of a moment before the sample.
        if self.answered > before and now.at - self.weighted_at > SETTLE_SECONDS:
            return f"{self.answered - before} answers of {trial.candidate} at weight {now.weight}"
        return ""
