"""Whether stable's pods alone would carry the whole load, by the user's own HorizontalPodAutoscaler.

The canary's pods carry the original's labels, so the autoscaler averages over both versions. Within its tolerance it
does not grow stable while the canary helps to carry the load, and canary pods that are not ready stop a scale-up: a
rollback would then meet too few stable pods. So the autoscaler's own computation is done once more, for a world in
which the canary is gone and its load is stable's.

CPU and memory are computed from the pods' metrics, as the autoscaler does it; other metrics from the values that the
autoscaler tells. What cannot be read is said, and does not pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from canary.api.names import LABEL_TRACK
from canary.api.patch import Manifest, labels_of
from canary.core.observed import LoadView
from canary.workload.hpa_formula import (
    TOLERANCE,
    PodUse,
    Standing,
    Target,
    Tolerances,
    Uncomputed,
    pod_uses,
    replicas,
)
from canary.workload.quantity import amount

FRESH_SECONDS = 120.0
"""How old a pod's newest sample may be, and how long a ready pod may be without one: its load was measured at the
others until then. Longer than metrics servers take."""

_FIELD = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "External": "external",
    "Object": "object",
}


def hpas_of(hpas: Iterable[Manifest], deployment_name: str) -> tuple[Manifest, ...]:
    """Return the autoscalers of a Deployment among those of its namespace. Two are a mistake, which they tell."""
    return tuple(
        hpa
        for hpa in hpas
        if hpa["spec"]["scaleTargetRef"].get("kind") == "Deployment"
        and hpa["spec"]["scaleTargetRef"].get("name") == deployment_name
    )


def reads_pod_metrics(hpas: Iterable[Manifest]) -> bool:
    """Return whether the pods' metrics have to be read for these autoscalers."""
    return any(m["type"] in ("Resource", "ContainerResource") for hpa in hpas for m in hpa["spec"].get("metrics") or ())


def load_view(
    hpas: Sequence[Manifest],
    deployment: Manifest,
    pods: Iterable[Manifest],
    metrics: Sequence[Manifest] | str,
    now: float,
) -> LoadView:
    """Tell whether stable's ready pods would carry the present load alone; if not why, and how many would.

    Parameters
    ----------
    hpas
        The Deployment's autoscalers; without any, nothing speaks against it.
    pods
        Of both versions.
    metrics
        Their PodMetrics, or why those could not be read.
    """
    every = tuple(pods)
    views = (_view(_Question(hpa, deployment, every, metrics, now)) for hpa in hpas)
    return next((view for view in views if not view.enough), LoadView())


@dataclass(frozen=True, slots=True)
class _Question:
    """One autoscaler, and what it looks at."""

    hpa: Manifest
    deployment: Manifest
    pods: tuple[Manifest, ...]
    metrics: Sequence[Manifest] | str
    now: float

    @property
    def name(self) -> str:
        return f"HorizontalPodAutoscaler {self.hpa['metadata']['name']}"

    @property
    def status(self) -> Manifest:
        return self.hpa.get("status") or {}

    @property
    def current(self) -> int:
        """Pods that the Deployment wants."""
        return int(self.deployment["spec"].get("replicas", 1))

    @property
    def running(self) -> tuple[PodUse, ...]:
        """Pods that neither end nor have failed, whatever they use."""
        uses = pod_uses(self.pods, (), "", "", self.now)
        return tuple(p for p in uses if p.standing is not Standing.IGNORED)

    @property
    def tolerances(self) -> Tolerances:
        behavior = self.hpa["spec"].get("behavior") or {}
        down, up = ((behavior.get(way) or {}).get("tolerance") for way in ("scaleDown", "scaleUp"))
        return Tolerances(TOLERANCE if down is None else amount(down), TOLERANCE if up is None else amount(up))

    def clamped(self, count: int) -> int:
        """Within the autoscaler's minimum and maximum."""
        spec = self.hpa["spec"]
        return min(max(count, int(spec.get("minReplicas", 1))), int(spec["maxReplicas"]))


@dataclass(frozen=True, slots=True)
class _Answer:
    """By one metric."""

    alone: int
    """The count for the whole load on stable's pods alone."""
    with_canary: int
    """The controller's own, with the canary there."""
    metric: str


def _view(question: _Question) -> LoadView:
    spec = question.hpa["spec"]
    up = (spec.get("behavior") or {}).get("scaleUp") or {}
    canaries = {p["metadata"]["name"] for p in question.pods if LABEL_TRACK in labels_of(p)}
    stable = sum(p.ready for p in question.running if p.name not in canaries)
    if stable == 0:
        return LoadView(enough=False, why="no stable pod is ready")
    if stable >= int(spec["maxReplicas"]) or up.get("selectPolicy") == "Disabled":
        return LoadView()  # as large as it would be without a canary
    if blind := _blind(question.status):
        return LoadView(enough=False, why=f"{question.name} does not scale now: {blind}")
    answers = [_answer(question, metric, stable, canaries) for metric in spec.get("metrics") or ()]
    known = [a for a in answers if isinstance(a, _Answer)]
    worst = max(known, key=lambda a: a.alone, default=_Answer(stable, stable, "minReplicas"))
    needs = question.clamped(worst.alone)
    if needs > stable:
        by = worst.metric if worst.alone > stable else "minReplicas"
        # Pods that are wanted already come without the autoscaler's doing.
        asked = needs <= question.current
        unready = any(not p.ready for p in question.running if p.name in canaries)
        got = question.clamped(max((a.with_canary for a in known), default=stable))
        grown = math.floor(needs / (1 - min(question.tolerances.down, 0.5))) - stable + 1
        return LoadView(
            enough=False,
            why=f"by {by} of {question.name} the load needs {needs} pods, stable has {stable} ready",
            needs=needs,
            canary_at_least=0 if asked else max(1, grown),
            blocked=unready and not asked and got < needs,
        )
    unknown = next((a for a in answers if isinstance(a, Uncomputed)), None)
    return LoadView(enough=False, why=f"{question.name} cannot be computed: {unknown.why}") if unknown else LoadView()


