"""What deploy/ installs says the names of canary/api/names.py, and asks for no more rights than it must."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from canary.api import names
from canary.api.rollout import DEFAULT_TEMPLATE
from canary.workload.rejected import HOLD_PREFIX

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
BASE = DEPLOY / "base"
POLICIES = sorted((BASE / "policies").glob("*.yaml"))
FIRST_SIGHT = BASE / "policies" / "first-sight.yaml"
MUTATING = [path for path in POLICIES if "kind: MutatingAdmissionPolicy\n" in path.read_text()]


def _documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def _rules() -> list[dict[str, Any]]:
    return [rule for role in _documents(BASE / "rbac.yaml") for rule in role.get("rules", [])]


def test_every_file_is_installed():
    listed = set(yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"])
    there = {str(path.relative_to(BASE)) for path in BASE.rglob("*.yaml")} - {"kustomization.yaml"}
    assert there == listed


@pytest.mark.parametrize("path", MUTATING, ids=lambda path: path.stem)
def test_a_policy_believes_the_operator_and_the_break_glass_group_and_nobody_else(path):
    text = path.read_text()
    assert set(re.findall(r"userInfo\.username == '([^']+)'", text)) == {names.OPERATOR_USER}
    assert set(re.findall(r"'([^']+)' in request\.userInfo\.groups", text)) == {names.BREAK_GLASS_GROUP}


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_a_policy_names_only_annotations_and_labels_that_canary_knows(path):
    known = {value for name, value in vars(names).items() if name.startswith(("LABEL_", "ANNOTATION_"))}
    assert set(re.findall(r"canary\.delivery/[a-z-]+", path.read_text())) <= known


@pytest.mark.parametrize("path", [p for p in POLICIES if p != FIRST_SIGHT], ids=lambda path: path.stem)
def test_a_policy_fails_closed_and_acts_on_labelled_objects_only(path):
    policy, binding = _documents(path)
    assert policy["spec"]["failurePolicy"] == "Fail"
    assert binding["spec"]["policyName"] == policy["metadata"]["name"]
    constraints = policy["spec"]["matchConstraints"]
    selector = constraints.get("objectSelector", {}).get("matchExpressions", [])
    by_selector = {"key": names.LABEL_ROLLOUT, "operator": "Exists"} in selector
    # The hold looks at the old object, which a selector would also do; it is said there so that it is read there.
    conditions = policy["spec"].get("matchConditions", [])
    by_condition = any(
        c["expression"].endswith(f"'{names.LABEL_ROLLOUT}' in oldObject.metadata.labels") for c in conditions
    )
    assert by_selector or by_condition


def test_the_policy_of_first_sight_acts_on_what_the_namespaces_list_names_and_never_refuses_a_deployment():
    policy, binding = _documents(FIRST_SIGHT)
    assert policy["spec"]["failurePolicy"] == "Ignore"  # a cluster that is rebuilt has to come up
    assert policy["spec"]["paramKind"] == {"apiVersion": "v1", "kind": "ConfigMap"}
    parameter = {"name": names.REJECTED_CONFIGMAP, "parameterNotFoundAction": "Allow"}
    assert binding["spec"] == {"policyName": policy["metadata"]["name"], "paramRef": parameter}
    assert set(re.findall(r"'([a-z]+_)' \+ object\.metadata\.name", FIRST_SIGHT.read_text())) == {HOLD_PREFIX}


def test_no_right_is_a_wildcard():
    for rule in _rules():
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]


def test_the_operator_reads_no_secret_and_touches_no_pod():
    for rule in _rules():
        assert "secrets" not in rule["resources"]
        if "pods" in rule["resources"]:
            assert set(rule["verbs"]) <= {"get", "list", "watch"}


def test_the_operator_is_the_service_account_that_the_policies_believe():
    account = _documents(BASE / "rbac.yaml")[0]["metadata"]
    assert f"system:serviceaccount:{account['namespace']}:{account['name']}" == names.OPERATOR_USER
    (operator,) = _documents(BASE / "operator.yaml")
    assert operator["spec"]["template"]["spec"]["serviceAccountName"] == account["name"]
    assert operator["metadata"]["namespace"] == account["namespace"]


def test_the_list_of_rejected_versions_is_the_only_config_map_that_is_read():
    granted = [rule for rule in _rules() if "configmaps" in rule["resources"] and "get" in rule["verbs"]]
    assert [rule["resourceNames"] for rule in granted] == [[names.REJECTED_CONFIGMAP]]


def test_the_overlay_brings_the_librarys_analysis_under_the_name_that_is_looked_for():
    (shipped,) = _documents(DEPLOY / "overlays" / "contour" / "default-analysis.yaml")
    (ours,) = _documents(DEPLOY.parent / "analysis" / "contour-envoy-errors.yaml")
    assert shipped == ours | {"metadata": {"name": DEFAULT_TEMPLATE}}


def test_the_overlay_can_be_built_and_gives_the_operator_its_configuration(kustomize):
    built = subprocess.run(
        [kustomize.program, "build", DEPLOY / "overlays" / "contour"], capture_output=True, text=True, check=True
    )
    objects = {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(built.stdout)}
    base = [
        document for path in BASE.rglob("*.yaml") if path.name != "kustomization.yaml" for document in _documents(path)
    ]
    assert {(each["kind"], each["metadata"]["name"]) for each in base} <= objects.keys()
    pod = objects["Deployment", "canary"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"].startswith("registry.example/")
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert mounts.keys() == volumes.keys()
    configuration = objects["ConfigMap", volumes["config"]["configMap"]["name"]]
    (file,) = configuration["data"]
    assert {"name": "CANARY_CONFIG", "value": f"{mounts['config']}/{file}"} in container["env"]
    (binding,) = yaml.safe_load(configuration["data"][file])["git"]["bindings"]
    assert binding["passwordFile"].startswith(f"{mounts['git']}/")


def test_flux_is_told_that_a_held_deployment_is_current():
    (kustomization,) = _documents(DEPLOY / "flux" / "kustomization.yaml")
    checks = {check["kind"]: check for check in kustomization["spec"]["healthCheckExprs"]}
    assert f'"{names.ANNOTATION_HELD}" in metadata.annotations' in checks["Deployment"]["current"]


def test_flux_does_not_wait_for_a_release_and_gives_up_on_a_failed_one():
    (kustomization,) = _documents(DEPLOY / "flux" / "kustomization.yaml")
    checks = {check["kind"]: check for check in kustomization["spec"]["healthCheckExprs"]}
    assert "observedGeneration" in checks["Rollout"]["current"]
    assert "Stalled" in checks["Rollout"]["failed"]
