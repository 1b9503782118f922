"""Orders to die: obeyed at the moment that was named, once, and by a process that really ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from lab.mortal import Orders

_PROGRAM = """
import sys
from pathlib import Path
from types import SimpleNamespace
from canary.core.effects import DeleteCopy, SetWeight
from canary.core.phases import Phase
from lab.mortal import Orders, obey

orders = Orders(Path(sys.argv[1]))
run = SimpleNamespace(
    state=SimpleNamespace(phase=Phase.STEP, release=None),
    seen=SimpleNamespace(named=SimpleNamespace(namespace="shop")),
)
for effect in (SetWeight(10, None), SetWeight(50, None), DeleteCopy()):
    obey(orders, "before", run, effect)
    obey(orders, "after", run, effect)
print("lived")
"""


def _lives(orders: Orders) -> int:
    """Run a process that obeys; 0 when it lived, else minus the signal."""
    done = subprocess.run([sys.executable, "-c", _PROGRAM, orders.file], check=False, timeout=60, capture_output=True)
    assert (done.stdout == b"lived\n") == (done.returncode == 0), done.stderr
    return done.returncode


def test_a_process_dies_once_at_every_effect_and_then_lives(tmp_path: Path) -> None:
    orders = Orders(tmp_path / "orders")
    with orders.death_at_every_effect("before", "after", phases=True):
        ends = [_lives(orders) for _ in range(5)]
    assert ends == [-signal.SIGKILL] * 4 + [0]
    assert orders.deaths() == [
        "before SetWeight in Step",
        "after SetWeight in Step",
        "before DeleteCopy in Step",
        "after DeleteCopy in Step",
    ]


def test_without_phases_an_effect_is_met_once_in_whatever_phase(tmp_path: Path) -> None:
    orders = Orders(tmp_path / "orders")
    with orders.death_at_every_effect("after", phases=False):
        assert [_lives(orders) for _ in range(3)] == [-signal.SIGKILL] * 2 + [0]
    assert orders.deaths() == ["after SetWeight", "after DeleteCopy"]


def test_an_order_for_once_names_the_effect_and_its_fields(tmp_path: Path) -> None:
    orders = Orders(tmp_path / "orders")
    orders.strike_once(signal.SIGKILL, "after", "SetWeight", "shop", weight=50)
    assert (orders.given, _lives(orders), orders.given, _lives(orders)) == (True, -signal.SIGKILL, False, 0)
    for namespace, weight in (("other", 50), ("shop", 77)):
        orders.strike_once(signal.SIGKILL, "after", "SetWeight", namespace, weight=weight)
        assert _lives(orders) == 0


def test_a_process_without_orders_lives(tmp_path: Path) -> None:
    orders = Orders(tmp_path / "orders")
    with orders.death_at_every_effect("before", phases=False):
        assert orders.given
    assert _lives(orders) == 0
