"""How far a search goes: in `make test` seconds, under `--hypothesis-profile=deep` (`make chaos`) minutes."""

from __future__ import annotations

from hypothesis import settings


def deep(examples: int) -> int:
    """Give how many examples to draw where `make test` draws so many."""
    return examples * settings().max_examples // settings.get_profile("default").max_examples
