"""The Deployment in Git, its canary copy, its Services: read into views and rendered into patches.

Belongs here: what is known of Deployments, ReplicaSets, pods, Services, HorizontalPodAutoscalers and the ConfigMap of
rejected versions. Does not: decisions, requests, gateways. No I/O happens here: functions take objects as the API
server returns them and return views (`canary.core.observed`) or writes (`canary.api.patch`).
"""
