"""The CRDs, generated from the models: `python -m canary.api.crd [--check] crds`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel
from typing_extensions import override

from canary.api.names import GROUP, VERSION
from canary.api.rollout import Rollout
from canary.api.schema import structural
from canary.api.template import AnalysisTemplate, ClusterAnalysisTemplate

_HEADER: Final = "# Generated from canary/api by `python -m canary.api.crd crds`: change the models instead.\n"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`."""

    name: str
    path: str
    """JSONPath below the object."""
    description: str
    type: str = "string"
    wide: bool = False
    """Only with `-o wide`."""

    def entry(self) -> dict[str, Any]:
        """The column as the CRD says it."""
        entry = {"name": self.name, "type": self.type, "jsonPath": self.path, "description": self.description}
        return entry | ({"priority": 1} if self.wide else {})


@dataclass(frozen=True, slots=True)
class Resource:
    """A custom resource and how kubectl calls it."""

    model: type[BaseModel]
    plural: str
    short_names: tuple[str, ...]
    """Not Argo Rollouts' `ro`, `at` and `cat`: both controllers may be in one cluster while a team moves."""
    columns: tuple[Column, ...]
    scope: str = "Namespaced"
    has_status: bool = False

    @property
    def file_name(self) -> str:
        """The file under crds/."""
        return f"{GROUP}_{self.plural}.yaml"

    def definition(self) -> dict[str, Any]:
        """The CustomResourceDefinition."""
        kind = self.model.__name__
        version: dict[str, Any] = {"name": VERSION, "served": True, "storage": True}
        if self.has_status:
            version["subresources"] = {"status": {}}
        version["additionalPrinterColumns"] = [column.entry() for column in self.columns]
        version["schema"] = {"openAPIV3Schema": structural(self.model)}
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": f"{self.plural}.{GROUP}",
                "labels": {"app.kubernetes.io/name": "canary", "app.kubernetes.io/part-of": "canary"},
            },
            "spec": {
                "group": GROUP,
                "names": {
                    "kind": kind,
                    "listKind": f"{kind}List",
                    "plural": self.plural,
                    "singular": kind.lower(),
                    "shortNames": list(self.short_names),
                    "categories": ["canary"],
                },
                "scope": self.scope,
                "versions": [version],
            },
        }


_AGE: Final = Column("Age", ".metadata.creationTimestamp", "Since when the object exists.", type="date")
_DESCRIPTION: Final = Column("Description", ".spec.description", "What the template is for.")

RESOURCES: Final = (
    Resource(
        Rollout,
        "rollouts",
        ("cro",),
        (
            Column(
                "Ready",
                '.status.conditions[?(@.type=="Ready")].status',
                "True: the version in Git serves everybody.",
            ),
            Column("Phase", ".status.phase", "Where the Rollout is."),
            Column("Step", ".status.step", "Index of the step that is watched, from 0.", type="integer"),
            Column("Weight", ".status.weight", "Share of requests for the canary, in percent.", type="integer"),
            _AGE,
            Column("Message", ".status.message", "What is going on and what to do next."),
            Column("Stable", ".status.stable.images[0]", "First image of the stable version.", wide=True),
            Column("Candidate", ".status.candidate.images[0]", "First image of the version tried.", wide=True),
        ),
        has_status=True,
    ),
    Resource(AnalysisTemplate, "analysistemplates", ("atpl",), (_DESCRIPTION, _AGE)),
    Resource(ClusterAnalysisTemplate, "clusteranalysistemplates", ("catpl",), (_DESCRIPTION, _AGE), scope="Cluster"),
)
"""Every custom resource of Canary."""


class _Dumper(yaml.SafeDumper):
    """Writes each list and rule in full, so that the file is the same wherever it is made and its diff is readable."""

    @override
    def ignore_aliases(self, _data: object) -> bool:  # an anchor in a CRD is legal and unreadable
        return True


def rendered() -> dict[str, str]:
    """The generated files by name."""
    return {
        resource.file_name: _HEADER
        + yaml.dump(resource.definition(), Dumper=_Dumper, sort_keys=False, width=118, allow_unicode=True)
        for resource in RESOURCES
    }


def manifests() -> str:
    """Every CRD as one YAML stream, for `kubectl apply --server-side -f -`."""
    return "---\n".join(rendered().values())


def drift(folder: Path) -> list[str]:
    """Names of files in a folder that are not as they would be generated, missing and left-over ones included."""
    wanted = rendered()
    present = {file.name: file.read_text() for file in sorted(folder.glob("*.yaml"))}
    return sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the CRDs, or with --check say which are out of date."""
    parser = argparse.ArgumentParser(prog="python -m canary.api.crd", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="where the CRDs are, as a rule crds")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a file is out of date")
    options = parser.parse_args(arguments)
    stale = drift(options.folder)
    if options.check:
        for name in stale:
            sys.stderr.write(
                f"{options.folder / name} is not what canary/api says: run python -m canary.api.crd {options.folder}\n"
            )
        return 1 if stale else 0
    wanted = rendered()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name in wanted:
            (options.folder / name).write_text(wanted[name])
        else:
            (options.folder / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
