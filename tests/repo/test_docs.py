"""The documents name only what is there, and their examples are taken."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from canary import errors
from canary.analysis.metric import ValueMetric
from canary.api.language import Language
from canary.api.parse import parse_rollout, parse_template
from canary.cli.main import app
from canary.core.phases import Phase, Stage
from canary.git import outcome
from canary.metrics.templates import Tracks, metrics_of
from canary.operator.config import BindingSpec, ConfigFile, GitSpec, load
from canary.operator.source_kinds import ThanosSpec, VictoriaMetricsSpec
from canary.operator.source_spec import RemoteSpec
from canary.operator.sources import KINDS, SourceSpec

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "changes").glob("*.md"),
        *(ROOT / "analysis").glob("*.md"),
    ]
)
CAMEL_CASE = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)*")
TRACKS = Tracks("shop", "checkout", "checkout", "checkout", "checkout-canary", 80, "5d4", "6e5")


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text_of(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def anchors(text: str) -> set[str]:
    """Anchors of headings, as Git hosts make them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def yaml_blocks(path: Path) -> Iterator[Any]:
    for block in re.findall(r"^```yaml\n(.*?)^```", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL):
        yield from (document for document in yaml.safe_load_all(block) if document)


OBJECTS = [
    pytest.param(document, id=f"{relative(path)}:{document['kind']}:{index}")
    for path in DOCUMENTS
    for index, document in enumerate(yaml_blocks(path))
    if isinstance(document, dict) and str(document.get("apiVersion")).startswith("canary.delivery/")
]


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_every_relative_link_leads_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there.read_text(encoding="utf-8")), target


