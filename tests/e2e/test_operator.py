"""The operator as a process: away for a while, at rest, and asked to stop. What happens when it is killed in mid-release
is in test_faults.py."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path

import pytest

from lab import waiting
from lab.cluster import Lab
from lab.namespace import SYSTEM_ADDRESS
from lab.parts.operator import NAMESPACE, PORT, Operator
from tests.e2e.shops import QuickShop, Shops

pytestmark = pytest.mark.lab
AT_REST_SECONDS = 12.0
MEMORY_MIB = 160
"""A fence far above the figure of the benchmarks; the size of one Python process varies by its allocator."""


def say(text: str) -> None:
    """A figure for whoever reads the run (pytest -rP); only the bound below it is claimed."""
    print(text)  # noqa: T201 - see above


def holder(lab: Lab) -> str:
    """Who holds the operator's Lease."""
    return str(lab.get("coordination.k8s.io/v1", "leases", "canary", NAMESPACE)["spec"].get("holderIdentity") or "")


def writes() -> dict[str, float]:
    """The operator's own count of its write requests, by kind and verb."""
    with urllib.request.urlopen(f"http://{SYSTEM_ADDRESS}:{PORT}/metrics", timeout=5) as response:
        lines = response.read().decode().splitlines()
    found = [line.rpartition(" ") for line in lines if line.startswith("canary_api_writes_total{")]
    return {name: float(value) for name, _, value in found}


def versions(shop: QuickShop) -> dict[str, str]:
    """The resourceVersion of everything that the operator may write in a namespace."""
    paths = (
        "apis/canary.delivery/v1alpha1 rollouts",
        "apis/apps/v1 deployments",
        "api/v1 services",
        "api/v1 configmaps",
        "api/v1 events",
        "apis/gateway.networking.k8s.io/v1 httproutes",
    )
    return {
        f"{path} {item['metadata']['name']}": item["metadata"]["resourceVersion"]
        for path in paths
        for item in shop.items(path)
    }


def test_what_came_while_the_operator_was_away_is_begun_at_once_when_it_is_back(
    lab: Lab, operator: Operator, shops: Shops
) -> None:
    shop = shops.open("back", steps=((5, "60s", "90s"),))
    lab.faults.kill9("operator")
    shop.push("v2", version="v2")
    shop.wait("the hold", shop.held)
    began = time.monotonic()
    operator.launch()
    waiting.until("a canary copy", shop.copy, seconds=30)
    seconds = time.monotonic() - began
    say(f"from the start of the process to the canary copy: {seconds:.2f} s")
    operator.wait()
    assert seconds < 10


def test_at_rest_the_operator_writes_nothing_but_its_lease(lab: Lab, operator: Operator, shops: Shops) -> None:
    shops.close()  # the releases of the tests before
    shop = shops.open("rest")
    shop.wait(
        "stable's commit, which Flux writes down after it has applied it", lambda: shop.status()["stable"]["commit"]
    )
    shop.wait("the operator to come to rest", lambda: _unchanged(shop, 3.0), seconds=60)
    before, counted = versions(shop), writes()
    time.sleep(AT_REST_SECONDS)  # not for luck: what is claimed is that nothing happens meanwhile
    after = {name: value - counted.get(name, 0.0) for name, value in writes().items()}
    assert versions(shop) == before
    written = {name for name, count in after.items() if count}
    assert written == {'canary_api_writes_total{kind="Lease",verb="put"}'}, operator.process.tail(30)
    status = Path(f"/proc/{operator.process.pid}/status").read_text()
    memory = int(status.split("VmRSS:")[1].split()[0]) / 1024
    say(f"resident memory at rest: {memory:.0f} MiB")
    assert memory < MEMORY_MIB


def _unchanged(shop: QuickShop, seconds: float) -> bool:
    before = versions(shop)
    time.sleep(seconds)
    return versions(shop) == before


def test_a_graceful_stop_gives_the_lease_back_and_a_kill_does_not_keep_the_same_operator_out(
    lab: Lab, operator: Operator
) -> None:
    waiting.until("the Lease", lambda: holder(lab) == "lab")
    lab.faults.kill9("operator")
    assert holder(lab) == "lab"
    operator.start()
    waiting.until("the operator to lead again", _leads, seconds=5)
    operator.process.stop()
    assert holder(lab) == ""
    operator.start()
    waiting.until("the Lease", lambda: holder(lab) == "lab")


def _leads() -> bool:
    with urllib.request.urlopen(f"http://{SYSTEM_ADDRESS}:{PORT}/metrics", timeout=5) as response:
        return "canary_leader 1.0" in response.read().decode()
