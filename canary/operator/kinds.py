"""The kinds of objects that the operator reads or writes, and where the API server has them.

Written down instead of discovered: a restart then needs no discovery requests, and what is touched can be read in one
place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from canary.api.names import GROUP, HOLD_POLICY, REJECTED_CONFIGMAP, VERSION
from canary.git import argocd

Obj: TypeAlias = dict[str, Any]
"""A Kubernetes object as JSON; does not go further in than this package's border functions."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object."""

    group: str
    """Empty for the core group."""
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    optional: bool = False
    """Whether the cluster may lack it: its CRDs belong to somebody else."""
    field_selector: str = ""
    """Which objects of it are listed and watched, when not all are."""
    slim: Callable[[Obj], None] | None = None
    """Takes out, in place, what is not kept in the caches; None keeps all."""

    @property
    def api_version(self) -> str:
        """As in an object's `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Return the URL's path; without a namespace, of all namespaces."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += [self.plural, *(p for p in (name, subresource) if p)]
        return "/".join(parts)


ROLLOUT: Final = Kind(GROUP, VERSION, "Rollout", "rollouts")
ANALYSIS_TEMPLATE: Final = Kind(GROUP, VERSION, "AnalysisTemplate", "analysistemplates")
CLUSTER_ANALYSIS_TEMPLATE: Final = Kind(
    GROUP, VERSION, "ClusterAnalysisTemplate", "clusteranalysistemplates", namespaced=False
)
DEPLOYMENT: Final = Kind("apps", "v1", "Deployment", "deployments")
REPLICA_SET: Final = Kind("apps", "v1", "ReplicaSet", "replicasets")
SERVICE: Final = Kind("", "v1", "Service", "services")
HTTP_ROUTE: Final = Kind("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes", optional=True)
AUTOSCALER: Final = Kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
KUSTOMIZATION: Final = Kind("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations", optional=True)
GIT_REPOSITORY: Final = Kind("source.toolkit.fluxcd.io", "v1", "GitRepository", "gitrepositories", optional=True)
APPLICATION: Final = Kind("argoproj.io", "v1alpha1", "Application", "applications", optional=True, slim=argocd.slim)

POD: Final = Kind("", "v1", "Pod", "pods")
ENDPOINT_SLICE: Final = Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices")
CONFIG_MAP: Final = Kind("", "v1", "ConfigMap", "configmaps", field_selector=f"metadata.name={REJECTED_CONFIGMAP}")
POD_METRICS: Final = Kind("metrics.k8s.io", "v1beta1", "PodMetrics", "pods", optional=True)
EVENT: Final = Kind("", "v1", "Event", "events")
LEASE: Final = Kind("coordination.k8s.io", "v1", "Lease", "leases")
POLICY_BINDING: Final = Kind(
    "admissionregistration.k8s.io",
    "v1",
    "MutatingAdmissionPolicyBinding",
    "mutatingadmissionpolicybindings",
    namespaced=False,
    optional=True,
    field_selector=f"metadata.name={HOLD_POLICY}",
)
SELF_SUBJECT_REVIEW: Final = Kind(
    "authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", namespaced=False
)
"""Created to be answered, and not kept: who the API server says we are."""

WATCHED: Final = (
    ROLLOUT,
    ANALYSIS_TEMPLATE,
    CLUSTER_ANALYSIS_TEMPLATE,
    DEPLOYMENT,
    REPLICA_SET,
    SERVICE,
    HTTP_ROUTE,
    AUTOSCALER,
    CONFIG_MAP,
    KUSTOMIZATION,
    GIT_REPOSITORY,
    APPLICATION,
    POLICY_BINDING,
)
"""Kept in the caches. Everything else is read when it is needed, which is only while a release is under way."""

_BY_NAME: Final = {(k.api_version, k.kind): k for k in (*WATCHED, POD, ENDPOINT_SLICE, EVENT, LEASE)}


def kind_of(api_version: str, kind: str) -> Kind:
    """Return the kind of a rendered object.

    Raises
    ------
    KeyError
        A renderer made an object that the operator does not know: a defect.
    """
    return _BY_NAME[api_version, kind]
