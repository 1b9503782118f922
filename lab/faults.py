"""The switchboard: break any part of the lab by name, and mend it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Mapping

from lab import waiting
from lab.node.processes import Process as Container
from lab.node.records import Records
from lab.parts.gateway import Envoy
from lab.parts.part import Part
from lab.slow import SlowDoor

_LOOK_SECONDS = 0.05


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
        """Start the part again with its old files and address, and wait until it serves.

        One that ends because it needs another, which is down, is started again and again, as by a kubelet.
        """
        part = self._find(name)

        def begin() -> bool:
            part.start()
            return True

        waiting.until(f"{name} to serve again", begin, seconds=90, every_seconds=0.5)

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

    def kill9_pod(self, uid: str) -> int:
        """`kill -9` each container of a pod, as a node out of memory does; give how many there were."""
        records = Records(self._find("node").folder)
        pod = records.read_all()[uid]
        running = [
            Container.adopt(records.attempt_dir(uid, name, container.attempt))
            for name, container in pod.containers.items()
        ]
        found = [container for container in running if container is not None and container.ref.alive()]
        for container in found:
            container.signal(signal.SIGKILL)
        return len(found)

    def drain(self, name: str) -> None:
        """Take an Envoy out of service as a node's drain does: no new connections, the kept ones ended, then the end."""
        part = self._find(name)
        if not isinstance(part, Envoy):
            raise TypeError(f"{name} cannot be drained; Envoys can")
        part.drain()
        part.process.stop()

    @contextlib.contextmanager
    def kept(self, name: str) -> Iterator[None]:
        """Inside the block the part is started again whenever it has died, as a kubelet does."""
        part, over = self._find(name), threading.Event()

        def keep() -> None:
            while not over.wait(_LOOK_SECONDS):
                part.launch()  # nothing while it runs

        keeper = threading.Thread(target=keep, name=f"keeper of {name}", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            over.set()
            keeper.join()
            self.start(name)

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
