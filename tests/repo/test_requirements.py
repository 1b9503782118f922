"""What is installed is pinned by version and hash, and comes from wherever the user's pip is told."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BLOCK = re.compile(
    r"^(?P<name>[a-z0-9][\w.-]*)==(?P<version>[\w.]+)(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})+)$",
    re.MULTILINE,
)
HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"), ("files", "pythonhosted", "org"), ("proxy", "golang", "org"), ("sum", "golang", "org"),
        ("goproxy", "io"), ("registry", "npmjs", "org"), ("crates", "io"), ("deb", "debian", "org"), ("docker", "io"),
        ("quay", "io"), ("ghcr", "io"), ("gcr", "io"), ("registry", "k8s", "io"), ("public", "ecr", "aws"),
        ("mcr", "microsoft", "com"),
    )
]  # fmt: skip
"""In pieces: this file is searched as well."""


def pins(file: str) -> dict[str, tuple[str, str]]:
    """Version and hashes of each package in a file under requirements/."""
    text = (ROOT / "requirements" / file).read_text()
    found = {match["name"]: (match["version"], match["hashes"]) for match in BLOCK.finditer(text)}
    assert BLOCK.sub("", text).strip() == "", "every line is a pin with hashes"
    return found


def closure(*roots: str) -> set[str]:
    """The packages named, and all that they need here."""
    found: set[tuple[str, str]] = set()
    to_do = list(map(Requirement, roots))
    while to_do:
        requirement = to_do.pop()
        for extra in ("", *requirement.extras):
            package = canonicalize_name(requirement.name), extra
            if package in found:
                continue
            found.add(package)
            needs = map(Requirement, metadata.requires(requirement.name) or [])
            to_do += [each for each in needs if each.marker is None or each.marker.evaluate({"extra": extra})]
    return {name for name, _ in found}


@pytest.mark.parametrize("file", ["run.txt", "build.txt"])
def test_what_an_image_installs_is_part_of_what_the_tests_ran_with(file):
    assert pins(file).items() <= pins("dev.txt").items()


def test_what_the_operator_runs_with_is_all_that_the_package_needs_and_no_more():
    assert pins("run.txt").keys() == closure(*PROJECT["project"]["dependencies"])


def test_what_builds_the_wheel_is_all_that_the_build_needs_and_no_more():
    assert pins("build.txt").keys() == closure(*PROJECT["build-system"]["requires"])


def test_every_pin_is_a_version_that_the_project_asks_for():
    groups = PROJECT["dependency-groups"].values()
    asked = [*PROJECT["project"]["dependencies"], *(each for group in groups for each in group)]
    for requirement in map(Requirement, asked):
        version, _ = pins("dev.txt")[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement


def test_no_file_names_the_host_of_a_package_registry():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [ROOT / name for name in listed.split("\0") if name]
    assert len(files) > 300
    named = {
        f"{file.relative_to(ROOT)}: {host}"
        for file in files
        if file.is_file()
        for host in HOSTS
        if re.search(rf"(?<![\w-]){re.escape(host)}(?![\w-])", file.read_text(errors="replace"))
    }
    assert named == set()
