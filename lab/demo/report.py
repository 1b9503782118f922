"""What the demo found, as `build/demo/report.json` has it, and whether all of it held."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

REQUIRED_TRAILERS = ("Rollout", "Rollout-Reverts", "Rollout-Report")


@dataclass(slots=True)
class Good:
    """The good commit."""

    promoted: bool = False
    seconds: float = 0.0
    """From the push to the end of the release."""
    failed_requests: int = 0
    weights: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Bad:
    """The bad commit. Times are in seconds; `verdict` is the one that failed the release."""

    rolled_back: bool = False
    seconds_to_verdict: float = 0.0
    """From the first request that the bad version answered."""
    seconds_verdict_to_zero_weight: float = 0.0
    """To the last request that the bad version answered: weight 0 in force at the gateway."""
    seconds_verdict_to_revert_pushed: float = 0.0
    seconds_verdict_to_converged: float = 0.0
    """To the Deployment saying the old version and not being held."""
    requests_served_by_bad: int = 0
    failed_requests: int = 0
    """Those that the app was not told to fail."""
    stable_pods_restarted: int = 0
    revert_commit: str = ""
    revert_trailers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Report:
    """All of it."""

    setup_seconds: float = 0.0
    good: Good = field(default_factory=Good)
    bad: Bad = field(default_factory=Bad)

    def as_json(self) -> dict[str, Any]:
        """The report's file."""
        return asdict(self)

    def problems(self) -> list[str]:
        """What did not hold, a sentence each; none when all of it did."""
        good, bad = self.good, self.bad
        missing = [name for name in REQUIRED_TRAILERS if name not in bad.revert_trailers]
        checks = [
            (good.promoted, "the good commit was not promoted"),
            (good.failed_requests == 0, f"{good.failed_requests} requests failed while the good commit was released"),
            (bad.rolled_back, "the bad commit was not rolled back"),
            (bool(bad.revert_commit), "the bad commit was not reverted in Git"),
            (not missing, f"the revert's message lacks {', '.join(missing)}"),
            (bad.failed_requests == 0, f"{bad.failed_requests} requests failed while the bad commit was rolled back"),
            (bad.stable_pods_restarted == 0, f"{bad.stable_pods_restarted} pods of stable were restarted"),
            (bad.requests_served_by_bad > 0, "no request reached the bad version, so nothing was judged"),
        ]
        return [sentence for held, sentence in checks if not held]
