"""What is to be judged in a release: the templates that a Rollout names, filled in with the names of its two tracks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from canary.analysis.metric import Metric, ValueMetric
from canary.api.language import Language
from canary.api.names import CANARY_SUFFIX, POD_TEMPLATE_HASH
from canary.api.parse import parse_template
from canary.api.patch import labels_of
from canary.api.rollout import TemplateKind, TemplateRef
from canary.api.template import Template
from canary.core.phases import Phase, Stage
from canary.core.state import State
from canary.errors import NotFound, SpecInvalid
from canary.metrics.source import wrong_language
from canary.metrics.templates import Tracks, metrics_of
from canary.operator import kinds
from canary.operator.analysis import Wanted
from canary.operator.cache import Cache
from canary.operator.kinds import Obj
from canary.operator.look import Look, Named
from canary.workload.observe import ready_at

_JUDGED_STAGES = frozenset({Stage.SHIFT, Stage.BAKE, Stage.PIN, Stage.REPLACE, Stage.RETURN})


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a Rollout's analysis cannot be: as a condition says it."""

    reason: str
    message: str


def problem_of(cache: Cache, what: Named, sources: Mapping[str, Language]) -> Problem | None:
    """Return what is wrong with the analysis that a Rollout names, before any release needs it."""
    try:
        metrics = _metrics(cache, what, "0", "1", returning=False)
    except NotFound as error:
        return Problem("TemplateNotFound", str(error))
    except SpecInvalid as error:
        return Problem("SpecInvalid", str(error))
    for metric in metrics:
        if metric.source not in sources:
            known = ", ".join(sorted(sources)) or "none"
            return Problem(
                "SourceNotFound",
                f"metric {metric.name}: no metric source is named {metric.source!r} (the operator's configuration has: "
                f"{known}).",
            )
        language = metric.language if isinstance(metric, ValueMetric) else Language.PROMQL
        if (takes := sources[metric.source]) is not language:
            return Problem("SpecInvalid", f"metric {metric.name}: {wrong_language(metric.source, takes, language)}.")
    return None


def wanted(cache: Cache, seen: Look, state: State) -> Wanted | None:
    """Return what is to be judged in a state; None when nothing is.

    Raises
    ------
    NotFound, SpecInvalid
        A template was changed in mid-release to one that cannot be used.
    """
    release, copy, workload = state.release, seen.observed.copy, seen.observed.workload
    if release is None or release.analysis_since is None or workload is None or state.stable is None:
        return None
    judged = state.phase is Phase.STEP or (state.phase is Phase.PROMOTING and release.stage in _JUDGED_STAGES)
    if not judged or copy is None or not copy.pod_template_hash or copy.release != release.id:
        return None
    returning = release.stage is Stage.RETURN
    reference = release.candidate if returning else state.stable
    own = workload.replica_set_of(reference.template_hash)
    if own is None:
        return None
    metrics = _metrics(cache, seen.named, own.pod_template_hash, copy.pod_template_hash, returning=returning)
    alpha = seen.named.rollout.spec.analysis.alpha.value
    return Wanted(release.id, returning, metrics, release.analysis_since, alpha)


def candidate_ready_at(seen: Look, state: State) -> dict[str, float]:
    """Return since when each of the judged pods is ready, Unix seconds by name."""
    copy, workload, release = seen.observed.copy, seen.observed.workload, state.release
    if copy is None or workload is None or release is None:
        return {}
    judged = copy.pod_template_hash
    if release.stage is Stage.RETURN:
        own = workload.replica_set_of(release.candidate.template_hash)
        judged = own.pod_template_hash if own else ""
    pods = [p for p in seen.pods if labels_of(p).get(POD_TEMPLATE_HASH) == judged]
    return {p["metadata"]["name"]: at for p in pods if (at := ready_at(p)) is not None}


def _metrics(cache: Cache, what: Named, own_hash: str, copy_hash: str, *, returning: bool) -> tuple[Metric, ...]:
    """The copy is judged against the Deployment's pods; while traffic returns, they against it."""
    root, twin = what.service, what.service + CANARY_SUFFIX
    tracks = Tracks(
        namespace=what.namespace,
        rollout=what.plan.name,
        workload=what.workload,
        stable_service=twin if returning else root,
        candidate_service=root if returning else twin,
        service_port=what.rollout.spec.service.port,
        stable_hash=copy_hash if returning else own_hash,
        candidate_hash=own_hash if returning else copy_hash,
    )
    references = what.rollout.spec.effective_templates()
    return tuple(m for ref in references for m in metrics_of(_template(cache, what, ref), ref.args, tracks))


def _template(cache: Cache, what: Named, reference: TemplateRef) -> Template:
    found: Obj | None = None
    if reference.kind is not TemplateKind.CLUSTER_ANALYSIS_TEMPLATE:
        found = cache.get(kinds.ANALYSIS_TEMPLATE, what.namespace, reference.name)
    if found is None and reference.kind is not TemplateKind.ANALYSIS_TEMPLATE:
        found = cache.get(kinds.CLUSTER_ANALYSIS_TEMPLATE, "", reference.name)
    if found is None:
        kind = reference.kind or "AnalysisTemplate or ClusterAnalysisTemplate"
        named = what.rollout.spec.analysis.templates
        mend = (
            "apply it, or correct spec.analysis.templates" if named else "apply one, or name another in spec.analysis"
        )
        raise NotFound(f"No {kind} {reference.name!r} exists: {mend}; the Rollout goes on when it is there.")
    return _parsed(_Version(found["metadata"].get("uid", ""), found["metadata"].get("resourceVersion", ""), found))


@dataclass(frozen=True, slots=True)
class _Version:
    """A version of an object as a key: it is parsed once."""

    uid: str
    resource_version: str
    obj: Obj = field(compare=False)


@lru_cache(maxsize=1024)
def _parsed(version: _Version) -> Template:
    return parse_template(version.obj)
