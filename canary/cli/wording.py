"""Words for versions, times and shares, the same in every command."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from canary.cli.cluster import Seen
from canary.core.phases import Phase, Stage
from canary.core.promote import RETURN_WORSE

if TYPE_CHECKING:
    from canary.api.status import ReportBrief, Revision

SHORT_COMMIT = 7
"""Characters of a commit that people compare by eye, as git's own abbreviation."""


def span(seconds: float) -> str:
    """Say a length of time in at most two units.

    >>> span(5), span(75), span(3600), span(90061)
    ('5s', '1m15s', '1h', '1d1h')
    """
    rest = max(0, int(seconds))
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count or (parts and rest == 0 and not count):
            parts.append(f"{count}{unit}")
        if len(parts) == 2:
            break
    return "".join(part for part in parts if not part.startswith("0")) or "0s"


def since(then: datetime | None, now: datetime) -> str:
    """Say how long ago something was; `-` when it never was."""
    return span((now - then).total_seconds()) if then else "-"


def image(name: str) -> str:
    """Return the part of an image's name that tells versions apart.

    >>> image("registry.example:5000/shop/checkout:v1.5.0@sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f0")
    'checkout:v1.5.0'
    >>> image("shop/checkout@sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f0")
    'checkout@0f1e2d3c4b5a'
    """
    short = name.rpartition("/")[2]
    tagged, _, digest = short.partition("@")
    return tagged if ":" in tagged or not digest else f"{tagged}@{digest.rpartition(':')[2][:12]}"


def images(revision: Revision, other: Revision | None = None) -> str:
    """Name a version by its first image, or by the first in which it differs from the other version."""
    names = [n for n in revision.images if other is None or n not in other.images] or list(revision.images)
    return f"{image(names[0])} +{len(names) - 1}" if len(names) > 1 else image(names[0]) if names else ""


def version(revision: Revision | None, other: Revision | None = None) -> str:
    """Name a version in a word or two: images, else commit, else hash; `-` when there is none."""
    if revision is None:
        return "-"
    return images(revision, other) or revision.commit[:SHORT_COMMIT] or revision.template_hash[:10]


def phase(seen: Seen) -> str:
    """Name where a Rollout is, as `kubectl get rollouts` does; with the step or stage."""
    match seen.phase:
        case None:
            return "Unseen"
        case Phase.STEP if seen.status.step is not None:
            return f"Step {seen.status.step + 1}/{seen.status.steps or len(seen.steps)}"
        case Phase.PROMOTING if seen.stage is not None:
            return f"Promoting ({seen.stage.value})"
        case other:
            return other.value


def told_alone(report: ReportBrief) -> bool:
    """Whether the report's message says all that its metrics do, so that they need not be listed."""
    return all(metric.message in report.message for metric in report.metrics) and len(report.metrics) < 2


def turned_round(seen: Seen) -> str:
    """Say who the sides of the report are when they are not those of a release's steps; else nothing."""
    judged = seen.stage is Stage.RETURN or (seen.stage is Stage.REPIN and seen.status.reason == RETURN_WORSE)
    return "Here `canary` is the Deployment's new pods, and `stable` the canary copy." if judged else ""


STAGES = {
    Stage.SHIFT: "the canary grows to full size and takes 100 %",
    Stage.BAKE: "the canary is watched at 100 %; going back is one traffic change",
    Stage.PIN: "the Service is pinned to the canary",
    Stage.REPLACE: "the Deployment rolls to the new version; traffic stays on the canary",
    Stage.REPIN: "the Service is pinned to the Deployment's new pods",
    Stage.RETURN: "traffic returns from the canary to the Deployment, watched",
    Stage.CLEANUP: "the canary drains and goes",
    Stage.UNDO: "the Deployment is held again and stable comes back to full size; then it gets its traffic back",
}
"""What happens in each part of a promotion."""
