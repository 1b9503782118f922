"""The package by itself: its wheel, what requirements/run.txt has, and nothing of this folder."""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path

import pytest
import yaml

import canary

ROOT = Path(__file__).resolve().parents[2]
PINNED = re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / "run.txt").read_text(), flags=re.MULTILINE)


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120, env={"PATH": ""})
    assert done.returncode == 0, done.stderr
    return done.stdout


def link(distribution: metadata.Distribution, site: Path) -> None:
    """Give a virtual environment one package of ours, without a download: the pins are what is installed here."""
    source = Path(str(distribution.locate_file("")))
    for top in {Path(str(file)).parts[0] for file in distribution.files or []} - {"..", "__pycache__"}:
        if not (site / top).exists():
            (site / top).symlink_to(source / top)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the pinned packages and the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"
    run(*pip, "wheel", "--no-index", "--no-deps", "--no-build-isolation", f"--wheel-dir={folder}", ROOT, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    made = folder / "venv"
    venv.create(made, symlinks=True)
    (site,) = made.glob("lib/python3*/site-packages")
    for name in PINNED:
        link(metadata.distribution(name), site)
    python = made / "bin" / "python"
    run(*pip, f"--python={python}", "install", "--no-index", "--no-deps", wheel, cwd=folder)
    return made


def test_the_pinned_packages_are_all_that_it_needs(installed, tmp_path):
    assert run(sys.executable, "-m", "pip", f"--python={installed / 'bin' / 'python'}", "check", cwd=tmp_path)


def modules() -> list[str]:
    found = (each.name for each in pkgutil.walk_packages(canary.__path__, "canary."))
    return sorted(name for name in found if not name.endswith("__main__"))


def test_every_module_is_in_it_and_can_be_imported(installed, tmp_path):
    ours = [name for name in modules() if not name.startswith("canary.plots.")]
    code = (
        f"import importlib; [importlib.import_module(name) for name in {ours}]; import canary; print(canary.__file__)"
    )
    assert run(installed / "bin" / "python", "-W", "error", "-c", code, cwd=tmp_path).startswith(str(installed))


def test_pictures_lack_the_package_of_their_extra_and_nothing_else(installed, tmp_path):
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n"
        "        importlib.import_module(name)\n"
        "    except ModuleNotFoundError as error:\n"
        "        print(error.name.partition('.')[0])\n"
    )
    drawn = [name for name in modules() if name.startswith("canary.plots.")]
    lacking = run(installed / "bin" / "python", "-W", "error", "-c", code, *drawn, cwd=tmp_path).split()
    assert lacking == ["matplotlib"] * len(drawn)


def test_it_is_typed_and_has_nothing_of_the_lab_and_the_tests(installed):
    (site,) = installed.glob("lib/python3*/site-packages")
    assert (site / "canary" / "py.typed").is_file()
    assert not any((site / name).exists() for name in ("lab", "tests", "benchmarks"))


def test_the_command_works_from_any_folder(installed, tmp_path):
    command = installed / "bin" / "canary"
    assert "promote" in run(command, "--help", cwd=tmp_path)
    assert "--config" in run(command, "run", "--help", cwd=tmp_path)
    assert run(command, "version", cwd=tmp_path) == f"canary {canary.__version__}\n"
    assert metadata.version("canary-delivery") == canary.__version__


def test_the_crds_that_it_prints_are_those_of_the_repository(installed, tmp_path):
    printed = list(yaml.safe_load_all(run(installed / "bin" / "canary", "crds", cwd=tmp_path)))
    committed = [yaml.safe_load(file.read_text()) for file in (ROOT / "crds").glob("*.yaml")]
    assert sorted(printed, key=str) == sorted(committed, key=str)
