"""Output for programs: JSON and YAML as kubectl writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import typer

from canary.cli.cluster import Seen
from canary.cli.options import DataFormat


def document(seen: Seen) -> dict[str, object]:
    """Return the object as the API server has it, without the bookkeeping of server-side apply (as kubectl)."""
    metadata = seen.document.get("metadata")
    kept = {k: v for k, v in metadata.items() if k != "managedFields"} if isinstance(metadata, Mapping) else {}
    return {**seen.document, "metadata": kept}


def listing(found: Sequence[Seen]) -> dict[str, object]:
    """Return objects as Kubernetes' List."""
    return {"apiVersion": "v1", "kind": "List", "items": [document(seen) for seen in found]}


def emit(value: Mapping[str, object], form: DataFormat) -> None:
    """Print data on standard output."""
    if form is DataFormat.JSON:
        typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
        return
    import yaml  # noqa: PLC0415 -- only `-o yaml` needs it

    typer.echo(
        yaml.safe_dump(json.loads(json.dumps(value, default=str)), sort_keys=False, allow_unicode=True), nl=False
    )
