"""Finding the Rollout that somebody means, and helping when there is none of that name."""

from __future__ import annotations

from contextlib import suppress
from difflib import get_close_matches

from canary.cli.cluster import Seen
from canary.cli.exits import NotInstalled
from canary.cli.session import Place
from canary.errors import CanaryError, NotFound

KINDS = frozenset({"cro", "rollout", "rollouts", "rollout.canary.delivery", "rollouts.canary.delivery"})


def bare(name: str) -> str:
    """Take the kind off a name as `canary get -o name` prints it.

    >>> bare("rollout.canary.delivery/checkout")
    'checkout'
    """
    kind, slash, rest = name.partition("/")
    return rest if slash and kind.lower() in KINDS else name


def find(place: Place, name: str) -> Seen:
    """Read a Rollout by its name; raises NotFound with the nearest names there are."""
    name = bare(name)
    try:
        return place.cluster.get_rollout(place.namespace, name)
    except NotInstalled:
        raise
    except NotFound as error:
        raise NotFound(f'no Rollout "{name}" in namespace "{place.namespace}"{_hint(place, name)}') from error


def _hint(place: Place, name: str) -> str:
    """Say which Rollout may be meant; says nothing when this user may not look."""
    here: tuple[Seen, ...] = ()
    with suppress(CanaryError):
        here = place.cluster.list_rollouts(place.namespace)
    if near := get_close_matches(name, [seen.name for seen in here], n=3, cutoff=0.6):
        return f"; did you mean {' or '.join(near)}?"
    with suppress(CanaryError):
        for seen in place.cluster.list_rollouts(None):
            if seen.name == name:
                return f"; it is in namespace {seen.namespace}: add `-n {seen.namespace}`"
    return f"; there are: {', '.join(seen.name for seen in here[:8])}" if here else "; `canary get -A` lists all"
