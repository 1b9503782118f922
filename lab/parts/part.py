"""What every part of the lab has: a name, a program, a way to tell that it is ready."""

from __future__ import annotations

import os
import socket
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from lab.process import Process

if TYPE_CHECKING:
    from lab.cluster import Lab

_PROJECT: Final = Path(__file__).resolve().parents[2]
_GARBAGE_PERCENT: Final = "400"
"""Go programs let their heap grow to so many percent of what lives before they look for garbage: memory is there, and
the processors are what a lab is short of."""


class Part(ABC):
    """One process of the lab. A part may be stopped and started again; its files and address stay."""

    name: ClassVar[str]
    ready_seconds: ClassVar[float] = 60

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.folder = lab.folder / self.name
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process: Process | None = None

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """The program and its arguments."""

    @abstractmethod
    def ready(self) -> object:
        """True when it serves; an exception counts as not yet."""

    def environment(self) -> dict[str, str]:
        """What is added to this process's environment."""
        return {}

    def prepare(self) -> None:  # noqa: B027 - most parts have nothing to prepare
        """Write what the program reads. Runs once, before the first start."""

    @property
    def process(self) -> Process:
        if self._process is None:
            self.prepare()
            # Those that are modules of this project are found in any folder.
            python_path = os.pathsep.join(filter(None, [str(_PROJECT), os.environ.get("PYTHONPATH")]))
            own = {"HOME": str(self.folder), "PYTHONPATH": python_path, "GOGC": _GARBAGE_PERCENT}
            environment = {**os.environ, **own, **self.environment()}
            log = self.lab.logs / f"{self.name}.log"
            self._process = Process(self.name, self.command(), log, environment, self.folder)
        return self._process

    def launch(self) -> None:
        """Start the program without waiting for it."""
        self.process.start()

    def wait(self) -> None:
        self.process.wait_ready(self.ready, seconds=self.ready_seconds)

    def start(self) -> None:
        """Start the program and wait until it serves."""
        self.launch()
        self.wait()

    def end(self) -> None:
        """End the program for good, without waiting for its manners."""
        if self._process is not None:
            self._process.kill()


def answers(url: str, *, seconds: float = 2) -> bool:
    """Whether the URL answers 2xx."""
    with urllib.request.urlopen(url, timeout=seconds) as response:
        return 200 <= int(response.status) < 300


def listens(address: str, port: int) -> bool:
    with socket.create_connection((address, port), timeout=2):
        return True
