"""Text put together of what others found out: judges, kubelets, gateways and Git end their words as they like."""

from __future__ import annotations

from typing import Final

_ENDS: Final = (".", "!", "?", "…")


def sentences(*parts: str) -> str:
    """Join parts into text, each ended by a full stop unless it ends by itself; empty ones are left out."""
    return " ".join(part if part.endswith(_ENDS) else f"{part}." for part in map(str.strip, parts) if part)