def test_every_document_can_be_reached_from_the_readme():
    reached: set[Path] = set()
    to_read = [ROOT / "README.md"]
    while to_read:
        path = to_read.pop()
        if path in reached:
            continue
        reached.add(path)
        links = re.findall(r"\]\(([^)\s#]+)", path.read_text(encoding="utf-8"))
        to_read += [there for link in links if (there := (path.parent / link).resolve()).suffix == ".md"]
    assert set((ROOT / "docs").glob("*.md")) <= reached


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_every_make_target_that_is_named_exists(path):
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = re.findall(r"(?:`|^    )make ([a-z0-9]+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert set(named) <= targets


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_every_path_of_the_project_that_is_named_exists(path):
    named = re.findall(
        r"`((?:canary|tests|deploy|analysis|docs|lab|benchmarks|crds|changes)/[\w./-]*)`",
        path.read_text(encoding="utf-8"),
    )
    for name in named:
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_every_command_of_canary_that_is_named_exists(path):
    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    named = re.findall(r"`canary ([a-z]+)", path.read_text(encoding="utf-8"))
    assert set(named) <= known | {"command"}


@pytest.mark.parametrize("document", OBJECTS)
def test_every_example_of_ours_is_taken(document):
    if document["kind"] == "Rollout":
        parse_rollout(document)
    else:
        assert metrics_of(parse_template(document), {}, TRACKS)


def test_the_readme_begins_with_the_two_commands():
    commands = re.findall(r"^    (make \w+)", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert commands[:2] == ["make demo", "make test"]


# --- troubleshooting


def reasons_of_the_core() -> set[str]:
    """CamelCase words in the core's code: reasons, and outcomes. Phases and stages are told in the concepts."""
    found = set()
    for file in (ROOT / "canary" / "core").glob("*.py"):
        if file.name == "phases.py":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CAMEL_CASE.fullmatch(node.value):
                found.add(node.value)
    return found


def reasons_of_errors() -> set[str]:
    classes = [errors.CanaryError]
    for each in classes:
        classes += each.__subclasses__()
    return {each.reason for each in classes if each.__module__ == errors.__name__}


def reasons_of_reverts() -> set[str]:
    return {each.reason for each in vars(outcome).values() if isinstance(each, type) and hasattr(each, "reason")}


def test_the_reasons_are_found():
    assert {"AnalysisFailed", "NoData", "RollStuck", "AlreadyOwned"} <= reasons_of_the_core()
    assert {"SpecInvalid", "ApiConflict"} <= reasons_of_errors()
    assert {"Reverted", "BroughtBack", "NotFromGit"} <= reasons_of_reverts()


@pytest.mark.parametrize("reason", sorted(reasons_of_the_core() | reasons_of_errors() | reasons_of_reverts()))
def test_every_reason_is_explained(reason):
    assert f"`{reason}`" in text_of("troubleshooting.md")


@pytest.mark.parametrize("word", [*Phase, *Stage])
def test_every_phase_and_stage_is_explained_and_drawn(word):
    text = text_of("concepts.md")
    drawings = "".join(re.findall(r"```mermaid.*?```", text, flags=re.DOTALL))
    assert f"| `{word}` |" in text
    assert re.search(rf"\b{word}\b", drawings)


# --- configuration


def fields(model: type[BaseModel], path: str, known: type[BaseModel] = BaseModel) -> set[str]:
    """Paths of a model's fields, without those that another has too."""
    return {f"{path}{field.alias}" for name, field in model.model_fields.items() if name not in known.model_fields}


FIELDS = sorted(
    fields(ConfigFile, "")
    | fields(GitSpec, "git.")
    | fields(BindingSpec, "git.bindings[].")
    | {"metrics.NAME.KIND"}
    | fields(RemoteSpec, "metrics.NAME.KIND.")
    | fields(ThanosSpec, "metrics.NAME.prometheus.thanos.")
    | fields(VictoriaMetricsSpec, "metrics.NAME.prometheus.victoriaMetrics.")
    | {each for kind, model in KINDS.items() for each in fields(model, f"metrics.NAME.{kind}.", known=RemoteSpec)}
)


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_of_the_configuration_is_documented(field):
    if field == "git":
        assert "git.cache" in FIELDS
        return
    rows = [line.split("|")[1] for line in text_of("configuration.md").splitlines() if line.startswith("|")]
    assert any(f"`{field}`" in row for row in rows)


def test_no_field_is_documented_that_does_not_exist():
    for row in (line.split("|")[1] for line in text_of("configuration.md").splitlines() if line.startswith("| `")):
        assert set(re.findall(r"`([^`]+)`", row)) <= set(FIELDS)


def test_the_examples_of_metric_sources_are_taken_and_each_language_has_one():
    sources, languages = set(), set()
    for document in yaml_blocks(ROOT / "docs" / "metric-sources.md"):
        if isinstance(document, dict):
            sources |= {type(SourceSpec.model_validate(spec).kind) for spec in document["metrics"].values()}
            continue
        for metric in document:
            spec = {"args": [{"name": "service", "default": "SERVICE-1"}], "metrics": [metric]}
            kind = {"apiVersion": "canary.delivery/v1alpha1", "kind": "ClusterAnalysisTemplate"}
            (made,) = metrics_of(parse_template({**kind, "metadata": {"name": "t"}, "spec": spec}), {}, TRACKS)
            assert isinstance(made, ValueMetric)
            languages.add(made.language)
    assert sources == set(KINDS.values())
    assert languages == set(Language) - {Language.PROMQL}


def test_the_example_configuration_is_taken_and_is_the_one_in_the_document(tmp_path):
    example = ROOT / "deploy" / "overlays" / "contour" / "config.yaml"
    document = yaml.safe_load(example.read_text())
    assert document in list(yaml_blocks(ROOT / "docs" / "configuration.md"))
    token = tmp_path / "token"
    token.write_text("secret")
    config = tmp_path / "config.yaml"
    config.write_text(example.read_text().replace("/var/run/secrets/canary-git/token", str(token)))
    (binding,) = load(config).bindings().bindings
    assert binding.name == "shop"


# --- GitOps engines


def test_the_health_checks_in_the_document_are_those_that_deploy_has():
    (shown,) = (d for d in yaml_blocks(ROOT / "docs" / "setup-flux.md") if d.get("kind") == "Kustomization")
    (ours,) = yaml.safe_load_all((ROOT / "deploy" / "flux" / "kustomization.yaml").read_text())
    assert shown["spec"]["healthCheckExprs"] == ours["spec"]["healthCheckExprs"]
    assert {each["kind"] for each in ours["spec"]["healthCheckExprs"]} == {"Deployment", "Rollout"}


def test_the_application_in_the_document_compares_on_the_server():
    (shown,) = (d for d in yaml_blocks(ROOT / "docs" / "setup-argocd.md") if d.get("kind") == "Application")
    (advised, *_) = yaml_blocks(ROOT / "deploy" / "argocd" / "README.md")
    assert shown["metadata"]["annotations"] == advised["metadata"]["annotations"]
    assert shown["spec"]["syncPolicy"]["syncOptions"] == advised["spec"]["syncPolicy"]["syncOptions"]
