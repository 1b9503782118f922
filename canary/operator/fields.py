"""How values become fields of a status: bounded texts, and times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

MESSAGE_LENGTH: Final = 2048
"""What the CRD allows a text; the rest is cut, never refused."""


def cut(text: str) -> str:
    """Return the text as far as it fits."""
    return text if len(text) <= MESSAGE_LENGTH else text[: MESSAGE_LENGTH - 1] + "…"


def time_of(seconds: float) -> datetime:
    """Milliseconds, so that what is read back equals what was decided (times of a pass are rounded to them)."""
    return datetime.fromtimestamp(round(seconds, 3), UTC)
