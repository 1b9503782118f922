"""What a traffic provider is: it names its objects, reads them, and renders writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from canary.api.patch import Manifest, ObjectRef, Owner, Patch
from canary.core.observed import TrafficView

Objects: TypeAlias = Mapping[ObjectRef, Manifest | None]
"""The objects that a provider asked for, as they were last read; None for one that does not exist."""


@dataclass(frozen=True, slots=True)
class Split:
    """Between whom traffic is split, the same for every provider."""

    owner: Owner
    """The Rollout."""
    namespace: str
    service: str
    """The root Service: stable's."""
    canary: str
    """The canary's Service."""
    port: int
    policies: bool
    """Whether the admission policies keep what is written in annotations; without them the fields are written as
    well."""


class Provider(Protocol):
    """Five verbs; a provider never decides, and never says what the gateway did not."""

    def needs(self) -> tuple[ObjectRef, ...]:
        """Return the objects that the other methods want to be given."""

    def read(self, objects: Objects) -> TrafficView | None:
        """Return the split and whether it is in force; None when the user's object does not exist."""

    def label(self, objects: Objects, *, on: bool) -> tuple[Patch, ...]:
        """Return the writes that bring the object under the policies (a managed object: into being), or take it out."""

    def set_weight(self, objects: Objects, weight: int, resource_version: str | None) -> tuple[Patch, ...]:
        """Return the writes that give the canary `weight` percent.

        With a resource version the write fails with a conflict if the object changed since; without, it is forced.

        Raises
        ------
        NotFound
            The user's object does not exist.
        RouteNotOwned
            It belongs to another Rollout.
        """

    def restore(self, objects: Objects) -> tuple[Patch, ...]:
        """Return the writes that leave the object as Git has it; none when nothing of ours is in it."""
