"""What readings of all judges share: odds, tolerances and windows in words, and why a metric has no data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, assert_never

from canary.analysis.metric import Compare, Direction
from canary.analysis.verdict import Outcome, Reason

PASS_EVIDENCE: Final = math.log10(20)
"""log10 of E for the candidate at which it passes early: twenty to one. Less than failing takes, because a wrong pass
goes on being watched, and a wrong fail reverts somebody's commit."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a metric has no data that count at present."""

    reason: Reason
    message: str
    since: float
    """Unix seconds of the last time that data came (or of the start)."""


def unless_troubled(said: tuple[Outcome, Reason, str], trouble: Trouble | None) -> tuple[Outcome, Reason, str]:
    """Outcome, reason and why of a judge; or the error, where no data count at present. A fail stays one."""
    if trouble is None or said[0] is Outcome.FAIL:
        return said
    return Outcome.ERROR, trouble.reason, trouble.message


def odds(evidence_log10: float) -> str:
    """Evidence as people say it.

    >>> odds(2.31), odds(-1.0), odds(40.0)
    ('204 to 1', '1 to 10', 'more than a million to 1')
    """
    if evidence_log10 > 6:
        return "more than a million to 1"
    if evidence_log10 < -6:
        return "1 to more than a million"
    return f"{10**evidence_log10:,.0f} to 1" if evidence_log10 >= 0 else f"1 to {10**-evidence_log10:,.0f}"


def beyond(judge: Compare) -> str:
    """What is not tolerated, as the end of a sentence."""
    above, below = f"above {judge.tolerated_ratio:g} times stable's", f"below stable's over {judge.tolerated_ratio:g}"
    match judge.direction:
        case Direction.INCREASE:
            return above
        case Direction.DECREASE:
            return below
        case Direction.EITHER:
            return f"{above} or {below}"
        case _:
            assert_never(judge.direction)


def within(judge: Compare) -> str:
    """What is tolerated, as the end of a sentence."""
    match judge.direction:
        case Direction.INCREASE:
            return f"within {judge.tolerated_ratio:g} times stable's"
        case Direction.DECREASE:
            return f"no less than stable's over {judge.tolerated_ratio:g}"
        case Direction.EITHER:
            return f"between stable's over {judge.tolerated_ratio:g} and {judge.tolerated_ratio:g} times stable's"
        case _:
            assert_never(judge.direction)


def span_text(seconds: float) -> str:
    """A window as it is written in a template.

    >>> span_text(3600), span_text(300), span_text(45)
    ('1h', '5m', '45s')
    """
    for size, unit in ((3600, "h"), (60, "m")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"
