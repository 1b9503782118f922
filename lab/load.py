"""Load on the lab: the generator as a process, and what it has counted so far."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from lab import binaries
from lab.process import Process


@dataclass(frozen=True, slots=True)
class Counts:
    """Everything since the load began."""

    requests: int = 0
    injected: int = 0
    """Errors that the app was told to make."""
    failed: int = 0
    """No answer, or an error that the app did not make: what a release must never cause."""
    dropped: int = 0
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By the version that answered: requests, injected, failed, first and last (seconds since the epoch)."""
    failures: list[dict[str, Any]] = field(default_factory=list)
    summary: bool = False

    def of(self, version: str) -> int:
        """How many requests a version answered."""
        return int(self.versions.get(version, {}).get("requests", 0))


class Load:
    """A generator at a constant rate; `with` ends it."""

    def __init__(
        self,
        folder: Path,
        url: str,
        host: str,
        *,
        rate: int = 200,
        seconds: int = 3600,
        name: str = "load",
        fresh: int = 0,
    ) -> None:
        """`fresh`: how many of the 16 clients connect for each request; the others keep their connection."""
        self._out = folder / f"{name}.jsonl"
        self._out.unlink(missing_ok=True)
        command: list[str | Path] = [binaries.find("load"), f"-url={url}", f"-host={host}", f"-rate={rate}"]
        command += [f"-duration={seconds}s", f"-out={self._out}", "-workers=16", f"-fresh={fresh}"]
        self._process = Process(name, command, folder / f"{name}.log", {}, folder)

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> Counts:
        """End the load and give its last counts."""
        self._process.stop()
        return self.counts()

    def counts(self) -> Counts:
        """Read the newest line that is whole."""
        try:
            with self._out.open("rb") as file:
                file.seek(0, 2)
                file.seek(max(0, file.tell() - 262_144))
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            return Counts()
        whole = [line for line in lines[:-1] if line.startswith(b"{")]
        for line in reversed(whole):
            try:
                found = json.loads(line)
            except json.JSONDecodeError:  # the first of the part that was read may begin in its middle
                continue
            return Counts(
                requests=found["requests"],
                injected=found["injected"],
                failed=found["failed"],
                dropped=found["dropped"],
                versions=found["versions"],
                failures=found.get("failures") or [],
                summary=bool(found.get("summary")),
            )
        return Counts()
