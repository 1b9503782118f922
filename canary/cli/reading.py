"""From the API server's document to what the commands read: the border where dictionaries end.

Tolerant of the spec, because a Rollout that the operator refuses is the one that people want to look at.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from canary.api.metadata import ObjectMeta
from canary.api.parse import parse_rollout
from canary.api.rollout import RolloutSpec
from canary.api.status import RolloutStatus
from canary.api.strategy import EffectiveStep
from canary.api.strategy import WeightStep as ApiWeightStep
from canary.cli.cluster import Seen
from canary.core.plan import ApprovalStep, Step, WeightStep
from canary.errors import SpecInvalid


def read(document: Mapping[str, object]) -> Seen:
    """Read one Rollout.

    Raises
    ------
    SpecInvalid
        The status says what this version does not know: the operator is newer than the command.
    """
    metadata = ObjectMeta.model_validate(document.get("metadata"))
    try:
        status = RolloutStatus.model_validate(document.get("status") or {})
    except ValidationError as error:
        raise SpecInvalid(
            f"the status of Rollout {metadata.namespace}/{metadata.name} is not understood ({_first(error)}); "
            "use a `canary` as new as the operator"
        ) from error
    spec: RolloutSpec | None = None
    problem = ""
    try:
        spec = parse_rollout({**document, "status": {}}).spec
    except SpecInvalid as error:
        problem = str(error)
    return Seen(
        namespace=metadata.namespace,
        name=metadata.name,
        resource_version=metadata.resource_version,
        generation=metadata.generation,
        status=status,
        spec=spec,
        spec_problem=problem,
        steps=tuple(_step(step) for step in spec.effective_steps()) if spec else (),
        annotations=metadata.annotations,
        created_at=metadata.creation_timestamp,
        document=document,
    )


def _step(step: EffectiveStep) -> Step:
    if isinstance(step, ApiWeightStep):
        return WeightStep(step.weight_percent, step.at_least_seconds, step.at_most_seconds)
    return ApprovalStep()


def _first(error: ValidationError) -> str:
    """Tell the first of the problems: where, and what."""
    problem = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}" if where else problem["msg"]