def _answer(question: _Question, metric: Manifest, stable: int, canaries: set[str]) -> _Answer | Uncomputed:
    if metric["type"] in ("Resource", "ContainerResource"):
        return _by_pods(question, metric, stable, canaries)
    return _by_status(question, metric, stable)


def _by_pods(question: _Question, metric: Manifest, stable: int, canaries: set[str]) -> _Answer | Uncomputed:
    body = metric[_FIELD[metric["type"]]]
    name, container, target = str(body["name"]), str(body.get("container") or ""), _target(body["target"])
    if isinstance(question.metrics, str):
        return Uncomputed(f"the pods' metrics cannot be read: {question.metrics}")
    if target is None:
        return Uncomputed(f"its target for {name} cannot be read")
    uses = pod_uses(question.pods, question.metrics, name, container, question.now)
    serving = [p for p in uses if p.ready]
    if old := next((p for p in serving if _overdue(p, question.now)), None):
        return Uncomputed(f"no {name} of pod {old.name} has been measured for {FRESH_SECONDS:.0f} s")
    own = [p for p in serving if p.name not in canaries]
    # Memory does not move with the traffic: only stable's own counts.
    loaded = own if name == "memory" else serving
    used = sum(p.usage or 0 for p in loaded if _fresh(p, question.now))
    if used == 0 and not any(_fresh(p, question.now) for p in loaded):
        return Uncomputed(f"no {name} of any pod has been measured yet")
    share, rest = divmod(used, stable)
    shared = [replace(p, usage=share + (i < rest), standing=Standing.MEASURED) for i, p in enumerate(own)]
    alone = replicas(stable, target, shared, question.tolerances)
    if isinstance(alone, Uncomputed):
        return alone
    together = replicas(question.current, target, uses, question.tolerances)
    return _Answer(alone, question.current if isinstance(together, Uncomputed) else together, name)


def _by_status(question: _Question, metric: Manifest, stable: int) -> _Answer | Uncomputed:
    """From the average or the value that the autoscaler tells: the load is that, for each pod that it averaged over."""
    field = _FIELD[metric["type"]]
    body = metric[field]
    name, target = str(body["metric"]["name"]), body["target"]
    current = next((m[field]["current"] for m in question.status.get("currentMetrics") or () if _same(m, metric)), None)
    key = "value" if target["type"] == "Value" else "averageValue"
    if current is None or key not in current:
        return Uncomputed(f"it has no current value of {name}")
    if not amount(target.get(key, 0)):
        return Uncomputed(f"its target for {name} cannot be read")
    ratio = amount(current[key]) / amount(target[key])
    if key == "averageValue" and metric["type"] in ("External", "Object"):
        # The controller divides the total by the replicas of what it scales, not by the pods of its selector.
        divided_by = int((question.deployment.get("status") or {}).get("replicas") or stable)
    elif key == "value":
        divided_by = sum(p.ready for p in question.running)
    else:  # over those that have the metric: which, only the controller knows; never over more than these
        divided_by = sum(p.standing is not Standing.UNREADY for p in question.running)
    alone = ratio * divided_by / stable
    count = stable if question.tolerances.within(alone) else math.ceil(ratio * divided_by)
    return _Answer(count, int(question.status.get("desiredReplicas") or 0), name)


def _target(target: Manifest) -> Target | None:
    if target.get("averageUtilization"):
        return Target(int(target["averageUtilization"]), utilization=True)
    value = math.ceil(round(amount(target.get("averageValue", 0)) * 1000, 6))
    return Target(value, utilization=False) if value else None


def _fresh(pod: PodUse, now: float) -> bool:
    return pod.sampled_at is not None and now - pod.sampled_at <= FRESH_SECONDS


def _overdue(pod: PodUse, now: float) -> bool:
    return not _fresh(pod, now) and now - (pod.ready_since or 0.0) > FRESH_SECONDS


def _same(current: Manifest, metric: Manifest) -> bool:
    field = _FIELD[metric["type"]]
    if current.get("type") != metric["type"] or field not in current:
        return False
    ours, theirs = metric[field], current[field]
    return all(ours.get(key) == theirs.get(key) for key in ("metric", "describedObject"))


def _blind(status: Manifest) -> str:
    """Why the autoscaler does not scale, in its own words; empty when it does."""
    for condition in status.get("conditions") or ():
        broken = condition.get("type") in ("ScalingActive", "AbleToScale") and condition.get("status") == "False"
        if broken and condition.get("reason") != "ScalingDisabled":
            return str(condition.get("message") or condition["reason"])
    return ""
