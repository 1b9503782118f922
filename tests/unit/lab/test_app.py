"""What `python -m lab app` writes for somebody who tries releases by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from canary.api.parse import parse_rollout
from lab.__main__ import main


def objects(file: Path) -> dict[str, dict[str, Any]]:
    return {each["kind"]: each for each in yaml.safe_load_all(file.read_text())}


def test_the_app_and_what_flux_is_told_belong_together(tmp_path: Path):
    assert main(["app", str(tmp_path / "shop")]) == 0
    files = {file.name: objects(file) for file in (tmp_path / "shop" / "app").iterdir()}
    rollout = parse_rollout(files["rollout.yaml"]["Rollout"])
    assert rollout.spec.workload.name == files["deployment.yaml"]["Deployment"]["metadata"]["name"]
    flux = objects(tmp_path / "shop" / "flux.yaml")
    assert flux["GitRepository"]["spec"]["url"].endswith("/shop.git")
    assert flux["Kustomization"]["spec"]["path"] == "./app"
    assert flux["Namespace"]["metadata"]["name"] == files["deployment.yaml"]["Deployment"]["metadata"]["namespace"]


def test_a_later_version_changes_the_deployment_only(tmp_path: Path):
    main(["app", str(tmp_path)])
    before = {file: file.read_text() for file in tmp_path.rglob("*.yaml")}
    main(["app", str(tmp_path), "--version", "v2", "--error-ratio", "0.1"])
    changed = [file.name for file in before if file.read_text() != before[file]]
    assert changed == ["deployment.yaml"]
