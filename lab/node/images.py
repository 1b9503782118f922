"""Which local program an image stands for.

Nothing is pulled. The table below says which names exist; the tag becomes the program's VERSION. Any other name is
refused as a kubelet refuses an image that its registry does not have, and so is every tag that starts with `missing`,
so that a mistyped tag of a good name can be tried too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

PROGRAMS: tuple[tuple[str, str], ...] = (
    ("lab/app", "app"),
    ("lab/load", "load"),
    ("shop/*", "app"),
    ("demo/*", "app"),
)
"""Pattern of the image's last two name parts -> program in the binary directory. The first match counts."""


class ImageUnknown(Exception):
    """No program stands for this image; the text is what a container runtime would say."""


@dataclass(frozen=True, slots=True)
class Image:
    """What an image runs when the container does not say otherwise."""

    reference: str
    program: Path
    version: str
    """The tag; `latest` without one, the first 12 characters of a digest."""

    @property
    def image_id(self) -> str:
        """Stable for one reference, different for another."""
        return f"lab://{hashlib.sha256(self.reference.encode()).hexdigest()[:16]}"


def split_reference(reference: str) -> tuple[str, str]:
    """Split `registry:5000/shop/checkout:1.2` into (`registry:5000/shop/checkout`, `1.2`)."""
    name, _, digest = reference.partition("@")
    head, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    if not tag:
        tag = digest.removeprefix("sha256:")[:12] or "latest"
    return head + slash + last, tag


def resolve(reference: str, bin_dir: Path) -> Image:
    """Look an image up.

    Raises
    ------
    ImageUnknown
        when no pattern matches or the tag says that it is missing.
    """
    name, tag = split_reference(reference)
    short = "/".join(name.split("/")[-2:])
    if not tag.startswith("missing"):
        for pattern, program in PROGRAMS:
            if fnmatchcase(short, pattern):
                return Image(reference, bin_dir / program, tag)
    raise ImageUnknown(f'failed to pull and unpack image "{reference}": not found')
