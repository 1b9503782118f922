"""Build a kustomization from Git's objects, in a folder of its own, with nothing else to read and nowhere to go.

A kustomization can name URLs, files of the machine and programs; the operator holds credentials and a ServiceAccount.
So only plain files of the commit are written out, every reference must lead to one of them, and the program runs
without PATH, without a proxy that answers, and for a limited time. What cannot be built under these rules is said, not
guessed.
"""

from __future__ import annotations

import os
import posixpath
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import yaml

from canary.errors import NotFound
from canary.git.objects import REGULAR_MODES, Entry
from canary.git.process import Limits, run

KUSTOMIZATION_NAMES: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_ENTRIES: Final = ("resources", "bases", "components", "crds", "configurations")
_REFUSED: Final = (
    "generators",
    "transformers",
    "validators",
    "helmCharts",
    "helmGlobals",
    "helmChartInflationGenerator",
)
_MAX_DEPTH: Final = 100
_MAX_FILES: Final = 5_000
_MAX_BYTES: Final = 64 * 1024 * 1024
_SEALED: Final = {
    "PATH": "/nonexistent", "HOME": "/nonexistent", "LC_ALL": "C",
    "HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "",
}  # fmt: skip


class TreeReader(Protocol):
    """Read files of commits; `Repository` is one."""

    def files(self, tree: str, folder: str = "") -> dict[str, Entry]:
        """Return every file below a folder, by path from the root."""
        ...

    def blobs(self, oids: list[str]) -> dict[str, bytes]:
        """Return the contents of files."""
        ...


class Unbuildable(Exception):  # never leaves this package: render.py turns it into a value
    """Why a kustomization cannot be built under our rules; the message is for people."""


@dataclass(frozen=True, slots=True)
class Kustomize:
    """The kustomize program."""

    program: Path
    timeout_seconds: float = 20.0
    output_bytes: int = 16 * 1024 * 1024

    def build(self, files: Mapping[str, bytes], folder: str) -> bytes:
        """Return the manifests of a kustomization, whose closure of files is given.

        Raises
        ------
        Unbuildable
            With the program's own words.
        """
        if sum(map(len, files.values())) > _MAX_BYTES:
            raise Unbuildable(f"the files of the kustomization in {folder or '/'} are larger than {_MAX_BYTES} bytes")
        with tempfile.TemporaryDirectory(prefix="canary-kustomize-") as name:
            root = Path(name).resolve()
            for path, content in files.items():
                _write(root, path, content)
            # Flux builds with the whole repository as root, so `../shared/patch.yaml` is allowed; `closure_of` keeps
            # it inside.
            argv = [str(self.program), "build", "--load-restrictor", "LoadRestrictionsNone", str(root / folder)]
            done = run(argv, env=_SEALED, cwd=root, limits=Limits(self.timeout_seconds, self.output_bytes))
            if done.expired or done.overflowed:
                raise Unbuildable(f"kustomize build of {folder or '/'} took too long or wrote too much")
            if done.code != 0:
                said = " ".join(done.stderr.replace(str(root), "").split())
                raise Unbuildable(f"kustomize build of {folder or '/'} fails: {said[:400]}")
            return done.stdout


def find_kustomize(configured: str = "") -> Kustomize | None:
    """Return the program that is configured, else named by CANARY_KUSTOMIZE, else on PATH; None when there is none.

    Raises
    ------
    NotFound
        When one is named that cannot be run: a typing error must not turn into "cannot render".
    """
    named = configured or os.environ.get("CANARY_KUSTOMIZE", "")
    found = shutil.which(named or "kustomize")
    if named and found is None:
        raise NotFound(f"the kustomize program {named} does not exist or cannot be run")
    return Kustomize(Path(found).resolve()) if found is not None else None


def kustomization_in(files: Mapping[str, Entry], folder: str) -> str | None:
    """Return the path of a folder's kustomization file, or None when the folder has none."""
    return next(
        (path for path in (posixpath.join(folder, name) for name in KUSTOMIZATION_NAMES) if path in files), None
    )


