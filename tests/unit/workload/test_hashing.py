from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.api.names import LABEL_RELEASE, LABEL_TRACK
from canary.workload.hashing import revision_of, template_hash, version_hash
from tests.unit.workload.objects import template

keys = st.text("abc./-", min_size=1, max_size=8)


@given(st.dictionaries(keys, keys), st.dictionaries(keys, keys))
def test_the_order_of_keys_does_not_matter(labels, annotations):
    def made(reverse):
        turn = (lambda d: dict(reversed(d.items()))) if reverse else dict
        return {"spec": {}, "metadata": {"labels": turn(labels), "annotations": turn(annotations)}}

    assert template_hash(made(reverse=True)) == template_hash(made(reverse=False))


@pytest.mark.parametrize(
    "added", [{"pod-template-hash": "abc"}, {LABEL_TRACK: "canary", LABEL_RELEASE: "x-1"}], ids=["Kubernetes'", "ours"]
)
def test_labels_that_controllers_add_do_not_change_the_hash(added):
    assert template_hash(template(labels=added)) == template_hash(template())


def test_a_creation_timestamp_and_empty_maps_do_not_change_the_hash():
    bare = {"metadata": {"labels": {"app": "web"}}, "spec": template()["spec"]}
    padded = {"metadata": {**bare["metadata"], "annotations": {}, "creationTimestamp": None}, "spec": bare["spec"]}
    assert template_hash(bare) == template_hash(padded)


@pytest.mark.parametrize(
    ("changed", "same_version"),
    [
        (template("app:2"), False),
        (template(labels={"tier": "front"}), True),
        (template(restartedAt="now"), True),
    ],
    ids=["image", "label", "restartedAt"],
)
def test_every_change_changes_the_template_and_only_what_runs_changes_the_version(changed, same_version):
    assert template_hash(changed) != template_hash(template())
    assert (version_hash(changed) == version_hash(template())) is same_version


def test_hashes_are_sixteen_hexadecimal_characters():
    assert len(template_hash(template())) == len(version_hash(template())) == 16
    assert int(template_hash(template()), 16) >= 0


def test_a_hash_is_the_same_in_every_process():
    # Kept in status and in a ConfigMap: another value here would make every known version a new one. By sha256sum over
    # {"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"image":"app:1","name":"web"}]}}
    assert template_hash(template()) == "8be63a4ceb555dfe"


def test_a_revision_names_images_of_init_containers_first():
    pod_template = template()
    pod_template["spec"]["initContainers"] = [{"name": "i", "image": "init:1"}]
    revision = revision_of(pod_template, "c0ffee")
    assert revision.images == ("init:1", "app:1")
    assert revision.commit == "c0ffee"
