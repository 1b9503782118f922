"""Names that Canary writes on objects: one place, so that policies, renderers and documents agree."""

from __future__ import annotations

from typing import Final

GROUP: Final = "canary.delivery"
VERSION: Final = "v1alpha1"
API_VERSION: Final = "canary.delivery/v1alpha1"

OPERATOR_NAMESPACE: Final = "canary-system"
OPERATOR_SERVICE_ACCOUNT: Final = "canary"
OPERATOR_USER: Final = f"system:serviceaccount:{OPERATOR_NAMESPACE}:{OPERATOR_SERVICE_ACCOUNT}"
BREAK_GLASS_GROUP: Final = "canary:break-glass"
"""Members may take a hold off by hand."""

LABEL_ROLLOUT: Final = "canary.delivery/rollout"
"""On the Deployment, Service and route of a Rollout: its name. The admission policies act on these only."""
LABEL_TRACK: Final = "canary.delivery/track"
"""On the canary copy and its pods; the value is always `canary`."""
LABEL_RELEASE: Final = "canary.delivery/release"
"""On the canary copy and its pods: the release's id."""

ANNOTATION_HELD: Final = "canary.delivery/held"
"""On a Deployment whose new template waits for a decision: `true`, written by the admission policy."""
ANNOTATION_PIN: Final = "canary.delivery/pin"
"""On a Service: the pod-template-hash that its selector is pinned to, written by the operator."""
ANNOTATION_SPLIT: Final = "canary.delivery/split"
"""On an attached HTTPRoute: `<stable Service> <canary Service> <stable weight> <canary weight>`."""
ANNOTATION_BACKENDS: Final = "canary.delivery/git-backends"
"""On an attached HTTPRoute during a release: Git's own backendRefs of each rule as JSON, to be put back at the end."""

ANNOTATION_APPROVED: Final = "canary.delivery/approved"
"""On a Rollout, by `canary approve`: `<release id>/<step index>`."""
ANNOTATION_PAUSED: Final = "canary.delivery/paused"
"""On a Rollout, by `canary pause`: who and when; present means paused."""
ANNOTATION_ABORT: Final = "canary.delivery/abort"
"""On a Rollout, by `canary abort`: the release id to roll back."""
ANNOTATION_RETRY: Final = "canary.delivery/retry"
"""On a Rollout, by `canary retry`: the release id (of a rejected or refused release) that is to be tried again."""
ANNOTATION_PROMOTE: Final = "canary.delivery/promote"
"""On a Rollout, by `canary promote`: the release id whose remaining steps are skipped."""

FINALIZER: Final = "canary.delivery/rollout"
"""On a Rollout: traffic goes back to stable and Services are unpinned before it goes."""

POD_TEMPLATE_HASH: Final = "pod-template-hash"
"""Kubernetes' label on ReplicaSets and pods."""
CANARY_SUFFIX: Final = "-canary"
HOLD_POLICY: Final = "canary-hold"
"""The admission policy and its binding, as deploy/ installs them: with it, Deployments are held by the API server."""
REJECTED_CONFIGMAP: Final = "canary-rejected-versions"
"""In each namespace: versions that were rolled back, by Rollout."""

FIELD_MANAGER: Final = "canary"
"""Prefix of the field managers, one for each concern (`canary-label`, `canary-copy`, ...)."""

FLUX_NAME_LABEL: Final = "kustomize.toolkit.fluxcd.io/name"
FLUX_NAMESPACE_LABEL: Final = "kustomize.toolkit.fluxcd.io/namespace"
ARGOCD_TRACKING_ANNOTATION: Final = "argocd.argoproj.io/tracking-id"
ARGOCD_TRACKING_LABEL: Final = "app.kubernetes.io/instance"
"""Argo CD's default before 3.0; also a label of many charts, which then says nothing about Argo CD."""
