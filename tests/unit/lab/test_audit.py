"""The API server's audit, as it writes it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import yaml

from lab.audit import Write, token_of, writes

EVENT = {
    "kind": "Event",
    "verb": "patch",
    "user": {
        "username": "system:serviceaccount:canary-system:canary",
        "extra": {"authentication.kubernetes.io/credential-id": ["JTI=7b4a"]},
    },
    "objectRef": {"resource": "rollouts", "namespace": "shop", "name": "checkout", "subresource": "status"},
    "responseStatus": {"code": 200},
    "stageTimestamp": "2026-11-21T12:00:01.500000Z",
}
AT = 1795262401.5


def log(folder: Path, *events: object, torn: str = "") -> Path:
    file = folder / "audit.log"
    file.write_text("".join(json.dumps(event) + "\n" for event in events) + torn)
    return file


def test_a_write_says_who_changed_what_and_whether_it_was_done(tmp_path: Path) -> None:
    refused = {**EVENT, "responseStatus": {"code": 409}}
    found = writes(log(tmp_path, EVENT, refused))
    assert found[0] == Write(AT, "7b4a", "patch", "rollouts/status", "shop", "checkout", 200)
    assert [write.done for write in found] == [True, False]


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    asked = {**EVENT, "requestURI": "/api/v1/namespaces/shop/services/checkout?dryRun=All&fieldManager=canary"}
    told = {**EVENT, "requestURI": "/api/v1/namespaces/shop/services/checkout?fieldManager=canary"}
    assert [write.done for write in writes(log(tmp_path, asked, told))] == [False, True]


def test_writes_are_in_order_and_those_before_a_moment_are_left_out(tmp_path: Path) -> None:
    later = {**EVENT, "stageTimestamp": "2026-11-21T12:00:09Z"}
    file = log(tmp_path, later, EVENT)
    assert [write.at for write in writes(file)] == [AT, AT + 7.5]
    assert [write.at for write in writes(file, since=AT + 1)] == [AT + 7.5]


def test_a_line_that_is_being_written_is_left_for_later_and_no_log_is_no_write(tmp_path: Path) -> None:
    assert len(writes(log(tmp_path, EVENT, torn='{"verb": "pat'))) == 1
    assert writes(tmp_path / "none.log") == []


def test_the_token_of_a_kubeconfig_has_the_id_that_the_audit_tells(tmp_path: Path) -> None:
    payload = base64.urlsafe_b64encode(json.dumps({"jti": "7b4a"}).encode()).rstrip(b"=").decode()
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump({"users": [{"user": {"token": f"e30.{payload}.c2ln"}}]}))
    assert token_of(kubeconfig) == "7b4a"
