"""The real API server takes the CRDs, takes what is good, and refuses what is bad with our sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lab import waiting
from lab.cluster import ApiRefused, CommandFailed, Lab
from tests.unit.api.documents import (
    BAD,
    CLUSTER_TEMPLATE,
    GOOD,
    SMALLEST,
    TEMPLATE,
    Document,
    changed,
    not_served_documents,
)

pytestmark = pytest.mark.lab
PROJECT = Path(__file__).resolve().parents[2]

NOT_SERVED = not_served_documents()
PLURALS = {
    "Rollout": "rollouts",
    "AnalysisTemplate": "analysistemplates",
    "ClusterAnalysisTemplate": "clusteranalysistemplates",
}


def try_out(lab: Lab, document: Document, namespace: str) -> str:
    """What a strict dry-run of the creation is answered with; empty when it would be created."""
    place = "" if document["kind"].startswith("Cluster") else f"/namespaces/{namespace}"
    metadata = {key: value for key, value in document["metadata"].items() if key != "namespace"}
    try:
        lab.api(
            "POST",
            f"/apis/canary.delivery/v1alpha1{place}/{PLURALS[document['kind']]}?dryRun=All&fieldValidation=Strict",
            {**document, "metadata": metadata},
        )
    except ApiRefused as refused:
        return str(refused).replace("\\u003c", "<").replace("\\u003e", ">").replace('\\"', '"')
    return ""


@pytest.mark.parametrize("name", GOOD)
def test_a_good_document_is_taken(lab: Lab, name):
    assert try_out(lab, GOOD[name], "default") == ""


@pytest.mark.parametrize("name", BAD)
def test_a_bad_document_is_refused_with_the_reason(lab: Lab, name):
    bad = BAD[name]
    assert (bad.said_by_server or bad.said) in try_out(lab, bad.document, "default")


@pytest.mark.parametrize("name", NOT_SERVED)
def test_what_is_not_served_is_refused_with_the_parsers_sentence(lab: Lab, name):
    bad = NOT_SERVED[name]
    assert bad.said in try_out(lab, bad.document, "default")


def test_a_misspelt_field_is_refused_in_a_server_side_apply_without_strict_checking_as_flux_does_it(lab: Lab):
    misspelt = changed(SMALLEST, {"metadata.namespace": "default", "spec.progresDeadline": "1m"})
    with pytest.raises(CommandFailed, match=r"progresDeadline: field not declared in schema"):
        lab.kubectl(
            "apply", "--server-side", "--validate=false", "--dry-run=server", "-f", "-", input=yaml.dump(misspelt)
        )


def test_the_dearest_document_that_the_schema_allows_is_within_the_cost_of_its_rules(lab: Lab):
    steps = [{"weight": weight, "atLeast": "1h59m59s", "atMost": "167h59m59s"} for weight in range(1, 17)]
    rollout = {**SMALLEST, "spec": {**SMALLEST["spec"], "strategy": {"canary": {"steps": steps, "bake": "167h59m59s"}}}}
    metric = TEMPLATE["spec"]["metrics"][1]
    metrics = [{**metric, "name": f"metric-{number}"} for number in range(16)]
    template = {**CLUSTER_TEMPLATE, "spec": {**CLUSTER_TEMPLATE["spec"], "metrics": metrics}}
    assert (try_out(lab, rollout, "default"), try_out(lab, template, "default")) == ("", "")


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("rollout.spec.analysis.onInconclusive", "Absent: hold"),
        ("rollout.spec.strategy.canary.steps.weight", "1 to 99"),
        ("analysistemplate.spec.metrics.counter.bad", "no function"),
        ("rollout.status.phase", "Where the Rollout is"),
    ],
)
def test_kubectl_explains_a_field(lab: Lab, field, said):
    def explained() -> bool:
        try:
            return said in " ".join(lab.kubectl("explain", "--api-version=canary.delivery/v1alpha1", field).split())
        except CommandFailed:
            return False  # the server publishes a new CRD's texts some moments later

    waiting.until(f"kubectl explain {field} tells {said!r}", explained)


def test_get_shows_phase_weight_and_message_and_status_is_a_subresource(lab: Lab, made_namespace: str):
    place = f"/apis/canary.delivery/v1alpha1/namespaces/{made_namespace}/rollouts"
    metadata = {"name": "checkout"}
    lab.api("POST", place, {**SMALLEST, "metadata": metadata, "status": {"phase": "Held"}})
    assert "status" not in lab.get("canary.delivery/v1alpha1", "rollouts", "checkout", made_namespace)
    status = {
        "phase": "Step",
        "step": 1,
        "weight": 10,
        "message": "watched at 10 %",
        "stable": {"templateHash": "x", "images": ["shop:1"]},
        "conditions": [
            {
                "type": "Ready",
                "status": "False",
                "reason": "Progressing",
                "lastTransitionTime": "2026-01-01T00:00:00.5Z",
            }
        ],
    }
    lab.api("PATCH", f"{place}/checkout/status", {"status": status}, content_type="application/merge-patch+json")
    wide = lab.kubectl("get", "cro", "--namespace", made_namespace, "-o", "wide")
    heads, row = (line.split() for line in wide.splitlines())
    assert heads == ["NAME", "READY", "PHASE", "STEP", "WEIGHT", "AGE", "MESSAGE", "STABLE", "CANDIDATE"]
    assert row[:5] == ["checkout", "False", "Step", "1", "10"]
    assert "watched at 10 %" in wide
    assert "shop:1" in wide
    assert "checkout" in lab.kubectl("get", "canary", "--namespace", made_namespace)


def test_the_overlay_that_the_readme_installs_is_taken_in_one_go(lab: Lab):
    folder = PROJECT / "deploy" / "overlays" / "contour"
    said = lab.kubectl("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-k", folder)
    assert "clusteranalysistemplate.canary.delivery/default serverside-applied (server dry run)" in said
    assert "deployment.apps/canary serverside-applied (server dry run)" in said
