from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from canary.git.template import beyond, same_template, same_version
from tests.unit.git.world import deployment, live


def _template(manifest: str) -> dict[str, Any]:
    template: dict[str, Any] = yaml.safe_load(manifest)["spec"]["template"]
    return template


def test_a_manifest_has_nothing_beyond_it_in_what_the_server_made_of_it():
    assert beyond(_template(deployment()), live(deployment())) == frozenset()


def test_another_image_contradicts():
    assert beyond(_template(deployment("app:v1")), live(deployment("app:v2"))) is None


def test_what_the_manifest_says_and_the_cluster_lacks_contradicts():
    assert beyond(_template(deployment(env={"A": "1"})), live(deployment())) is None
    assert beyond(_template(deployment(env={"A": "1", "B": "2"})), live(deployment(env={"A": "1"}))) is None


def test_what_the_cluster_has_besides_is_named_by_path():
    more = live(deployment(env={"A": "1", "B": "2"}))
    assert beyond(_template(deployment(env={"A": "1"})), more) == frozenset({("spec", "containers", "app", "env", "B")})
    assert beyond(_template(deployment()), more) == frozenset({("spec", "containers", "app", "env")})


@pytest.mark.parametrize(
    ("said", "kept"), [("1000m", "1"), ("0.5", "500m"), ("1024Mi", "1Gi"), (2, "2"), ("1e3", "1k")]
)
def test_quantities_are_compared_by_amount(said: str | int, kept: str):
    one, other = _template(deployment()), live(deployment())
    one["spec"]["containers"][0]["resources"] = {"limits": {"cpu": said}}
    other["spec"]["containers"][0]["resources"] = {"limits": {"cpu": kept}}
    assert beyond(one, other) == frozenset()
    other["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "77"}}
    assert beyond(one, other) is None


def test_equal_amounts_elsewhere_are_different_texts():
    assert beyond(_template(deployment(env={"A": "1000m"})), live(deployment(env={"A": "1"}))) is None


def test_labels_and_annotations_make_no_version():
    one, other = _template(deployment()), _template(deployment(annotations={"checksum/config": "x"}))
    assert same_version(one, other)
    assert not same_template(one, other)
    assert not same_version(one, _template(deployment("app:v2")))


def test_empty_and_absent_are_one():
    one = _template(deployment())
    other = copy.deepcopy(one)
    other["spec"] |= {"volumes": [], "nodeSelector": {}, "hostname": "", "affinity": None}
    assert same_template(one, other)
    other["spec"]["hostNetwork"] = False
    assert not same_template(one, other)


def test_lists_are_compared_by_their_merge_key_and_not_by_order():
    one, other = _template(deployment(env={"A": "1", "B": "2"})), live(deployment(env={"B": "2", "A": "1"}))
    assert beyond(one, other) == frozenset()
    other["spec"]["containers"].insert(0, {"name": "proxy", "image": "x"})
    assert beyond(one, other) == frozenset({("spec", "containers", "proxy")})
