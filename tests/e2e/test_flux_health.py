"""With `wait: true`, Flux calls a held Deployment current by the expressions in deploy/flux/, and so takes the next commit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from canary.api import names
from canary.api.labelling import label
from canary.api.patch import DEPLOYMENT, ObjectRef
from lab import gitops
from lab.cluster import Lab
from tests.e2e.policies_in_force import wait_for_policies
from tests.e2e.writers import Operator, read

pytestmark = pytest.mark.lab
EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "flux" / "kustomization.yaml"


def test_the_next_commit_is_applied_although_the_one_before_is_held(lab: Lab, namespace: str) -> None:
    wait_for_policies(lab, routes=False)
    app = gitops.App(lab, namespace, _files("v1"))
    checks = yaml.safe_load(EXAMPLE.read_text())["spec"]["healthCheckExprs"]
    kustomization = "kustomizations.kustomize.toolkit.fluxcd.io", namespace, f"--namespace={namespace}"
    lab.kubectl("patch", *kustomization, "--type=merge", "-p", yaml.safe_dump({"spec": {"healthCheckExprs": checks}}))
    app.wait_applied(app.repository.head())
    web = ObjectRef(*DEPLOYMENT, namespace, "web")
    operator = Operator(lab, lab.kubeconfig_for(names.OPERATOR_SERVICE_ACCOUNT, names.OPERATOR_NAMESPACE))
    operator.write(label(web, read(lab, web), "web"))
    for tag in ("v2", "v3"):
        commit = app.push(f"web: {tag}", _files(tag))
        # Applied and ready; the timeout of the health check is a minute, so waiting it out would fail here.
        app.wait_applied(commit, seconds=30)
        live: dict[str, Any] = read(lab, web)
        assert live["spec"]["template"]["spec"]["containers"][0]["image"] == f"shop/web:{tag}"
        assert live["spec"]["paused"] is True
        assert names.ANNOTATION_HELD in live["metadata"]["annotations"]


def _files(tag: str) -> dict[str, str]:
    return {"app.yaml": gitops.dump(gitops.deployment("web", tag, replicas=1))}
