"""docs/rollout-reference.md is what the models say."""

from __future__ import annotations

from pathlib import Path

from canary.api.crd import RESOURCES
from canary.api.reference import main, render
from canary.api.schema import Schema, structural
from canary.api.served import NOT_SERVED

DOCUMENT = Path(__file__).parents[2] / "docs" / "rollout-reference.md"


def fields(schema: Schema, path: str = "") -> set[str]:
    """Paths of everything below a schema."""
    found = set()
    for name, child in schema.get("properties", {}).items():
        here = f"{path}.{name}".removeprefix(".")
        found |= {here} | fields(child, here) | fields(child.get("items", {}), f"{here}[]")
    return found


def test_the_document_is_what_the_models_say():
    assert DOCUMENT.read_text(encoding="utf-8") == render(), (
        "run: python -m canary.api.reference docs/rollout-reference.md"
    )


def test_check_fails_on_a_changed_and_on_a_missing_document(tmp_path, capsys):
    document = tmp_path / "reference.md"
    assert main(["--check", str(document)]) == 1
    assert main([str(document)]) == main(["--check", str(document)]) == 0
    document.write_text("# Reference")
    assert main(["--check", str(document)]) == 1
    assert str(document) in capsys.readouterr().err


def test_every_kind_and_every_field_has_a_row():
    text = render()
    for resource in RESOURCES:
        assert f"\n## {resource.model.__name__}\n" in text
        for path in fields(structural(resource.model)):
            if path.startswith(("spec.", "status.")):
                assert f"| `{path}` |" in text, path


def test_everything_that_is_not_served_is_listed_with_what_to_do():
    text = render().partition("## Not served yet")[2]
    for entry in NOT_SERVED:
        what = entry.path if entry.value is None else f"{entry.path}: {entry.value}"
        assert f"| `{what}` | {entry.instead} |" in text


def test_a_table_has_as_many_cells_in_every_row():
    for line in render().splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") == 4, line
