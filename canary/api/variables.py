"""The variables of analysis templates: `${namespace}`, `${canaryHash}`, `${args.x}`."""

from __future__ import annotations

import re
from difflib import get_close_matches
from enum import StrEnum
from typing import Final

ARGUMENT_PREFIX: Final = "args."
_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")


class Variable(StrEnum):
    """Variables that every template has, with a value for each Rollout."""

    NAMESPACE = "namespace"
    """The Rollout's namespace."""
    ROLLOUT = "rollout"
    """The Rollout's name."""
    WORKLOAD = "workload"
    """The Deployment's name; the canary's is `${workload}-canary`."""
    STABLE_SERVICE = "stableService"
    """The Service in Git: while a release runs it selects stable's pods only."""
    CANARY_SERVICE = "canaryService"
    """The Service of the canary."""
    SERVICE_PORT = "servicePort"
    """The Service's port, as a number."""
    STABLE_HASH = "stableHash"
    """Kubernetes' pod-template-hash of stable's pods."""
    CANARY_HASH = "canaryHash"
    """Kubernetes' pod-template-hash of the canary's pods."""


def variables_in(text: str) -> tuple[str, ...]:
    """Names of the variables in a text, in order, `args.x` included.

    >>> variables_in('up{namespace="${namespace}", job="${args.job}"}')
    ('namespace', 'args.job')
    """
    return tuple(_VARIABLE.findall(text))


def unknown_variable(name: str, arguments: frozenset[str]) -> str | None:
    """A sentence about a name that is no variable, or None when it is one."""
    if name.startswith(ARGUMENT_PREFIX):
        argument = name.removeprefix(ARGUMENT_PREFIX)
        if argument in arguments:
            return None
        nearest = [f"{ARGUMENT_PREFIX}{near}" for near in get_close_matches(argument, sorted(arguments), n=1)]
        mend = "declare it under spec.args"
    else:
        if name in frozenset(Variable):
            return None
        nearest = get_close_matches(name, [str(variable) for variable in Variable], n=1)
        mend = f"known are {', '.join(Variable)} and args.<name>"
    return f"${{{name}}} is not a variable; {f'did you mean ${{{nearest[0]}}}?' if nearest else mend}"
