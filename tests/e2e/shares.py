"""Which modules run in which lab."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

SECONDS = {
    "test_exact_moments": 170,
    "test_faults": 150,
    "test_two_operators": 130,
    "test_fallback": 90,
    "test_policies": 70,
    "test_operator": 60,
    "test_uninstall": 55,
    "test_lab": 55,
    "test_route_policy": 45,
    "test_hold": 45,
    "test_cli": 40,
}
"""How long the longest take, measured (`pytest --durations=0`). A module that is not named is short."""
SHORT_SECONDS = 20


def dealt(modules: AbstractSet[str], shares: int) -> list[set[str]]:
    """Deal modules out, the longest first, each to the share that has the least to do. Every module is in one."""
    dealt_out: list[set[str]] = [set() for _ in range(shares)]
    for module in sorted(modules, key=lambda name: (-_seconds(name), name)):
        min(dealt_out, key=lambda share: sum(map(_seconds, share))).add(module)
    return dealt_out


def _seconds(module: str) -> int:
    return SECONDS.get(module, SHORT_SECONDS)
