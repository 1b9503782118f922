"""What a commit says about one Deployment: its object and pod template, from plain YAML or a kustomization.

Rendered as Flux's kustomize-controller does: a folder with a kustomization file is built; without one, every YAML file
below it counts, and a sub-folder that has a kustomization file is built instead of read.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from canary.git.kustomize import Kustomize, TreeReader, Unbuildable, closure_of, kustomization_in, load_documents
from canary.git.objects import REGULAR_MODES, Entry
from canary.git.provenance import Engine, Provenance
from canary.git.template import size_within

_MAX_YAML_BYTES: Final = 4 * 1024 * 1024
_CACHE_SIZE: Final = 256


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a commit says."""

    template: Mapping[str, Any]
    """The pod template, without the API server's defaults."""
    manifest: Mapping[str, Any]
    """The whole Deployment."""
    sources: frozenset[str]
    """The files that it was made from: only these can matter to it."""


@dataclass(frozen=True, slots=True)
class NotRendered:
    """Why there is nothing to compare."""

    reason: str
    absent: bool = False
    """Whether the commit simply has no such Deployment, as before it was added."""


Render: TypeAlias = Rendered | NotRendered


@dataclass(slots=True)
class Renderer:
    """Renders one Deployment at any commit; remembers what it rendered, by content."""

    reader: TreeReader
    provenance: Provenance
    kustomize: Kustomize | None
    _cache: dict[tuple[object, ...], Render] = field(default_factory=dict)

    def render(self, tree: str) -> Render:
        """Return what a commit or tree says, or why that cannot be known.

        Raises
        ------
        GitUnavailable, Forbidden
            When files had to be fetched and could not be: unlike `NotRendered`, this may pass.
        """
        where = self.provenance
        if where.transforms:
            return NotRendered(
                f"{where.owner.kind} {where.owner.namespace}/{where.owner.name} changes what Git says by its own "
                f"{', '.join(where.transforms)}; Canary does not render these"
            )
        if ".." in where.path.split("/"):
            return NotRendered(f"path {where.path} leaves the repository")
        try:
            return self._render(tree)
        except Unbuildable as problem:
            return NotRendered(str(problem))

    def _render(self, tree: str) -> Render:
        folder = self.provenance.path
        files = self.reader.files(tree, folder)
        if not files:
            return NotRendered(f"there is no folder {folder or '/'} in this commit", absent=True)
        override = next((path for path in files if _is_argocds(path, folder)), "")
        if override and self.provenance.engine is Engine.ARGO_CD:
            return NotRendered(f"{override} changes what Argo CD makes of the manifests; Canary does not render it")
        if kustomization_in(files, folder) is not None:
            return self._kustomized(tree, (folder,), {})
        plain, nested = _walk(files, folder, recursive=self.provenance.recursive)
        found = self._plain(plain)
        if nested and isinstance(found, NotRendered):
            return self._kustomized(tree, nested, plain)
        return found

    def _plain(self, files: Mapping[str, Entry]) -> Render:
        key = ("plain", *sorted((path, entry.oid) for path, entry in files.items()))
        if key not in self._cache:
            contents = self.reader.blobs([entry.oid for entry in files.values()])
            self._remember(key, self._pick({path: contents[entry.oid] for path, entry in files.items()}))
        return self._cache[key]

    def _kustomized(self, tree: str, folders: tuple[str, ...], besides: Mapping[str, Entry]) -> Render:
        if self.kustomize is None:
            return NotRendered(
                f"{folders[0] or '/'} is a kustomization, and no kustomize program is configured or on PATH"
            )
        closures = {folder: closure_of(self.reader, tree, folder) for folder in folders}
        key = (
            "kustomize",
            *((folder, *sorted((p, e.oid) for p, e in closure.items())) for folder, closure in closures.items()),
        )
        if key not in self._cache:
            built: dict[str, bytes] = {}
            for folder, closure in closures.items():
                contents = self.reader.blobs([entry.oid for entry in closure.values()])
                built[folder] = self.kustomize.build(
                    {path: contents[entry.oid] for path, entry in closure.items()}, folder
                )
            found = self._pick(built)
            if isinstance(found, Rendered):
                sources = frozenset(path for closure in closures.values() for path in closure) | frozenset(besides)
                found = Rendered(found.template, found.manifest, sources)
            self._remember(key, found)
        return self._cache[key]

    def _pick(self, contents: Mapping[str, bytes]) -> Render:
        """Find the one Deployment among YAML files, by the name that the engine gives it."""
        where = self.provenance
        shown = f"Deployment {where.namespace}/{where.name}"
        matches: list[tuple[str, Mapping[str, Any]]] = []
        for path, content in contents.items():
            # Files that cannot hold it are not parsed: a chart's template beside it is none of our business.
            if b"Deployment" not in content or where.name.encode() not in content:
                continue
            if len(content) > _MAX_YAML_BYTES:
                return NotRendered(f"{path or '/'} is larger than {_MAX_YAML_BYTES} bytes")
            matches += [(path, thing) for thing in _objects(load_documents(content, path)) if self._is_it(thing)]
        if not matches:
            return NotRendered(f"{shown} is not among the manifests of {where.path or '/'} in this commit", absent=True)
        if len(matches) > 1:
            return NotRendered(
                f"{shown} is there more than once: in {', '.join(sorted({path or '/' for path, _ in matches}))}"
            )
        path, manifest = matches[0]
        template = (manifest.get("spec") or {}).get("template") if isinstance(manifest.get("spec"), Mapping) else None
        if not isinstance(template, Mapping) or not size_within(manifest):
            return NotRendered(f"{shown} in {path or '/'} has no pod template, or is too large")
        return Rendered(template, manifest, frozenset({path}))

    def _is_it(self, thing: Mapping[str, Any]) -> bool:
        metadata = thing.get("metadata")
        if (
            thing.get("kind") != "Deployment"
            or not str(thing.get("apiVersion", "")).startswith("apps/")
            or not isinstance(metadata, Mapping)
        ):
            return False
        where = self.provenance
        said = metadata.get("namespace") or where.default_namespace or where.namespace
        return (bool(where.target_namespace) or said == where.namespace) and metadata.get("name") == where.name

    def _remember(self, key: tuple[object, ...], render: Render) -> None:
        if len(self._cache) >= _CACHE_SIZE:
            self._cache.pop(next(iter(self._cache)))
        self._cache[key] = render


