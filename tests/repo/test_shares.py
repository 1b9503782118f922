"""The labs of the end-to-end tests."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.shares import SECONDS, dealt

MODULES = {file.stem for file in (Path(__file__).resolve().parents[1] / "e2e").glob("test_*.py")}


def test_each_module_runs_in_one_lab() -> None:
    shares = dealt(MODULES, 2)
    assert shares[0] | shares[1] == MODULES
    assert not shares[0] & shares[1]


def test_the_long_ones_are_dealt_out_evenly_whatever_else_is_chosen() -> None:
    sums = [sum(SECONDS[module] for module in share) for share in dealt(set(SECONDS), 2)]
    assert max(sums) - min(sums) <= min(SECONDS.values())


def test_every_module_that_is_called_long_is_there() -> None:
    assert set(SECONDS) <= MODULES
