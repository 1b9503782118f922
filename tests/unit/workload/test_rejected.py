from __future__ import annotations

import pytest

from canary.api.patch import ContentType
from canary.core.state import REJECTED_LENGTH, Rejected
from canary.workload import rejected


def _config_map(*patches):
    return {"data": {key: value for patch in patches for key, value in patch.body["data"].items()}}


def _version(number):
    return Rejected(f"t{number}", f"v{number}", float(number), f"c{number}", "errors", (f"shop/web:{number}",))


def _whose(rollout):
    return rejected.Listed("shop", rollout, f"{rollout}-app")


def test_what_is_added_is_read_again():
    config_map = _config_map(rejected.add(None, _whose("web"), _version(1)))
    assert rejected.read(config_map, "web") == (_version(1),)
    assert rejected.hashes(config_map, "web") == ("t1", "v1")
    assert rejected.read(config_map, "api") == ()


def test_the_admission_policy_is_told_the_deployment_the_rollout_and_the_images():
    config_map = _config_map(rejected.add(None, _whose("web"), _version(1)))
    config_map = _config_map(rejected.add(config_map, _whose("web"), _version(2)))
    assert config_map["data"]["hold_web-app"] == "web\nshop/web:1\nshop/web:2"
    patch = rejected.forget(config_map, _whose("web"), template_hash="t1", version_hash="v1")
    assert patch is not None
    assert patch.body["data"]["hold_web-app"] == "web\nshop/web:2"


def test_a_version_whose_images_nobody_wrote_down_is_listed_all_the_same():
    config_map = _config_map(rejected.add(None, _whose("web"), Rejected("t", "v", 1.0)))
    assert rejected.hashes(config_map, "web") == ("t", "v")
    assert set(config_map["data"]) == {"web"}


def test_a_version_that_is_rejected_again_stands_once_and_newest():
    config_map = _config_map(rejected.add(None, _whose("web"), _version(1)))
    config_map = _config_map(rejected.add(config_map, _whose("web"), _version(2)))
    config_map = _config_map(rejected.add(config_map, _whose("web"), _version(1)))
    assert rejected.read(config_map, "web") == (_version(2), _version(1))


def test_the_list_is_bounded_and_the_oldest_go():
    config_map = None
    for number in range(REJECTED_LENGTH + 5):
        config_map = _config_map(rejected.add(config_map, _whose("web"), _version(number)))
    found = rejected.read(config_map, "web")
    assert len(found) == REJECTED_LENGTH
    assert found[0] == _version(5)


def test_a_long_reason_is_shortened():
    long = Rejected("t", "v", 1.0, "", "x" * 5000)
    assert len(rejected.read(_config_map(rejected.add(None, _whose("web"), long)), "web")[0].reason) == 200


def test_the_last_forgotten_version_takes_both_keys_away_whoever_wrote_them():
    config_map = _config_map(rejected.add(None, _whose("web"), _version(1)))
    patch = rejected.forget(config_map, _whose("web"), template_hash="t1", version_hash="v1")
    assert patch is not None
    assert patch.content_type is ContentType.MERGE, "apply would leave what a restored backup owns"
    assert patch.body["data"] == {"web": None, "hold_web-app": None}


def test_the_same_version_under_another_template_is_forgotten_too():
    config_map = _config_map(rejected.add(None, _whose("web"), _version(1)))
    assert rejected.forget(config_map, _whose("web"), template_hash="other", version_hash="v1") is not None
    assert rejected.forget(config_map, _whose("web"), template_hash="other", version_hash="other") is None


def test_each_rollout_writes_under_a_manager_of_its_own_with_a_bounded_name():
    managers = {rejected.add(None, _whose(name), _version(1)).field_manager for name in ("web", "api", "a" * 253)}
    assert len(managers) == 3
    assert max(map(len, managers)) <= 128


@pytest.mark.parametrize("text", ["", "no json", "{}", "7", '[1, {"template_hash": "t"}]'])
def test_a_list_that_somebody_spoiled_is_read_as_empty(text):
    assert rejected.read({"data": {"web": text}}, "web") == ()
