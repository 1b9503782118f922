"""The phases of a Rollout and the stages of its promotion, and what can still be taken back in them."""

from __future__ import annotations

from canary.api.phases import Phase, Stage

__all__ = ["POINT_OF_NO_RETURN", "REPLACED", "Phase", "Stage"]

POINT_OF_NO_RETURN: frozenset[Stage] = frozenset({Stage.REPLACE, Stage.REPIN, Stage.RETURN, Stage.CLEANUP})
"""Stages in which stable pods of the old template may be gone, so that traffic cannot go back to them at once."""
REPLACED: frozenset[Stage] = POINT_OF_NO_RETURN - {Stage.REPLACE}
"""Stages in which the Deployment runs the new version: before them a roll can still be taken back."""
