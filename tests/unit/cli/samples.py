"""Rollouts in each state that people meet, as an operator writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 11, 21, 10, 32, 0, tzinfo=UTC)

STABLE = {
    "templateHash": "1f3a5b7c9d",
    "versionHash": "aa11",
    "images": ["registry.example:5000/shop/checkout:v1.4.2", "registry.example:5000/infra/proxy:2.1"],
    "commit": "4be1c0ffee4be1c0ffee4be1c0ffee4be1c0ffee",
    "author": "Ada Example",
}
CANDIDATE = {
    "templateHash": "7c9d0e1f2a",
    "versionHash": "bb22",
    "images": ["registry.example:5000/shop/checkout:v1.5.0", "registry.example:5000/infra/proxy:2.1"],
    "commit": "0badf00d0badf00d0badf00d0badf00d0badf00d",
    "author": "The shop's team",
}
RELEASE_ID = "7c9d0e1f2a-3"


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(kind: str, status: str, reason: str, since: float = 90) -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": "", "lastTransitionTime": ago(since)}


PROGRESSING = [condition("Ready", "False", "Progressing"), condition("Reconciling", "True", "Progressing")]


def rollout(
    name: str = "checkout",
    namespace: str = "shop",
    *,
    steps: list[dict[str, Any]] | None = None,
    annotations: dict[str, str] | None = None,
    spec: dict[str, Any] | None = None,
    **status: Any,
) -> dict[str, Any]:
    steps = steps or [
        {"weight": 1, "atLeast": "30s", "atMost": "5m"},
        {"weight": 10, "atLeast": "1m", "atMost": "10m"},
        {"weight": 50, "atLeast": "1m", "atMost": "10m"},
        {"approval": {}},
    ]
    return {
        "apiVersion": "canary.delivery/v1alpha1",
        "kind": "Rollout",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "generation": 1,
            "creationTimestamp": ago(12 * 86400),
            "annotations": annotations or {},
            "managedFields": [{"manager": "kustomize-controller"}],
        },
        "spec": spec
        or {
            "workload": {"name": name},
            "service": {"name": name, "port": 80},
            "traffic": {"gatewayAPI": {"route": {"name": name}}},
            "strategy": {"canary": {"steps": steps, "bake": "10m"}},
        },
        "status": {"observedGeneration": 1, "steps": len(steps), **status},
    }


def release(**more: Any) -> dict[str, Any]:
    return {
        "id": RELEASE_ID,
        "startedAt": ago(150),
        "attempt": 3,
        "stepStartedAt": ago(42),
        "analysisSince": ago(120),
        **more,
    }


def stable(name: str = "checkout", namespace: str = "shop", **more: Any) -> dict[str, Any]:
    status: dict[str, Any] = {
        "phase": "Stable",
        "message": "The stable version serves everybody.",
        "stable": STABLE,
        "conditions": [condition("Ready", "True", "Released", 86400)],
        "history": [past("7c9d0e1f2a-2", "Promoted", commit=STABLE["commit"])],
    }
    return rollout(name, namespace, **{**status, **more})


def past(identity: str, outcome: str, **more: Any) -> dict[str, Any]:
    return {"id": identity, "outcome": outcome, "startedAt": ago(9000), "endedAt": ago(8000), **more}


def in_step(index: int = 1, weight: int = 10, **more: Any) -> dict[str, Any]:
    status: dict[str, Any] = {
        "phase": "Step",
        "step": index,
        "reason": "Watching",
        "message": f"{weight} % of the traffic goes to the canary (step {index + 1} of 4).",
        "weight": weight,
        "weightWanted": weight,
        "stable": STABLE,
        "candidate": CANDIDATE,
        "release": release(step=index),
        "conditions": PROGRESSING,
        "report": {
            "verdict": "inconclusive",
            "at": ago(8),
            "message": "Both sides were measured; the evidence does not decide yet.",
            "metrics": [
                {
                    "name": "http-health/errors",
                    "verdict": "inconclusive",
                    "message": "canary 4 of 1,203 requests bad (0.33 %), stable 31 of 10,911 (0.28 %); "
                    "evidence against 1.2, fails at 100",
                },
                {"name": "http-health/latency", "verdict": "pass", "message": "as fast as stable; evidence for 140"},
            ],
        },
    }
    annotations = more.pop("annotations", None)
    return rollout(annotations=annotations, **{**status, **more})


def awaiting_approval(**more: Any) -> dict[str, Any]:
    return in_step(
        3, 50, **{"reason": "AwaitingApproval", "message": "Waits for `canary approve` (step 4 of 4).", **more}
    )


def promoting(stage: str, **more: Any) -> dict[str, Any]:
    return in_step(3, 100, **{"phase": "Promoting", "promotion": stage, "step": None, "message": "Promoting.", **more})


def awaiting_git(**more: Any) -> dict[str, Any]:
    text = (
        "http-health/errors: canary 57 of 1,140 requests bad (5.0 %), stable 11 of 21,660 (0.05 %); evidence "
        "against 41,000, fails at 100. Look at the canary's logs of the last 2 minutes."
    )
    return rollout(
        **{
            "phase": "AwaitingGit",
            "reason": "AwaitingGit",
            "message": "Rolled back and reverted; waits until the GitOps engine applies the revert.",
            "weight": 0,
            "weightWanted": 0,
            "stable": STABLE,
            "candidate": CANDIDATE,
            "release": release(step=1, verdictAt=ago(20), verdictReason="AnalysisFailed", report=text),
            "report": {
                "verdict": "fail",
                "at": ago(20),
                "message": text,
                "metrics": [{"name": "http-health/errors", "verdict": "fail", "message": text}],
            },
            "revert": {
                "key": "shop@main",
                "commit": "feedc0defeedc0defeedc0defeedc0defeedc0de",
                "culprits": [CANDIDATE["commit"]],
                "reason": "Reverted",
                "message": "Reverted in one commit, pushed to main.",
                "at": ago(17),
            },
            "rejected": [
                {"versionHash": "bb22", "templateHash": "7c9d0e1f2a", "at": ago(20), "reason": "AnalysisFailed"}
            ],
            "conditions": [condition("Ready", "False", "AwaitingGit"), condition("Reconciling", "True", "AwaitingGit")],
            **more,
        }
    )


def refused() -> dict[str, Any]:
    return rollout(
        phase="Held",
        reason="Rejected",
        stalled=True,
        message="This version was rolled back before and is refused: push another, or `canary retry` to try it again.",
        stable=STABLE,
        candidate=CANDIDATE,
        release={"id": "7c9d0e1f2a-4", "startedAt": ago(60), "attempt": 4, "blocked": "Rejected"},
        conditions=[condition("Ready", "False", "Rejected"), condition("Stalled", "True", "Rejected")],
    )