def closure_of(reader: TreeReader, tree: str, folder: str) -> dict[str, Entry]:
    """Return the files that a kustomization and everything that it names consist of.

    Folders that are named come whole, so that the set errs on the large side.

    Raises
    ------
    Unbuildable
        When something is named that is not a file or folder of this tree, or that would run or fetch something.
    """
    whole = reader.files(tree)
    waiting, seen, closure = [folder], set[str](), dict[str, Entry]()
    while waiting:
        here = waiting.pop()
        if here in seen:
            continue
        seen.add(here)
        inside = {path: entry for path, entry in whole.items() if _is_below(path, here) and entry.mode in REGULAR_MODES}
        closure |= inside
        if len(closure) > _MAX_FILES:
            raise Unbuildable(f"the kustomization in {folder or '/'} has more than {_MAX_FILES} files")
        kustomization = kustomization_in(inside, here)
        if kustomization is None:
            raise Unbuildable(f"{here or '/'} is named as a kustomization but has no kustomization.yaml")
        content = reader.blobs([inside[kustomization].oid])[inside[kustomization].oid]
        for named in _references(content, kustomization):
            target = _resolve(here, named, kustomization)
            if target in whole and whole[target].mode in REGULAR_MODES:
                closure[target] = whole[target]
            elif target in whole:
                raise Unbuildable(f"{kustomization} names {named}, a symbolic link: links are not followed")
            elif not target or any(_is_below(path, target) for path in whole):
                waiting.append(target)
            else:
                raise Unbuildable(
                    f"{kustomization} names {named}, which is not in the repository: nothing is fetched from elsewhere"
                )
    return closure


def load_documents(content: bytes, path: str) -> list[Any]:
    """Return a YAML file's documents, dates left as text as Kubernetes reads them.

    Raises
    ------
    Unbuildable
        When it is not YAML.
    """
    try:
        depth = 0
        for event in yaml.parse(content, Loader=_Loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _MAX_DEPTH:  # the C composer recurses without a limit: a deep file would end the process
                raise Unbuildable(f"{path} is not YAML that is read: nested more than {_MAX_DEPTH} deep")
        return list(yaml.load_all(content, Loader=_Loader))  # _Loader is a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = " ".join(str(error).split())
        raise Unbuildable(f"{path} is not YAML: {problem[:200]}") from error


class _Loader(yaml.CSafeLoader):
    """Kubernetes' YAML has no dates."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _references(content: bytes, path: str) -> Iterator[str]:
    """Yield every file or folder that a kustomization names."""
    documents = [document for document in load_documents(content, path) if document is not None]
    if not documents:
        return
    spec = documents[0]
    if not isinstance(spec, Mapping) or len(documents) > 1:
        raise Unbuildable(f"{path} is not one kustomization")
    refused = [field for field in _REFUSED if spec.get(field)]
    if refused:
        raise Unbuildable(
            f"{path} uses {', '.join(refused)}, which may run programs or fetch: Canary does not build these"
        )
    for field in _ENTRIES:
        yield from (str(entry) for entry in _list(spec, field, path))
    for patch in _list(spec, "patchesStrategicMerge", path):
        if "\n" not in str(patch):
            yield str(patch)
    for field in ("patches", "patchesJson6902", "replacements"):
        yield from (
            str(item["path"]) for item in _list(spec, field, path) if isinstance(item, Mapping) and item.get("path")
        )
    for field in ("configMapGenerator", "secretGenerator"):
        for generator in _list(spec, field, path):
            if isinstance(generator, Mapping):
                yield from (str(entry).rpartition("=")[2] for entry in _list(generator, "files", path))
                yield from (str(entry) for entry in _list(generator, "envs", path))
                if generator.get("env"):
                    yield str(generator["env"])
    if isinstance(spec.get("openapi"), Mapping) and spec["openapi"].get("path"):
        yield str(spec["openapi"]["path"])


def _list(spec: Mapping[str, Any], field: str, path: str) -> list[Any]:
    value = spec.get(field)
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unbuildable(f"{path}: `{field}` is not a list")
    return value


def _resolve(folder: str, named: str, kustomization: str) -> str:
    target = posixpath.normpath(posixpath.join(folder or ".", named))
    if named.startswith("/") or target.startswith("..") or "://" in named or "?" in named or "\\" in named:
        raise Unbuildable(
            f"{kustomization} names {named}, which lies outside the repository: nothing is fetched from elsewhere"
        )
    return "" if target == "." else target


def _is_below(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")


def _write(root: Path, path: str, content: bytes) -> None:
    """Write one file; the folder is fresh and has no links, so a path without `..` cannot leave it."""
    if any(part in {"", ".", "..", ".git"} for part in path.split("/")) or "\0" in path:
        raise Unbuildable(f"{path!r} is not a path that is written out")
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        file.write(content)
