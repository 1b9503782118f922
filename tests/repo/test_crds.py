"""The CRDs are what the models say, and what the API server takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from canary.api.crd import RESOURCES, drift, main, manifests, rendered
from canary.api.rollout import Rollout
from canary.api.schema import Schema, node_at, structural
from canary.api.served import NOT_SERVED
from canary.api.template import AnalysisTemplate, ClusterAnalysisTemplate

CRDS = Path(__file__).parents[2] / "crds"
MODELS: dict[str, type[BaseModel]] = {
    "Rollout": Rollout,
    "AnalysisTemplate": AnalysisTemplate,
    "ClusterAnalysisTemplate": ClusterAnalysisTemplate,
}
STRUCTURAL = {
    "additionalProperties", "description", "enum", "format", "items", "maxItems", "maxLength", "maxProperties", "maximum",
    "minItems", "minLength", "minimum", "pattern", "properties", "required", "type", "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations",
}  # fmt: skip


def walk(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every part of a schema with its path."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}".removeprefix("."))
    if "items" in schema:
        yield from walk(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from walk(schema["additionalProperties"], f"{path}{{}}")


PARTS = [
    pytest.param(path, part, id=f"{kind}:{path}")
    for kind, model in MODELS.items()
    for path, part in walk(structural(model))
]


def test_the_committed_crds_are_what_the_models_say():
    assert drift(CRDS) == [], "run: python -m canary.api.crd crds"


def test_generating_twice_gives_the_same_files():
    assert rendered() == rendered()


def test_a_changed_a_missing_and_a_left_over_file_are_drift(tmp_path, capsys):
    assert main([str(tmp_path)]) == 0
    assert main(["--check", str(tmp_path)]) == 0
    changed, missing, *_ = sorted(rendered())
    (tmp_path / changed).write_text("{}")
    (tmp_path / missing).unlink()
    (tmp_path / "old.yaml").write_text("{}")
    assert main(["--check", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert all(name in told for name in (changed, missing, "old.yaml"))
    main([str(tmp_path)])
    assert drift(tmp_path) == []


def test_the_stream_has_every_crd():
    kinds = [document["spec"]["names"]["kind"] for document in yaml.safe_load_all(manifests())]
    assert kinds == list(MODELS)


@pytest.mark.parametrize(("path", "part"), PARTS)
def test_every_part_is_structural_bounded_and_described(path, part):
    assert part.keys() <= STRUCTURAL
    assert "type" in part
    if path.endswith(("[]", "{}")) or path == "metadata" or path.startswith("metadata."):
        pass  # the list or map above has the text
    else:
        assert part.get("description")
    if part["type"] == "array":
        assert part["maxItems"] <= 64
    if part["type"] == "string" and path not in ("apiVersion", "kind"):
        assert "maxLength" in part or "enum" in part or part.get("format") == "date-time"
    if "additionalProperties" in part:
        assert part["maxProperties"] <= 64


@pytest.mark.parametrize(("path", "part"), PARTS)
def test_no_part_has_a_default_or_a_float(path, part):
    assert part["type"] != "number"
    assert "default" not in part


@pytest.mark.parametrize("entry", NOT_SERVED, ids=lambda entry: entry.message)
def test_every_line_of_the_table_names_a_field_and_a_value_of_the_schema(entry):
    for kind in entry.kinds:
        part = node_at(structural(MODELS[kind]), entry.path)
        assert entry.value is None or entry.value in part["enum"]


@pytest.mark.parametrize("kind", MODELS)
def test_a_field_whose_text_says_not_served_is_in_the_table_and_no_other(kind):
    told = {
        path
        for path, part in walk(structural(MODELS[kind]))
        if "Not served yet" in part.get("description", "") and not any(c in path.rpartition(".")[2] for c in "[{")
    }
    refused = {entry.path for entry in NOT_SERVED if kind in entry.kinds and entry.value is None}
    assert told == refused


def test_short_names_are_not_argo_rollouts():
    taken = {"ro", "at", "cat", "ar", "exp", "canary", "canaries", "deploy", "svc"}
    assert not taken & {name for resource in RESOURCES for name in resource.short_names}
