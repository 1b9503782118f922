"""How the series of a Rollout's two tracks are told apart: by labels whose values are its own."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, model_validator

from canary.api.model import SpecModel, given, rules
from canary.api.text import Identifier, KeyedBy, Line


class Match(StrEnum):
    """How a label is compared with its value."""

    EXACT = "exact"
    """Equal; variables are put in as they are."""
    REGEX = "regex"
    """RE2, anchored at both ends as in PromQL; variables are escaped in it."""


_VALUE_OR_TRACKS: Final = "give either value (the same on both tracks) or both stable and canary"


class IdentityLabel(SpecModel):
    """A label of the series, and its value on each track."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("has(self.value) != has(self.stable) && has(self.stable) == has(self.canary)", _VALUE_OR_TRACKS)
        )
    )

    name: Identifier
    """Name of the label, for example `namespace` or `envoy_cluster_name`."""
    value: Line | None = None
    """Value on both tracks, for example `${namespace}`. Either this, or `stable` and `canary`."""
    stable: Line | None = None
    """Value on stable's series, for example `${stableHash}`."""
    canary: Line | None = None
    """Value on the canary's series, for example `${canaryHash}`."""
    match: Match = Match.EXACT
    """exact or regex (RE2, anchored; variables are escaped). Absent: exact."""

    @model_validator(mode="after")
    def _value_or_tracks(self) -> Self:
        if given(self, "value", "stable", "canary") not in (["value"], ["stable", "canary"]):
            raise ValueError(_VALUE_OR_TRACKS)
        return self

    @property
    def splits_tracks(self) -> bool:
        """Whether the two tracks differ in this label."""
        return self.value is None

    @property
    def stable_text(self) -> str:
        """Value on stable's series, variables not filled in."""
        return self.value or self.stable or ""

    @property
    def canary_text(self) -> str:
        """Value on the canary's series, variables not filled in."""
        return self.value or self.canary or ""


_TRACKS_DIFFER: Final = "at least one identity label must differ between stable and canary, else both are one series"


class Identity(SpecModel):
    """The labels by which series belong to a Rollout and to a track."""

    model_config = ConfigDict(json_schema_extra=rules(("self.labels.exists(l, has(l.stable))", _TRACKS_DIFFER)))

    labels: Annotated[tuple[IdentityLabel, ...], Field(min_length=1, max_length=8), KeyedBy("name")]
    """Together they must name one workload on one track: include the namespace, where the series have it. The queries
    are grouped by these labels. Pods of one track are told apart by the label `pod`, where the series have it."""

    @model_validator(mode="after")
    def _tracks_differ(self) -> Self:
        if not any(label.splits_tracks for label in self.labels):
            raise ValueError(_TRACKS_DIFFER)
        return self

    def texts(self) -> tuple[str, ...]:
        """Every text in which variables may stand."""
        return tuple(text for label in self.labels for text in (label.stable_text, label.canary_text))
