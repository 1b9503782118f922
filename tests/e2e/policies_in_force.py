"""Policies act some moments after they are created: the API server has to see them, and the schemas that they name."""

from __future__ import annotations

import json
from typing import Any

from canary.api.names import LABEL_ROLLOUT, OPERATOR_USER
from lab import waiting
from lab.cluster import CommandFailed, Lab

_NAMESPACE = "policies-in-force"


def wait_for_policies(lab: Lab, *, routes: bool) -> None:
    """Wait until each policy was seen to change a write that is only a dry run."""
    lab.kubectl("apply", "--server-side", "-f", "-", input=_manifest("Namespace", "v1"))
    labels = {LABEL_ROLLOUT: "probe"}
    template = {"metadata": {"labels": {"app": "probe"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    deployment = {"replicas": 0, "selector": {"matchLabels": {"app": "probe"}}, "template": template}
    service = {"selector": {"app": "probe"}, "ports": [{"port": 80}]}
    route = {"rules": [{"backendRefs": [{"name": "a", "port": 80}]}]}
    lab.kubectl("apply", "--server-side", "-f", "-", input=_manifest("Deployment", "apps/v1", deployment, labels))
    lab.kubectl("apply", "--server-side", "-f", "-", input=_manifest("Service", "v1", service, labels))
    changed = {"spec": {"template": {"metadata": {"labels": {"x": "y"}}}}}
    _wait(lab, "deployment", changed, lambda seen: seen["spec"].get("paused"), user="anybody")
    pinned = {"metadata": {"annotations": {"canary.delivery/pin": "abc"}}}
    _wait(lab, "service", pinned, lambda seen: "pod-template-hash" in seen["spec"]["selector"])
    if routes:
        version = "gateway.networking.k8s.io/v1"
        lab.kubectl("apply", "--server-side", "-f", "-", input=_manifest("HTTPRoute", version, route, labels))
        split = {"metadata": {"annotations": {"canary.delivery/split": "a b 90 10"}}}
        _wait(lab, "httproute", split, lambda seen: len(seen["spec"]["rules"][0]["backendRefs"]) == 2)
    # A labelled Deployment without a Rollout: 20 s later an operator would tell of it, in the middle of some test.
    lab.kubectl("delete", "deployment", "probe", "-n", _NAMESPACE)


def _wait(lab: Lab, resource: str, patch: dict[str, Any], met: Any, user: str = OPERATOR_USER) -> None:
    identity = f"--as={user}", *(() if user == OPERATOR_USER else ("--as-group=system:masters",))

    def look() -> bool:
        body = "--type=merge", "-p", json.dumps(patch), "-o", "json"
        try:
            seen = lab.kubectl("patch", resource, "probe", "-n", _NAMESPACE, *body, "--dry-run=server", *identity)
        except CommandFailed:
            return False  # the schema of the route is not known yet
        return bool(met(json.loads(seen)))

    waiting.until(f"the policy acts on a {resource}", look, seconds=60)


def _manifest(
    kind: str, api_version: str, spec: dict[str, Any] | None = None, labels: dict[str, str] | None = None
) -> str:
    place = {"name": _NAMESPACE} if kind == "Namespace" else {"name": "probe", "namespace": _NAMESPACE}
    body = {"apiVersion": api_version, "kind": kind, "metadata": {**place, "labels": labels or {}}}
    return json.dumps(body if spec is None else {**body, "spec": spec})
