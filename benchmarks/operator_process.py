"""What the operator's process is seen to need and to do: memory, processor, writes; how fast it is back."""

from __future__ import annotations

import json
import os
import re
import time
import urllib.request
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from benchmarks.figures import Figure
from lab import waiting
from lab.namespace import SYSTEM_ADDRESS
from lab.parts.operator import PORT, Operator
from lab.shop.shop import Shop

METRICS: Final = f"http://{SYSTEM_ADDRESS}:{PORT}/metrics"
_SAMPLE: Final = re.compile(r"^(?P<name>\w+)(?:\{(?P<labels>[^}]*)\})? (?P<value>\S+)$", re.MULTILINE)


def metric(name: str, *, without: str = "") -> float:
    """The sum of a metric's samples as the operator's page has them now, but for those whose labels have the text."""
    with urllib.request.urlopen(METRICS, timeout=2) as response:
        text = response.read().decode()
    found = (m for m in _SAMPLE.finditer(text) if m["name"] == name)
    return sum(float(m["value"]) for m in found if not without or without not in (m["labels"] or ""))


def writes() -> float:
    """Write requests so far, besides the Lease's."""
    return metric("canary_api_writes_total", without='kind="Lease"')


def memory_mib(operator: Operator) -> float:
    """Its resident memory."""
    status = Path(f"/proc/{operator.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def processor_seconds(operator: Operator) -> float:
    """Processor time that it has used."""
    fields = Path(f"/proc/{operator.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def at_rest(operator: Operator, shop: Shop, seconds: float) -> list[Figure]:
    """Watch the operator do nothing for so long, with one Rollout that is Stable."""
    waiting.until("no write for 5 s", _quiet(5.0), seconds=60, every_seconds=0.5)
    print(f"  at rest for {seconds:.0f} s", flush=True)
    before, used, began = writes(), processor_seconds(operator), time.monotonic()
    versions = _versions(shop)
    highest = 0.0
    while time.monotonic() - began < seconds:
        highest = max(highest, memory_mib(operator))
        time.sleep(1.0)
    minutes = (time.monotonic() - began) / 60
    changed = sum(a != b for a, b in zip(versions, _versions(shop), strict=True))
    return [
        Figure.at_most("operator at rest, memory", highest, "MiB", 120),
        Figure.exactly(f"operator at rest, API writes in {minutes:.0f} min", writes() - before, "", 0),
        Figure.exactly("operator at rest, objects changed meanwhile", changed, "", 0),
        Figure.seen("operator at rest, processor", 1000 * (processor_seconds(operator) - used) / minutes, "ms/min"),
    ]


def _versions(shop: Shop) -> list[str]:
    """Of the objects that the operator might write: what the API server says, whatever the operator counts."""
    route = shop.lab.get("gateway.networking.k8s.io/v1", "httproutes", "checkout", shop.namespace)
    service = shop.lab.get("v1", "services", "checkout", shop.namespace)
    return [obj["metadata"]["resourceVersion"] for obj in (shop.rollout(), shop.deployment(), service, route)]


class _quiet:  # noqa: N801 - read as a word in the call
    """True once nothing was written for so long."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen = -1.0
        self._since = 0.0

    def __call__(self) -> bool:
        now, count = time.monotonic(), writes()
        if count != self._seen:
            self._seen, self._since = count, now
        return now - self._since >= self._seconds


@dataclass(frozen=True, slots=True)
class Restart:
    """Seconds since the process was started."""

    began: float
    """Seconds since the epoch."""
    started: float
    """Its first line of log: the modules are imported."""
    elected: float
    """It leads."""
    first_look: float
    """The first answer of the metric source was judged."""
    effect: float = 0.0
    """Weight 0 was written."""

    def with_effect(self, at: float) -> Self:
        """The same with the time (since the epoch) at which weight 0 was written."""
        return replace(self, effect=at - self.began)


def restart(operator: Operator) -> Restart:
    """Start the operator after a `kill -9` in mid-release, and see when it is back at work."""
    log = operator.process.log
    size = log.stat().st_size
    began = time.time()
    operator.launch()
    waiting.until(
        "the first look of the judges", lambda: metric("canary_verdicts_total") > 0, seconds=60, every_seconds=0.02
    )
    looked = time.time()
    with log.open() as file:
        file.seek(size)
        told = [json.loads(line) for line in file.read().splitlines() if line.startswith("{")]
    at = {line["event"]: datetime.fromisoformat(line["timestamp"]).timestamp() for line in reversed(told)}
    return Restart(began, at["started"] - began, at["elected"] - began, looked - began)