def _walk(files: Mapping[str, Entry], folder: str, *, recursive: bool) -> tuple[dict[str, Entry], tuple[str, ...]]:
    """Split a folder into plain YAML files and the topmost sub-folders that are kustomizations."""
    parents = {posixpath.dirname(path) for path in files}
    roots = sorted(parent for parent in parents if parent != folder and kustomization_in(files, parent) is not None)
    topmost = tuple(root for root in roots if not any(root.startswith(f"{other}/") for other in roots))
    plain = {
        path: entry
        for path, entry in files.items()
        if path.endswith((".yaml", ".yml", ".json") if not recursive else (".yaml", ".yml"))
        and entry.mode in REGULAR_MODES
        and (recursive or posixpath.dirname(path) == folder)
        and not any(path.startswith(f"{root}/") for root in topmost)
    }
    return plain, topmost if recursive else ()


def _is_argocds(path: str, folder: str) -> bool:
    """Return whether a file is one of Argo CD's own parameters for a folder, `.argocd-source[-APP].yaml`."""
    name = posixpath.basename(path)
    return posixpath.dirname(path) == folder and name.startswith(".argocd-source") and name.endswith(".yaml")


def _objects(documents: list[Any]) -> Iterator[Mapping[str, Any]]:
    for document in documents:
        if isinstance(document, Mapping):
            items = document.get("items")
            if document.get("kind") == "List" and isinstance(items, list):
                yield from (item for item in items if isinstance(item, Mapping))
            else:
                yield document
