"""From an object of the API server to a model, or to one sentence that says what is wrong with it and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from canary.api.rollout import Rollout
from canary.api.schema import Schema, schema_of
from canary.api.served import not_served_in
from canary.api.template import AnalysisTemplate, ClusterAnalysisTemplate, Template
from canary.errors import SpecInvalid

Document = Mapping[str, Any]
"""A custom resource as the API server returns it in JSON."""

_Model = TypeVar("_Model", Rollout, AnalysisTemplate, ClusterAnalysisTemplate)
_TEMPLATES: Final[dict[str, type[AnalysisTemplate | ClusterAnalysisTemplate]]] = {
    "AnalysisTemplate": AnalysisTemplate,
    "ClusterAnalysisTemplate": ClusterAnalysisTemplate,
}
_MODELS: Final[dict[str, type[Rollout | AnalysisTemplate | ClusterAnalysisTemplate]]] = {
    "Rollout": Rollout,
    **_TEMPLATES,
}


def parse_rollout(document: Document) -> Rollout:
    """Read a Rollout.

    Raises
    ------
    SpecInvalid
        It says what cannot be, or what this version does not serve; the message names object, field and mend.
    """
    return _parse(Rollout, document)


def parse_template(document: Document) -> Template:
    """Read an AnalysisTemplate or ClusterAnalysisTemplate, by its kind.

    Raises
    ------
    SpecInvalid
        As `parse_rollout`, and for any other kind.
    """
    kind = str(document.get("kind", ""))
    if kind == "AnalysisTemplate":
        return _parse(AnalysisTemplate, document)
    if kind == "ClusterAnalysisTemplate":
        return _parse(ClusterAnalysisTemplate, document)
    raise SpecInvalid(f"{_named(document)}: the kind of a template is {' or '.join(_TEMPLATES)}")


def problems_of(document: Document) -> tuple[str, ...]:
    """Say everything that is wrong with a Rollout or template, a sentence each, which begins with the field's path.

    Raises
    ------
    SpecInvalid
        For any other kind.
    """
    kind = str(document.get("kind", ""))
    if kind not in _MODELS:
        raise SpecInvalid(f"{_named(document)}: the kind is {', '.join(_MODELS)}")
    return tuple(_problems(_MODELS[kind], document))


def _parse(model: type[_Model], document: Document) -> _Model:
    # Before the models' own errors, because it explains them: `traffic: {istio: ...}` is no misspelling.
    for refused in not_served_in(model.__name__, document):
        raise SpecInvalid(f"{_named(document, model.__name__)}: {refused.message}")
    try:
        return model.model_validate(document, by_alias=True, by_name=False)
    except ValidationError as error:
        problems = _sentences(model, error)
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise SpecInvalid(f"{_named(document, model.__name__)}: {problems[0]}{more}") from error


def _problems(model: type[Rollout | AnalysisTemplate | ClusterAnalysisTemplate], document: Document) -> Iterator[str]:
    yield from (refused.message for refused in not_served_in(model.__name__, document))
    try:
        model.model_validate(document, by_alias=True, by_name=False)
    except ValidationError as error:
        yield from _sentences(model, error)


def _sentences(model: type[Rollout | AnalysisTemplate | ClusterAnalysisTemplate], error: ValidationError) -> list[str]:
    problems = error.errors(include_url=False)
    # Pydantic counts only the good items: a list with nothing but bad ones is no list that is too short.
    bad = {problem["loc"][: len(problem["loc"]) - n] for problem in problems for n in range(1, len(problem["loc"]))}
    told = [p for p in problems if not (p["type"] == "too_short" and p["loc"] in bad)]
    return [sentence(problem, schema_of(model)) for problem in told]


def _named(document: Document, kind: str = "") -> str:
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    place = "/".join(str(metadata[part]) for part in ("namespace", "name") if metadata.get(part))
    return f"{kind or document.get('kind', 'Object')} {place or '(without a name)'}"


def sentence(problem: ErrorDetails, schema: Schema) -> str:
    """Say what is wrong with a field, and what it may be, in words that do not need pydantic's."""
    location = [part for part in problem["loc"] if part != "[key]"]
    path = _path(location)
    match problem["type"]:
        case "extra_forbidden":
            return f"{path} is not a field; {_nearest(str(location[-1]), _fields_at(schema, location[:-1]))}"
        case "missing":
            return f"{path} is missing"
        case "enum" | "literal_error":
            if problem["input"] is False:  # YAML 1.1 reads a bare `off` so
                return f'{path}: write "off" in quotes, YAML reads a bare off as false'
            return (
                f"{path}: must be {problem.get('ctx', {}).get('expected', 'another value')}, not {problem['input']!r}"
            )
        case "string_pattern_mismatch":
            return f"{path}: {problem['input']!r} does not fit. {_description(schema, location)}"
        case "value_error":
            said = problem["msg"].removeprefix("Value error, ")
            return f"{path}: {said}" if path else said
        case _:
            return f"{path}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"


def _path(location: list[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")


def _fields_at(schema: Schema, location: list[str | int]) -> list[str]:
    return sorted(_at(schema, location).get("properties", ()))


def _description(schema: Schema, location: list[str | int]) -> str:
    schema = _at(schema, location)
    return str(schema.get("description", f"The form is {schema.get('pattern', 'another')}"))


def _at(schema: Schema, location: list[str | int]) -> Schema:
    for part in location:
        if isinstance(part, int):
            schema = schema["items"]
        else:
            schema = schema.get("properties", {}).get(part) or schema["additionalProperties"]
    return schema


def _nearest(name: str, known: list[str]) -> str:
    by_lower_case = {field.lower(): field for field in known}
    nearest = get_close_matches(name.lower(), by_lower_case, n=1)
    return f"did you mean {by_lower_case[nearest[0]]}?" if nearest else f"known are {', '.join(known) or 'none'}"
