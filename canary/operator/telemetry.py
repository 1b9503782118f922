"""What /metrics tells about the operator itself. Instruments only; who serves them is `canary.server`'s business."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Telemetry:
    """The operator's own metrics, in a registry of their own, so that two operators in one process do not mix."""

    def __init__(self) -> None:
        r = self.registry = CollectorRegistry()
        self.rollouts = Gauge("canary_rollouts", "Rollouts by phase.", ["phase"], registry=r)
        self.stalled = Gauge(
            "canary_rollout_stalled", "1 while nothing moves until somebody acts.", ["namespace", "rollout"], registry=r
        )
        self.orphans = Gauge(
            "canary_deployment_without_rollout",
            "1 for a Deployment that is labelled, and held at each new version, and that no Rollout asks for.",
            ["namespace", "deployment"],
            registry=r,
        )
        self.weight = Gauge(
            "canary_weight_percent",
            "Share of traffic for the canary, as its route says.",
            ["namespace", "rollout"],
            registry=r,
        )
        self.releases = Counter(
            "canary_releases_total", "Releases that ended, by outcome.", ["namespace", "rollout", "outcome"], registry=r
        )
        self.verdicts = Counter("canary_verdicts_total", "Looks of the judges, by outcome.", ["outcome"], registry=r)
        self.reverts = Counter("canary_reverts_total", "Outcomes of the Git worker, by reason.", ["reason"], registry=r)
        self.queue = Gauge("canary_queue_depth", "Keys waiting, due or not.", registry=r)
        self.overdue = Gauge("canary_queue_overdue", "Keys that are due and wait for a worker.", registry=r)
        self.passes = Histogram(
            "canary_pass_duration_seconds",
            "One pass: observe, decide, apply.",
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
            registry=r,
        )
        self.errors = Counter("canary_pass_errors_total", "Passes that failed, by reason.", ["reason"], registry=r)
        self.writes = Counter(
            "canary_api_writes_total", "Write requests, by kind and verb.", ["kind", "verb"], registry=r
        )
        self.leader = Gauge("canary_leader", "1 while this process holds the Lease.", registry=r)
        self.tick_lag = Gauge(
            "canary_tick_lag_seconds", "How much later than due the last analysis tick began.", registry=r
        )
        self.queries = Gauge(
            "canary_queries_in_progress", "Queries to metric sources that are under way.", ["source"], registry=r
        )
        self.query_errors = Counter(
            "canary_query_errors_total", "Queries to metric sources that gave no usable answer.", ["source"], registry=r
        )
        self.loop_lag = Gauge("canary_loop_lag_seconds", "How late the event loop's timers are.", registry=r)

    def written(self, kind: str, verb: str) -> None:
        """Count a write request."""
        self.writes.labels(kind, verb).inc()
