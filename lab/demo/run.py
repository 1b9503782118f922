"""The demo, in order: an app in Git, clients, a good commit, a bad commit."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from lab import namespace, waiting
from lab.cluster import GROUPS, Lab
from lab.demo.report import Report
from lab.demo.show import Show
from lab.demo.timeline import Timeline, pushed_at
from lab.load import Load
from lab.parts.operator import Operator
from lab.shop.files import App
from lab.shop.shop import Shop

RATE = 200
REPORT = Path("build/demo/report.json")


def run(*, keep: bool, began: float) -> int:
    """Run all of it inside the lab's namespace; 0 when everything held."""
    show, report = Show(), Report()
    show.say("Starting etcd, the API server, Contour and Envoy, Prometheus, a Git server and Flux")
    with Lab.start(set(GROUPS) - {"services"}) as lab:
        operator = Operator(lab)
        lab.parts["operator"] = operator
        operator.start()
        shop = Shop(lab, App())
        show.say("Putting the app, its Rollout and its route into Git; Flux applies them")
        shop.install()
        shop.wait_for_phase("Stable", seconds=120)
        waiting.until("three pods", lambda: shop.deployment()["status"].get("readyReplicas") == 3, seconds=60)
        waiting.until("an answer through the gateway", shop.served, seconds=60)
        with shop.load(RATE) as clients:
            waiting.until("first answers", lambda: clients.counts().of("v1") > RATE, seconds=60)
            report.setup_seconds = round(time.time() - began, 1)
            show.say(f"Ready after {report.setup_seconds:.0f} s; {RATE} requests a second go through the gateway")
            _good(shop, clients, show, report)
            _bad(shop, clients, show, report)
        _write(report, show)
        problems = report.problems()
        for problem in problems:
            show.console.print(f"[bold red]did not hold:[/] {problem}")
        if problems:
            show.console.print(operator.process.tail(), markup=False)
        if keep:
            _keep(lab, show)
        return 1 if problems else 0


def _good(shop: Shop, clients: Load, show: Show, report: Report) -> None:
    failed, began, attempts = clients.counts().failed, time.time(), shop.attempts()
    commit = shop.push("checkout v2: faster totals", version="v2")
    show.say(f"[bold green]A good commit[/] {commit[:10]} is pushed: checkout v2")
    timeline, status = _watched(shop, clients, show, attempts)
    report.good.seconds = round(time.time() - began, 1)
    report.good.promoted = bool(status.get("history")) and status["history"][0]["outcome"] == "Promoted"
    report.good.failed_requests = clients.counts().failed - failed
    report.good.weights = timeline.weights
    show.say(f"Promoted after {report.good.seconds:.0f} s over {timeline.weights} %")


def _watched(shop: Shop, clients: Load, show: Show, attempts: int) -> tuple[Timeline, dict[str, Any]]:
    """Show a release until v2 serves, promoted or again; give what was seen, and the status at the end."""
    with show, Timeline(shop, clients, show.look) as timeline:
        try:
            return timeline, shop.wait_for_release("shop/checkout:v2", attempts=attempts)
        except waiting.NotInTime as error:
            show.say(f"[red]{error}[/]")
            return timeline, shop.status()


def _bad(shop: Shop, clients: Load, show: Show, report: Report) -> None:
    bad, failed = report.bad, clients.counts().failed
    attempts = shop.attempts()
    before = {pod.uid: pod.restarts for pod in shop.pods()}
    commit = shop.push("checkout v3: new discount engine", version="v3", error_ratio=0.06)
    show.say(f"[bold red]A bad commit[/] {commit[:10]} is pushed: checkout v3 fails 5 % more of its requests")
    timeline, status = _watched(shop, clients, show, attempts)
    counts = clients.counts()
    after = {pod.uid: pod.restarts for pod in shop.pods()}
    seen = counts.versions.get("v3", {})
    bad.rolled_back = bool(status.get("history")) and status["history"][0]["outcome"] == "RolledBack"
    bad.requests_served_by_bad = counts.of("v3")
    bad.failed_requests = counts.failed - failed
    bad.stable_pods_restarted = sum(1 for uid, restarts in before.items() if after.get(uid) != restarts)
    head = shop.repository.head()
    verdict = timeline.verdict_at
    if verdict is not None and seen:
        bad.seconds_to_verdict = round(verdict - seen["first"], 2)
        bad.seconds_verdict_to_zero_weight = round(max(0.0, seen["last"] - verdict), 3)
    if verdict is not None and head != commit:
        bad.revert_commit = head
        bad.revert_trailers = shop.trailers(head)
        bad.seconds_verdict_to_revert_pushed = round(pushed_at(shop) - verdict, 2)
        bad.seconds_verdict_to_converged = round(timeline.converged.get("shop/checkout:v2", 0.0) - verdict, 2)
        show.say("The revert, as it stands in Git:")
        show.console.print(shop.repository.log("-1", "--stat", "--format=%h %an <%ae>%n%n%B"), markup=False)


def _write(report: Report, show: Show) -> None:
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(report.as_json(), indent=2) + "\n")
    good, bad = report.good, report.bad
    show.console.print()
    for name, value in (
        ("good commit", f"promoted after {good.seconds:.0f} s; failed requests {good.failed_requests}"),
        (
            "bad commit",
            f"caught {bad.seconds_to_verdict:.1f} s after its first request, of which it served {bad.requests_served_by_bad}",
        ),
        ("weight 0", f"in force at the gateway {bad.seconds_verdict_to_zero_weight:.2f} s after the verdict"),
        ("revert", f"pushed {bad.seconds_verdict_to_revert_pushed:.1f} s after the verdict: {bad.revert_commit[:10]}"),
        ("converged", f"{bad.seconds_verdict_to_converged:.1f} s after the verdict"),
        ("failed requests", f"{bad.failed_requests} that the app was not told to fail"),
        ("stable's pods", f"{bad.stable_pods_restarted} restarted"),
    ):
        show.console.print(f"  {name:16} {value}")
    show.console.print(f"\n  {REPORT}")


def _keep(lab: Lab, show: Show) -> None:
    from lab.__main__ import describe  # noqa: PLC0415 - the command imports this module

    show.console.print("\nIt stays up. To look at it:", markup=False)
    show.console.print(describe(lab.folder, lab.kubeconfig_outside()), markup=False)
    show.console.print("  .venv/bin/canary get -A    .venv/bin/canary status checkout -n shop", markup=False)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        return


def main(*, keep: bool) -> int:
    """Run the demo, entering the lab's namespace first when outside of it."""
    began = float(os.environ.setdefault("CANARY_DEMO_STARTED", str(time.time())))
    if namespace.inside():
        return run(keep=keep, began=began)
    from lab import binaries  # noqa: PLC0415 - only outside, where there is a network to build from

    binaries.build_all([])
    return namespace.run([sys.executable, "-m", "lab", "demo", *(["--keep"] if keep else [])])
