"""deploy/Containerfile is not built here; it names only what the repository has, and installs nothing unchecked."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from canary import __version__
from lab import binaries

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "deploy" / "Containerfile").read_text()
COMMANDS = re.sub(r" *\\\n *", " ", re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE)).splitlines()
ARGUMENTS = dict(line.removeprefix("ARG ").split("=", 1) for line in COMMANDS if line.startswith("ARG "))
COPIED = [
    path
    for line in COMMANDS
    if line.startswith("COPY ") and "--from=" not in line
    for path in line.split()[1:-1]
]  # fmt: skip


def runs() -> list[str]:
    """Each command of each RUN."""
    return [each for line in COMMANDS if line.startswith("RUN ") for each in line.removeprefix("RUN ").split(" && ")]


def container() -> dict[str, Any]:
    operator: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "base" / "operator.yaml").read_text())
    (found,) = operator["spec"]["template"]["spec"]["containers"]
    return dict(found)


@pytest.mark.parametrize("path", COPIED)
def test_what_is_copied_is_there_and_in_the_context(path):
    there = ROOT / path
    assert there.is_dir() if path.endswith("/") else there.is_file()
    rules = (ROOT / ".dockerignore").read_text().split()
    let_in = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    assert "*" in rules
    assert any(fnmatch(path.rstrip("/"), rule) for rule in let_in)


def test_what_the_build_needs_of_the_project_is_copied():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = {"pyproject.toml", project["project"]["readme"], "LICENSE"}
    needed |= {f"{package}/" for package in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]}
    assert needed <= set(COPIED)


def test_every_package_is_installed_by_hashes_or_from_the_wheel_just_built():
    installs = [command for command in runs() if "pip install" in command]
    assert len(installs) == 3
    for command in installs:
        if "--no-index --no-deps" in command:
            assert command.endswith(" dist/*.whl")
            continue
        listed = re.search(r"--require-hashes -r (requirements/\S+)$", command)
        assert listed, command
        assert (ROOT / listed[1]).is_file()


def test_kustomize_is_built_from_the_labs_pinned_module():
    (recipe,) = (each for each in binaries.RECIPES if "kustomize" in each.commands)
    assert f"{recipe.source.relative_to(ROOT)}/" in COPIED
    (build,) = (command for command in runs() if "go build" in command)
    assert build.split()[-1] == recipe.commands["kustomize"]


def test_the_base_images_have_what_the_project_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    python, go = ARGUMENTS["PYTHON"].split(":")[1], ARGUMENTS["GO"].split(":")[1]
    assert SpecifierSet(project["requires-python"]).contains(python.removesuffix("-slim"))
    wanted = re.search(r"^go (\d+)\.(\d+)", (ROOT / "lab/recipes/kustomize/go.mod").read_text(), flags=re.MULTILINE)
    assert wanted
    assert tuple(map(int, go.split("."))) >= (int(wanted[1]), int(wanted[2]))


def test_the_operator_runs_as_a_number_that_is_not_root():
    (user,) = (line.removeprefix("USER ") for line in COMMANDS if line.startswith("USER "))
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert f"--uid {user.split(':')[0]} " in TEXT


def test_the_deployment_starts_what_the_image_has():
    (entry,) = (yaml.safe_load(line.removeprefix("ENTRYPOINT ")) for line in COMMANDS if line.startswith("ENTRYPOINT "))
    assert entry == ["canary"]
    assert "command" not in container()
    assert container()["args"] == ["run"]


def test_the_version_is_the_same_everywhere():
    assert container()["image"] == f"canary-delivery:{__version__}"
    assert f":{__version__} ." in TEXT
    overlay = yaml.safe_load((ROOT / "deploy/overlays/contour/kustomization.yaml").read_text())
    assert overlay["images"][0]["newTag"] == __version__
