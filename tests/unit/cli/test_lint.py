"""`canary lint`: what it prints, and what scripts see."""

from __future__ import annotations

import json

import pytest

from canary.cli.exits import Exit

GOOD = """\
apiVersion: canary.delivery/v1alpha1
kind: Rollout
metadata: {name: checkout, namespace: shop}
spec:
  workload: {name: checkout}
  service: {name: checkout, port: 80}
  traffic:
    gatewayAPI: {route: {name: checkout}}
"""
BAD = GOOD.replace("port: 80", "prot: 80")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_good_file_passes_and_the_count_is_told(canary, folder):
    (folder / "a.yaml").write_text(GOOD)
    done = canary("lint", "a.yaml")
    assert done.exit_code == Exit.OK
    assert "no errors, no warnings in 1 object of 1 file" in done.stderr


def test_an_error_fails_and_stands_with_its_file_line_and_rule(canary, folder):
    (folder / "a.yaml").write_text(BAD)
    done = canary("lint", "a.yaml")
    assert done.exit_code == Exit.ERROR
    assert "a.yaml:6: error: Rollout shop/checkout: spec.service.prot is not a field; did you mean port? [field]" in (
        done.stdout
    )


def test_a_folder_is_read_whole_and_other_files_are_passed_over(canary, folder):
    (folder / "deep/er").mkdir(parents=True)
    (folder / "deep/er/a.yml").write_text(BAD)
    (folder / "deep/notes.txt").write_text("kind: [")
    done = canary("lint", "deep")
    assert "deep/er/a.yml:6: error" in done.stdout
    assert "of 1 file" in done.stderr


def test_warnings_fail_only_when_asked_to(canary, folder):
    (folder / "a.yaml").write_text(GOOD)
    template = folder / "b.yaml"
    template.write_text(
        "apiVersion: canary.delivery/v1alpha1\nkind: ClusterAnalysisTemplate\nmetadata: {name: default}\nspec:\n"
        "  metrics:\n  - {name: up, value: {query: up}, threshold: {min: '1'}}\n"
    )
    assert canary("lint", ".").exit_code == Exit.OK
    assert canary("lint", ".", "--strict").exit_code == Exit.ERROR


def test_json_and_sarif_are_for_programs(canary, folder):
    (folder / "a.yaml").write_text(BAD)
    found = json.loads(canary("lint", "a.yaml", "-o", "json").stdout)
    assert {entry["rule"] for entry in found} == {"field"}
    assert found[0] | {"message": ""} == {"file": "a.yaml", "line": 6, "level": "error", "rule": "field", "message": ""}
    log = json.loads(canary("lint", "a.yaml", "-o", "sarif").stdout)
    assert len(log["runs"][0]["results"]) == len(found)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("nowhere.yaml",), "there is no file nowhere.yaml"),
        ((".",), "has no file that ends in .yaml"),
        (("a.txt", "--rate", "0"), "--rate must be above 0"),
        (("a.txt", "--rate", "5", "--bad-share", "0"), "--bad-share must be above 0 and below 1"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(canary, folder, arguments, word):
    (folder / "a.txt").write_text(GOOD)
    done = canary("lint", *arguments)
    assert done.exit_code == Exit.USAGE
    assert word in done.stderr
