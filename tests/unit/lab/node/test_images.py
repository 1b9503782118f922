"""Which program an image stands for."""

from pathlib import Path

import pytest

from lab.node.images import ImageUnknown, resolve, split_reference

BIN = Path("/bin-dir")


@pytest.mark.parametrize(
    ("reference", "name", "tag"),
    [
        ("shop/checkout:v2", "shop/checkout", "v2"),
        ("shop/checkout", "shop/checkout", "latest"),
        ("registry.example:5000/shop/checkout", "registry.example:5000/shop/checkout", "latest"),
        ("registry.example:5000/shop/checkout:1.2", "registry.example:5000/shop/checkout", "1.2"),
        ("shop/checkout@sha256:0123456789abcdef0123", "shop/checkout", "0123456789ab"),
        ("shop/checkout:v2@sha256:0123456789abcdef0123", "shop/checkout", "v2"),
    ],
)
def test_a_reference_is_split_at_its_tag_and_not_at_its_port(reference, name, tag):
    assert split_reference(reference) == (name, tag)


def test_the_tag_becomes_the_version_of_the_program():
    image = resolve("registry.example/shop/checkout:v2", BIN)
    assert (image.program, image.version) == (BIN / "app", "v2")


@pytest.mark.parametrize("reference", ["nowhere/nothing:1", "checkout:v1", "shop/checkout:missing-tag"])
def test_an_image_that_no_registry_has_is_unknown(reference):
    with pytest.raises(ImageUnknown, match="not found"):
        resolve(reference, BIN)


def test_two_tags_have_two_image_ids():
    assert resolve("lab/app:v1", BIN).image_id != resolve("lab/app:v2", BIN).image_id
