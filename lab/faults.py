"""The switchboard: break any part of the lab by name, and mend it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from lab.parts.part import Part
from lab.slow import SlowDoor


class Faults:
    """Each fault stays until it is undone; `lab.faults.mend()` undoes all."""

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self._parts = parts
        self._frozen: set[str] = set()

    def stop(self, name: str) -> None:
        """End the part as its owner would (TERM), and wait until it is gone."""
        self._find(name).process.stop()

    def kill9(self, name: str) -> None:
        """End the part without warning, and wait until it is gone."""
        self._find(name).process.kill()

    def start(self, name: str) -> None:
        """Start the part again with its old files and address, and wait until it serves."""
        self._find(name).start()

    def restart(self, name: str) -> None:
        self.stop(name)
        self.start(name)

    def freeze(self, name: str) -> None:
        """Stop the part's clock (SIGSTOP): connections stay open and nothing answers."""
        self._find(name).process.freeze()
        self._frozen.add(name)

    def thaw(self, name: str) -> None:
        self._find(name).process.thaw()
        self._frozen.discard(name)

    def slow(self, name: str, seconds: float) -> None:
        """Hold back each chunk of the part's answers; 0 ends it. Only parts with a door: prometheus, git."""
        self._door(name).delay_seconds = seconds

    @contextlib.contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        """The part is down inside the block."""
        self.stop(name)
        try:
            yield
        finally:
            self.start(name)

    @contextlib.contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """The part hangs inside the block."""
        self.freeze(name)
        try:
            yield
        finally:
            self.thaw(name)

    def mend(self) -> None:
        """Thaw, quicken and start whatever is not as it should be."""
        for name in sorted(self._frozen):
            self.thaw(name)
        for name, part in self._parts.items():
            door = getattr(part, "door", None)
            if door is not None:
                door.delay_seconds = 0.0
            if not part.process.alive:
                self.start(name)

    def _find(self, name: str) -> Part:
        if name not in self._parts:
            raise LookupError(f"this lab has no part {name!r}; it has {', '.join(sorted(self._parts))}")
        return self._parts[name]

    def _door(self, name: str) -> SlowDoor:
        door: SlowDoor | None = getattr(self._find(name), "door", None)
        if door is None:
            slow = sorted(name for name, part in self._parts.items() if hasattr(part, "door"))
            raise LookupError(f"{name} cannot be made slow; these can: {', '.join(slow)}")
        return door
