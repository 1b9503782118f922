"""The operator as a process that dies at the effect that a test names: `python -m lab.mortal ORDERS run --config ...`.

It is the product's own program but for one seam, `canary.operator.reconcile.apply`: before and after each effect the
file ORDERS is read. What it says is done by the process to itself, so the moment is exact:

    {"every": ["before", "after"], "phases": true}      kill -9 at each moment that is not in ORDERS.deaths yet
    {"signal": 19, "when": "before", "effect": "SetWeight", "namespace": "shop", "fields": {"weight": 50}}    once

A moment is `before` or `after`, an effect's name, and, with `phases`, the phase and stage that were decided.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:  # the lab itself, which writes the orders, needs nothing of the operator
    from canary.core.effects import Effect
    from canary.operator.apply import Pass

When: TypeAlias = Literal["before", "after"]
_NONE: Final[dict[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Orders:
    """The file that a test writes and the process reads."""

    file: Path

    @property
    def deaths_file(self) -> Path:
        """One line for each moment at which the process died, in order; it outlives the process."""
        return self.file.with_suffix(".deaths")

    def deaths(self) -> list[str]:
        """The moments at which it died."""
        return self.deaths_file.read_text().splitlines() if self.deaths_file.exists() else []

    @contextlib.contextmanager
    def death_at_every_effect(self, *when: When, phases: bool) -> Iterator[None]:
        """Inside the block, one death at each moment; with `phases`, an effect in another phase is another moment."""
        self.deaths_file.unlink(missing_ok=True)
        self._write({"every": list(when), "phases": phases})
        try:
            yield
        finally:
            self.withdraw()

    def strike_once(self, number: signal.Signals, when: When, effect: str, namespace: str, **fields: object) -> None:
        """Order a signal at the first effect of this name whose fields are these."""
        self._write({"signal": number, "when": when, "effect": effect, "namespace": namespace, "fields": fields})

    def withdraw(self) -> None:
        """Let it live."""
        self.file.unlink(missing_ok=True)

    @property
    def given(self) -> bool:
        """Whether an order stands; one that was for once is withdrawn as it is obeyed."""
        return self.file.exists()

    def read(self) -> dict[str, Any]:
        """What is ordered; empty: nothing."""
        try:
            found: dict[str, Any] = json.loads(self.file.read_text())
        except (FileNotFoundError, ValueError):
            return _NONE
        return found

    def _write(self, order: dict[str, Any]) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(order))
        fresh.replace(self.file)


def obey(orders: Orders, when: When, run: Pass, effect: Effect) -> None:
    """Do to this process what is ordered for this moment."""
    order = orders.read()
    if when in order.get("every", ()):
        moment = f"{when} {type(effect).__name__}" + (f" in {_phase(run)}" if order["phases"] else "")
        if moment not in orders.deaths():
            with orders.deaths_file.open("a") as file:
                file.write(moment + "\n")
            os.kill(os.getpid(), signal.SIGKILL)
    elif (
        order.get("when") == when
        and order["effect"] == type(effect).__name__
        and order["namespace"] == run.seen.named.namespace
        and all(getattr(effect, name) == value for name, value in order["fields"].items())
    ):
        orders.withdraw()
        os.kill(os.getpid(), order["signal"])


def _phase(run: Pass) -> str:
    release = run.state.release
    stage = f"/{release.stage}" if release is not None and release.stage is not None else ""
    return f"{run.state.phase}{stage}"


def main() -> None:
    """Run `canary` with the arguments after the first."""
    from canary.cli.main import main as canary  # noqa: PLC0415 -- see above
    from canary.operator import apply as effects  # noqa: PLC0415 -- as above
    from canary.operator import reconcile  # noqa: PLC0415 -- as above

    orders, done = Orders(Path(sys.argv.pop(1))), effects.apply

    async def apply(run: Pass, effect: Effect) -> None:
        obey(orders, "before", run, effect)
        await done(run, effect)
        obey(orders, "after", run, effect)

    reconcile.apply = apply  # type: ignore[attr-defined]  # the seam: no part of its interface
    canary()


if __name__ == "__main__":
    main()
